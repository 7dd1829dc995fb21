// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>

namespace tokengate::detail {

/// The finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014; the constants are David Stafford's variant 13). One to one, and every
/// bit of the result depends on all bits of x.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace tokengate::detail
