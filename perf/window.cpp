// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>
#include <random>

#include "contest.hpp"
#include "machine.hpp"
#include "statistics.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

// 70 % of 1 ms, 20 % of 5 ms, 10 % of 30 ms, in one fixed order for everybody.
std::vector<task> heavy_mix() {
  std::vector<task> tasks;
  for (int copy = 0; copy < 10; ++copy) {
    tasks.insert(tasks.end(), 7, task{rounds_for(1ms), 0});
    tasks.insert(tasks.end(), 2, task{rounds_for(5ms), 1});
    tasks.insert(tasks.end(), 1, task{rounds_for(30ms), 2});
  }
  std::minstd_rand order{1};
  for (auto left = tasks.size(); left > 1; --left)
    std::swap(tasks[left - 1], tasks[order() % left]);
  return tasks;
}

sample window(peer& who, effort const& much) {
  auto const cores = static_cast<double>(usable_cores().size());
  warm_up(who, 16, 1ms, much);
  load mixed{8 * usable_cores().size(), 0};
  mixed.mix(heavy_mix()).until(much.of(4s));
  run_whole(who, mixed);
  return {percentile(mixed.times(0), 0.50) / 1e3, percentile(mixed.times(0), 0.99) / 1e3,
          cost_of(mixed.rounds()) / (mixed.elapsed() * cores)};
}

}  // namespace

void add_window(std::vector<workload>& to) {
  to.push_back(
      {"window",
       "8 tokens out per core for 4 s, of 1, 5 and 30 ms: how long do those of 1 ms take?",
       {{"light_p50", "us"}, {"light_p99", "us"}, {"efficiency", "ratio", better::more}},
       contenders(shape::callback, placement::every_core, window,
                  {"asio_callback", "asio_lean_deferred", "asio_co_spawn", "asio_post_function"})});
}

}  // namespace perf
