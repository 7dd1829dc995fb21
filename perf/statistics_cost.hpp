// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string>
#include <vector>

#include "report.hpp"

namespace perf {

// What the library's always-on statistics cost takes two programs, one built without them, which
// cmake/perf.sh --statistics runs in turn. Here are the workloads that come of it, and their rows.

/// Two variants, `with` and `without`, and the `difference`; nothing to run.
std::vector<workload> statistics_workloads();

/// From files of one run each, as many of both. The difference is taken within each pair of them.
/// Throws std::invalid_argument when the numbers differ, std::runtime_error when a figure is
/// missing.
std::vector<row> cost_of_statistics(std::vector<std::string> const& with,
                                    std::vector<std::string> const& without);

}  // namespace perf
