// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <chrono>
#include <cstddef>

#include "cpu_work.hpp"

namespace offload_server {

/// Keeps sixteen tasks of mixed weights out for this long, first on tokengate and then on
/// asio::thread_pool, and prints how well the cores were used and how long light tasks took.
void print_window(const cpu_work& work, std::size_t cores, std::chrono::seconds duration);

}  // namespace offload_server
