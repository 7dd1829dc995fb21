// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>

#include "contest.hpp"
#include "machine.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

sample idle(peer& who, effort const& much) {
  warm_up(who, 32, 20ms, much);
  who.idle(300ms);  // whoever lingers after the last token may do so here
  auto const before = usage_now();
  auto const begin = clock::now();
  who.idle(much.of(1s));
  std::chrono::duration<double> const wall = clock::now() - begin;
  auto const after = usage_now();
  std::chrono::duration<double> const cpu = after.cpu - before.cpu;
  // A thread that goes back to sleep was woken; less the one with which the loop fell asleep.
  auto const switches =
      static_cast<double>(after.voluntary_switches - before.voluntary_switches - 1);
  return {100 * (cpu / wall), std::max(0.0, switches) / wall.count()};
}

}  // namespace

void add_idle(std::vector<workload>& to) {
  setup free;
  free.where = placement::every_core;
  entrants who;
  who.only = {"asio_callback", "tbb_arena", "thread_pool"};
  to.push_back({"idle",
                "nothing in flight, the loop running: what does the process use?",
                {{"cpu_percent", "percent"}, {"wakeups_per_second", "1/s"}},
                contenders(free, idle, who)});
}

}  // namespace perf
