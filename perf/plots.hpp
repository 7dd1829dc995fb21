// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string>
#include <vector>

#include "report.hpp"

namespace perf {

/// Draws what the rows have all figures for: round_trip.svg (latency by percentile), throughput.svg
/// and throughput_cpu.svg (tokens per second, wall or CPU, by tokens outstanding), efficiency.svg
/// (by length of the function), into `folder`, which is made. Throws std::runtime_error when it
/// cannot write there.
void draw_plots(std::string const& folder, std::vector<row> const& rows);

}  // namespace perf
