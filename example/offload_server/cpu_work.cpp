// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "cpu_work.hpp"

#include <time.h>

#include <algorithm>
#include <vector>

namespace offload_server {
namespace {

void spin(std::uint64_t steps) {
  std::uint64_t state = 88172645463325252ull;
  for (std::uint64_t i = 0; i < steps; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }
  // The compiler must believe that somebody reads the result.
  asm volatile("" : : "r"(state));
}

}  // namespace

double thread_cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

cpu_work cpu_work::calibrated() {
  constexpr std::uint64_t steps = 2'000'000;
  constexpr int warm_up = 20;
  constexpr int runs = 101;
  std::vector<double> took;
  for (int i = 0; i < warm_up + runs; ++i) {
    const double before = thread_cpu_ms();
    spin(steps);
    if (i >= warm_up) took.push_back(thread_cpu_ms() - before);
  }
  std::nth_element(took.begin(), took.begin() + runs / 2, took.end());
  return cpu_work(static_cast<double>(steps) / took[runs / 2]);
}

void cpu_work::operator()(double milliseconds) const {
  spin(static_cast<std::uint64_t>(steps_per_ms_ * milliseconds));
}

}  // namespace offload_server
