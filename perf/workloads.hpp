// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <vector>

#include "workload.hpp"

namespace perf {

// One source per family, under the same name.
void add_round_trip(std::vector<workload>& to);
void add_throughput(std::vector<workload>& to);
void add_efficiency(std::vector<workload>& to);
void add_burst(std::vector<workload>& to);
void add_window(std::vector<workload>& to);
void add_overload(std::vector<workload>& to);
void add_memory(std::vector<workload>& to);
void add_two_gates(std::vector<workload>& to);
void add_loop_echo(std::vector<workload>& to);
void add_idle(std::vector<workload>& to);
void add_channel(std::vector<workload>& to);
void add_channel_thread(std::vector<workload>& to);
void add_lock(std::vector<workload>& to);
void add_scope(std::vector<workload>& to);
void add_bus(std::vector<workload>& to);
void add_actor(std::vector<workload>& to);
void add_pipeline(std::vector<workload>& to);

}  // namespace perf
