// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstdint>

namespace perf {

/// Burns `rounds` of CPU work. One long chain of dependent steps, so that a neighbour on the same
/// physical core takes little from it.
inline void spin(std::uint32_t rounds) {
  auto state = std::uint64_t{0x9e3779b97f4a7c15};
  for (; rounds != 0; --rounds) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    asm volatile("" : "+r"(state));
  }
}

/// Rounds that cost one thread, alone, `length` of CPU time. Calibrated at the first call.
std::uint32_t rounds_for(std::chrono::nanoseconds length);

/// The CPU time `rounds` cost one thread: the inverse of the above.
std::chrono::duration<double> cost_of(double rounds);

}  // namespace perf
