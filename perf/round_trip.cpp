// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <thread>

#include "contest.hpp"
#include "statistics.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

sample warm(peer& who, effort const& much) {
  auto const total = warm_up(who, 1, 300ms, much);
  load one{1, total};
  one.timed();
  run_whole(who, one);
  auto const& times = one.times(0);
  return {percentile(times, 0.50) / 1e3, percentile(times, 0.99) / 1e3,
          one.allocations_per_token()};
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
  return {percentile(times, 0.50) / 1e3, percentile(times, 0.99) / 1e3};
}

}  // namespace

void add_round_trip(std::vector<workload>& to) {
  to.push_back(
      {"round_trip_warm",
       "one empty token out, the next as soon as it is back: how long from issue to handler?",
       {{"p50", "us"}, {"p99", "us"}, {"allocations_per_token", "count", better::neither}},
       contenders(shape::callback, placement::one_worker, warm)});
  to.push_back({"round_trip_cold",
                "the same after 2 ms in which the loop and the worker slept",
                {{"p50", "us"}, {"p99", "us"}},
                contenders(shape::callback, placement::one_worker, cold)});
}

}  // namespace perf
