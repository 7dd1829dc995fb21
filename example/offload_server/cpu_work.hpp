// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <cstdint>

namespace offload_server {

/// CPU time of the calling thread in milliseconds. Unlike wall time it does not count the time in
/// which somebody else had the core.
double thread_cpu_ms();

/// A known amount of CPU work, to judge parallelism by.
///
/// The work is a fixed number of steps of a dependent chain of integer operations in registers, so
/// it costs the same on every core, with warm and cold caches, and beside a busy SMT sibling.
class cpu_work {
 public:
  /// Measures this machine on the calling thread: the median of many short runs.
  static cpu_work calibrated();

  /// Spends about this many milliseconds of CPU time of a thread that has a core for itself.
  void operator()(double milliseconds) const;

 private:
  explicit cpu_work(double steps_per_ms) : steps_per_ms_(steps_per_ms) {}
  double steps_per_ms_;
};

}  // namespace offload_server
