// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <vector>

#include "load.hpp"

namespace perf {

/// 70 % of 1 ms, 20 % of 5 ms, 10 % of 30 ms, light, medium and heavy, in one fixed order for
/// everybody.
std::vector<task> heavy_mix();

/// The mean length of the above.
inline constexpr std::chrono::microseconds mean_of_mix{4700};

}  // namespace perf
