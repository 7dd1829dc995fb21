// Distributed under the Boost Software License, Version 1.0. See LICENSE.
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
  who.idle(much.of(5s));
  std::chrono::duration<double> const wall = clock::now() - begin;
  auto const after = usage_now();
  std::chrono::duration<double> const cpu = after.cpu - before.cpu;
  // A thread that goes to sleep was awake; but the loop was when this began.
  auto const asleep = static_cast<double>(after.voluntary_switches - before.voluntary_switches);
  return {100 * (cpu / wall), (asleep - 1) / wall.count(),
          static_cast<double>(after.switches - before.switches)};
}

}  // namespace

void add_idle(std::vector<workload>& to) {
  setup free;
  free.where = placement::every_core;
  entrants who;
  who.only = {"asio_callback", "tbb_arena", "thread_pool"};
  to.push_back({"idle",
                "nothing in flight, the loop running for 5 s: what does the process use?",
                {{"cpu_percent", "percent"}, {"wakeups_per_second", "1/s"}, {"switches", "count"}},
                contenders(free, idle, who)});
}

}  // namespace perf
