// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "spin.hpp"

#include <time.h>

#include <algorithm>

namespace perf {
namespace {

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The least of many chunks: whatever disturbs a chunk only makes it longer.
double calibrate() {
  constexpr std::uint32_t rounds = 1'000'000;
  auto best = 1.0;
  for (int chunk = 0; chunk < 40; ++chunk) {
    auto const begin = thread_seconds();
    spin(rounds);
    best = std::min(best, thread_seconds() - begin);
  }
  return best / rounds;
}

double seconds_per_round() {
  static double const seconds = calibrate();
  return seconds;
}

}  // namespace

std::uint32_t rounds_for(std::chrono::nanoseconds length) {
  return static_cast<std::uint32_t>(std::chrono::duration<double>(length).count() /
                                    seconds_per_round());
}

std::chrono::duration<double> cost_of(double rounds) {
  return std::chrono::duration<double>(rounds * seconds_per_round());
}

}  // namespace perf
