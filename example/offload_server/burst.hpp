// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <cstddef>

#include "cpu_work.hpp"

namespace offload_server {

/// Issues eight medium tasks together, many times, each time from rest, and prints how well the
/// cores were used: the seed's ratio, and the honest one.
void print_burst(const cpu_work& work, std::size_t cores);

}  // namespace offload_server
