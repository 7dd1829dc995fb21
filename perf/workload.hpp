// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace perf {

enum class better { less, more, neither };

struct metric {
  std::string name;
  std::string unit;
  better direction = better::less;
};

/// How long to take over one run of one variant.
struct effort {
  double scale = 1;

  std::chrono::nanoseconds of(std::chrono::nanoseconds whole) const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(whole * scale);
  }
};

/// One value per metric of the workload, in their order.
using sample = std::vector<double>;

/// One contender of a workload. `measure` warms up by itself; it throws when a token was lost.
struct variant {
  std::string name;
  bool stock = false;
  std::function<sample(effort const&)> measure;
};

/// A question, the figures that answer it, and who is asked.
struct workload {
  std::string name;
  std::string question;
  std::vector<metric> metrics;
  std::vector<variant> variants;
};

/// All of them, in the order in which they run.
std::vector<workload> all_workloads();

}  // namespace perf
