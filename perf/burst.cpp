// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>
#include <numeric>

#include "contest.hpp"
#include "machine.hpp"
#include "statistics.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

sample burst(peer& who, effort const& much) {
  auto const cores = static_cast<double>(usable_cores().size());
  std::size_t const tasks = 4 * usable_cores().size();
  // A millisecond of work is still long beside a hand-over; shorter would ask another question.
  auto const length = std::max<std::chrono::nanoseconds>(much.of(8ms), 1ms);
  warm_up(who, tasks, 1ms, much);
  load all{tasks, tasks};
  all.mix({task{rounds_for(length), 2}}).note_ends();
  run_whole(who, all);
  auto const wall = all.elapsed();
  auto const& times = all.times(2);
  auto const waited = std::accumulate(times.begin(), times.end(), 0.0) / 1e9;
  auto const& held = all.held_back();
  return {cost_of(all.rounds()) / (wall * cores), wall.count() * 1e3, waited / wall.count(),
          percentile(held, 0.5) / 1e3, percentile(held, 0.99) / 1e3};
}

}  // namespace

void add_burst(std::vector<workload>& to) {
  setup free;
  free.where = placement::every_core;
  to.push_back({"burst",
                "4 tasks of 8 ms per core, issued together: how much of the cores do they get, "
                "and how long does a result wait for its handler?",
                {{"efficiency", "ratio", better::more},
                 {"wall", "ms"},
                 {"mean_outstanding", "count", better::neither},
                 {"held_back_p50", "us"},
                 {"held_back_p99", "us"}},
                contenders(free, burst)});
}

}  // namespace perf
