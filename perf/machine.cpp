// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "machine.hpp"

#include <sched.h>
#include <sys/resource.h>

namespace perf {
namespace {

std::vector<unsigned> read_mask() {
  std::vector<unsigned> cores;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) == 0)
    for (unsigned core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &mask)) cores.push_back(core);
  if (cores.empty()) cores.push_back(0);
  return cores;
}

bool set_mask(std::vector<unsigned> const& cores) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  for (auto core : cores) CPU_SET(core, &mask);
  return sched_setaffinity(0, sizeof mask, &mask) == 0;
}

std::chrono::nanoseconds as_duration(timeval const& value) {
  return std::chrono::seconds{value.tv_sec} + std::chrono::microseconds{value.tv_usec};
}

}  // namespace

std::vector<unsigned> const& usable_cores() {
  static auto const cores = read_mask();
  return cores;
}

unsigned loop_core() {
  return usable_cores().front();
}
unsigned worker_core() {
  return usable_cores().back();
}

bool pin_this_thread(unsigned core) {
  return set_mask({core});
}

bool unpin_this_thread() {
  return set_mask(usable_cores());
}

scoped_pin::scoped_pin(std::optional<unsigned> core) {
  usable_cores();  // read before the mask is narrowed
  if (core) pinned_ = pin_this_thread(*core);
}

scoped_pin::~scoped_pin() {
  if (pinned_) unpin_this_thread();
}

usage usage_now() {
  rusage raw{};
  getrusage(RUSAGE_SELF, &raw);
  return {as_duration(raw.ru_utime) + as_duration(raw.ru_stime), raw.ru_nvcsw,
          raw.ru_nvcsw + raw.ru_nivcsw};
}

}  // namespace perf
