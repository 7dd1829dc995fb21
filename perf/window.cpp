// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <cmath>
#include <random>

#include "contest.hpp"
#include "machine.hpp"
#include "mix.hpp"
#include "statistics.hpp"
#include "workloads.hpp"

namespace perf {

using namespace std::chrono_literals;

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

namespace {

std::vector<metric> const metrics{{"light_p50", "us"},
                                  {"light_p99", "us"},
                                  {"heavy_p99", "us"},
                                  {"efficiency", "ratio", better::more}};

sample record(load const& done) {
  auto const cores = static_cast<double>(usable_cores().size());
  return {percentile(done.times(0), 0.50) / 1e3, percentile(done.times(0), 0.99) / 1e3,
          percentile(done.times(2), 0.99) / 1e3, cost_of(done.rounds()) / (done.elapsed() * cores)};
}

sample window(peer& who, effort const& much) {
  warm_up(who, 16, 1ms, much);
  load mixed{8 * usable_cores().size(), 0};
  mixed.mix(heavy_mix()).until(much.of(4s));
  run_whole(who, mixed);
  return record(mixed);
}

/// Arrivals without memory, at a rate that keeps the cores busy for 70 % of the time.
std::vector<std::chrono::nanoseconds> arrivals(std::chrono::nanoseconds length) {
  auto const mean = std::chrono::duration<double, std::nano>(mean_of_mix) /
                    (0.7 * static_cast<double>(usable_cores().size()));
  std::vector<std::chrono::nanoseconds> due;
  std::mt19937 random{7};
  for (auto at = 0.0; at < static_cast<double>(length.count());) {
    due.emplace_back(static_cast<std::int64_t>(at));
    // The generator, unlike the distribution classes, gives the same everywhere.
    at -= mean.count() * std::log((static_cast<double>(random()) + 1) / 4294967297.0);
  }
  return due;
}

sample window_open(peer& who, effort const& much) {
  warm_up(who, 16, 1ms, much);
  load mixed{arrivals(much.of(4s))};
  mixed.mix(heavy_mix());
  run_whole(who, mixed);
  return record(mixed);
}

}  // namespace

void add_window(std::vector<workload>& to) {
  setup free;
  free.where = placement::every_core;
  entrants who;
  who.only = {"asio_callback",      "asio_lean_deferred", "asio_co_spawn",
              "asio_post_function", "tbb_arena",          "std_async"};
  to.push_back({"window",
                "8 tokens out per core for 4 s, of 1, 5 and 30 ms: how long do those of 1 ms take?",
                metrics, contenders(free, window, who)});
  to.push_back({"window_open",
                "the same functions arriving at random for 4 s, at 70 % of what the cores can do",
                metrics, contenders(free, window_open, who)});
}

}  // namespace perf
