// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "burst.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "samples.hpp"
#include "task_runner.hpp"

namespace offload_server {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::size_t tasks = 8;
constexpr std::size_t warm_ups = 2;
constexpr std::size_t bursts = 21;

double ms_between(steady::time_point from, steady::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

struct burst_result {
  double submit_spread_ms = 0;
  double wall_ms = 0;
  samples submit_to_result_ms;
};

// One burst, on the running loop's own time: all are submitted in one turn of the loop.
burst_result run_once(boost::asio::io_context& loop, task_runner& runner) {
  burst_result result;
  std::vector<steady::time_point> submitted(tasks);
  // From rest: whoever would sleep after a pause is asleep by now.
  boost::asio::steady_timer rest(loop, std::chrono::milliseconds(20));
  rest.async_wait([&](const boost::system::error_code&) {
    for (std::size_t i = 0; i < tasks; ++i) {
      submitted[i] = steady::now();
      runner.submit(task_kind::medium, [&, i] {
        const auto now = steady::now();
        result.submit_to_result_ms.add(ms_between(submitted[i], now));
        result.wall_ms = ms_between(submitted.front(), now);
      });
    }
    result.submit_spread_ms = ms_between(submitted.front(), submitted.back());
  });
  loop.restart();
  loop.run();
  return result;
}

}  // namespace

void print_burst(const cpu_work& work, std::size_t cores) {
  const double task = task_ms[static_cast<std::size_t>(task_kind::medium)];
  std::vector<burst_result> results;
  {
    boost::asio::io_context loop{1};
    const std::unique_ptr<task_runner> runner = make_gate_runner(loop, cores, work);
    for (std::size_t i = 0; i < warm_ups; ++i) run_once(loop, *runner);
    for (std::size_t i = 0; i < bursts; ++i) results.push_back(run_once(loop, *runner));
  }
  std::sort(results.begin(), results.end(), [](const burst_result& one, const burst_result& other) {
    return one.wall_ms < other.wall_ms;
  });
  const burst_result& median = results[bursts / 2];
  const samples& took = median.submit_to_result_ms;

  // On n cores the tasks end in rounds of n; the best that either ratio can then be.
  const std::size_t rounds = (tasks + cores - 1) / cores;
  double best_waits = 0;
  for (std::size_t i = 0; i < tasks; ++i) best_waits += static_cast<double>(i / cores + 1);
  const double serial = task * tasks;
  const auto honest = [&](const burst_result& one) {
    return serial / (one.wall_ms * static_cast<double>(cores));
  };
  const double bare = bare_thread_ceiling(cores, work);

  std::printf("\nBurst: %zu tasks of %.1f ms CPU each, issued together; %zu usable cores\n", tasks,
              task, cores);
  std::printf("  (the median of %zu bursts, each from rest, on tokengate)\n", bursts);
  std::printf("  submit spread               %8.3f ms\n", median.submit_spread_ms);
  std::printf("  submit to result            %8.2f ms min, %.2f max, %.2f mean, %.2f deviation\n",
              took.min(), took.max(), took.mean(), took.deviation());
  std::printf("  serial estimate             %8.2f ms\n", serial);
  std::printf("  wall clock                  %8.2f ms (best %.2f, worst %.2f)\n", median.wall_ms,
              results.front().wall_ms, results.back().wall_ms);
  std::printf(
      "  seed ratio (counts waiting) %8.2f    in full rounds %.2f; one serial worker: %.2f\n",
      took.sum() / median.wall_ms, best_waits / static_cast<double>(rounds), (tasks + 1) / 2.0);
  std::printf("  concurrency by CPU work     %8.2f    ceiling %.2f (usable cores: %zu)\n",
              serial / median.wall_ms, static_cast<double>(tasks) / static_cast<double>(rounds),
              cores);
  std::printf("  honest ratio                %8.3f    ceiling %.3f; bare threads reach %.3f now\n",
              honest(median), static_cast<double>(tasks) / static_cast<double>(rounds * cores),
              bare);
  std::printf("  (honest: calibrated single-thread CPU work / (wall clock x usable cores))\n");
}

}  // namespace offload_server
