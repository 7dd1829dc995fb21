// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace perf {

enum class better { less, more, neither };

struct metric {
  std::string name;
  std::string unit;
  better direction = better::less;
  bool in_table = true;  ///< false: for plots and machines only
};

/// How long to take over one run of one variant.
struct effort {
  double scale = 1;
  std::size_t tokens = 20'000;  ///< for the workload of a fixed number

  std::chrono::nanoseconds of(std::chrono::nanoseconds whole) const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(whole * scale);
  }
  /// Fewer than `whole` when scaled down, never more.
  std::size_t at_most(std::size_t whole) const {
    auto const some = static_cast<double>(whole) * std::min(scale, 1.0);
    return std::max<std::size_t>(1, static_cast<std::size_t>(some));
  }
};

/// One value per metric of the workload, in their order; NaN where the machine could not say.
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
  bool on_request = false;  ///< runs only when it is named
};

/// All of them, in the order in which they run.
std::vector<workload> all_workloads();

}  // namespace perf
