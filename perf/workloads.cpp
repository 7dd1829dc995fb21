// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "workloads.hpp"

namespace perf {

std::vector<workload> all_workloads() {
  std::vector<workload> all;
  add_round_trip(all);
  add_throughput(all);
  add_burst(all);
  add_window(all);
  add_idle(all);
  return all;
}

}  // namespace perf
