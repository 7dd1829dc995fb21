// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <thread>

#include "contest.hpp"
#include "settings.hpp"
#include "statistics.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

sample percentiles(std::vector<double> const& times) {
  sample all;
  for (auto p : {0.50, 0.99, 0.10, 0.25, 0.75, 0.90, 0.999})
    all.push_back(percentile(times, p) / 1e3);
  return all;
}

// In the order of the above.
std::vector<metric> const metrics{{"p50", "us"},
                                  {"p99", "us"},
                                  {"p10", "us", better::less, false},
                                  {"p25", "us", better::less, false},
                                  {"p75", "us", better::less, false},
                                  {"p90", "us", better::less, false},
                                  {"p99.9", "us", better::less, false}};

sample warm(peer& who, effort const& much) {
  auto const total = warm_up(who, 1, 300ms, much);
  load one{1, total};
  one.timed();
  run_whole(who, one);
  auto all = percentiles(one.times(0));
  all.push_back(one.allocations_per_token());
  return all;
}

sample percentiles_of_warm(peer& who, effort const& much) {
  auto all = warm(who, much);
  all.pop_back();
  return all;
}

sample cold(peer& who, effort const& much) {
  warm_up(who, 1, 1ms, much);
  std::vector<double> times;
  auto const end = clock::now() + much.of(1s);
  do {
    // Long enough for the worker to stop spinning and for both cores to fall asleep.
    std::this_thread::sleep_for(2ms);
    load one{1, 1};
    one.timed();
    run_whole(who, one);
    times.push_back(one.times(0).front());
  } while (clock::now() < end);
  return percentiles(times);
}

}  // namespace

void add_round_trip(std::vector<workload>& to) {
  auto with_allocations = metrics;
  with_allocations.push_back({"allocations_per_token", "count", better::neither});
  to.push_back(
      {"round_trip_warm",
       "one empty token out, the next as soon as it is back: how long from issue to handler?",
       with_allocations, contenders({}, warm)});
  to.push_back({"round_trip_cold", "the same after 2 ms in which the loop and the worker slept",
                metrics, contenders({}, cold)});
  setup awake;
  awake.keep_workers_awake = true;
  awake.let_the_loop_sleep = true;
  entrants usual;
  usual.without = {"tokengate_no_hot"};
  to.push_back(
      {"round_trip_one_awake",
       "warm, the worker told to stay awake, the loop to sleep until it is woken (ours with "
       "wait_policy::latency and without hot drain; the others know no such thing)",
       metrics, contenders(awake, percentiles_of_warm, usual)});
  for (auto const& each : other_settings())
    to.push_back({"round_trip_" + each.name, "warm, " + each.question, with_allocations,
                  contenders(each.how, warm, each.who)});
}

}  // namespace perf
