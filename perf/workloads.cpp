// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "workloads.hpp"

namespace perf {

std::vector<workload> all_workloads() {
  std::vector<workload> all;
  add_round_trip(all);
  add_throughput(all);
  add_efficiency(all);
  add_burst(all);
  add_window(all);
  add_overload(all);
  add_memory(all);
  add_two_gates(all);
  add_loop_echo(all);
  add_idle(all);
  add_channel(all);
  add_channel_thread(all);
  add_lock(all);
  add_scope(all);
  add_bus(all);
  add_actor(all);
  add_pipeline(all);
  return all;
}

}  // namespace perf
