// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>

namespace tokengate::test {

/// Calls of operator new so far, by all threads.
[[nodiscard]] std::uint64_t allocations() noexcept;
/// Calls of operator delete so far with something to delete, by all threads.
[[nodiscard]] std::uint64_t deallocations() noexcept;

/// Whether a block of the pool can fail. Elsewhere the pool may still have some.
#if defined(TOKENGATE_DISABLE_RECYCLING)
inline constexpr bool each_block_is_asked_for = true;
#else
inline constexpr bool each_block_is_asked_for = false;
#endif

/// Allowed for per thousand rounds: a thread's cache of blocks may be one short now and then.
inline constexpr std::uint64_t few = 10;

/// While it lives, operator new fails on this thread: once, after `successes` calls, or from then
/// on.
class failing_allocations {
 public:
  failing_allocations(int successes, bool from_then_on) noexcept;
  ~failing_allocations();
  failing_allocations(failing_allocations const&) = delete;
  failing_allocations& operator=(failing_allocations const&) = delete;

  /// Whether any has failed.
  [[nodiscard]] bool hit() const noexcept;
};

}  // namespace tokengate::test
