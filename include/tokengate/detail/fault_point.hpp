// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

/// @file
/// Named places between two steps of a protocol, where a test may let other threads go first. They
/// are in sanitizer builds only (TOKENGATE_FAULT_POINTS); elsewhere nothing is left of them.

#if defined(TOKENGATE_FAULT_POINTS)

#include <atomic>

namespace tokengate::detail {

/// What is called at each point, on whatever thread comes by; null for nothing.
using fault_hook = void (*)(char const* point) noexcept;
inline std::atomic<fault_hook> at_fault_points{nullptr};

}  // namespace tokengate::detail

#define TOKENGATE_FAULT_POINT(name)                                                       \
  do {                                                                                    \
    if (auto hook = ::tokengate::detail::at_fault_points.load(std::memory_order_acquire); \
        hook != nullptr)                                                                  \
      hook(name);                                                                         \
  } while (false)

#else
#define TOKENGATE_FAULT_POINT(name) static_cast<void>(0)
#endif
