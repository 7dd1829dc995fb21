// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <vector>

#include "options.hpp"
#include "report.hpp"
#include "workload.hpp"

namespace perf {

/// Runs the rounds of one workload, the variants of each round in a new random order, and says on
/// a terminal how far it is. Throws what a variant throws, with its name.
std::vector<row> run_workload(workload const& what, options const& how);

}  // namespace perf
