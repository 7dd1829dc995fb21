// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <cstdlib>

namespace tokengate::test {

/// A count times TOKENGATE_STRESS (1 unless set; 0.25 is a quarter), at least 1. A sanitizer build
/// takes the given part of it.
template <class Int>
[[nodiscard]] Int scaled(Int count, Int sanitizers_part = 1) {
#if defined(TOKENGATE_FAULT_POINTS)
  count /= sanitizers_part;
#else
  static_cast<void>(sanitizers_part);
#endif
  char const* const given = std::getenv("TOKENGATE_STRESS");
  double const scale = given != nullptr ? std::strtod(given, nullptr) : 1.0;
  return std::max(Int{1}, static_cast<Int>(static_cast<double>(count) * scale));
}

}  // namespace tokengate::test
