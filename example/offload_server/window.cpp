// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "window.hpp"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "foreign_load.hpp"
#include "progress.hpp"
#include "samples.hpp"
#include "task_runner.hpp"

namespace offload_server {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::size_t outstanding = 16;
constexpr unsigned light_percent = 60;
constexpr unsigned medium_percent = 30;

double ms_between(steady::time_point from, steady::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// A closed loop: whenever a task's result arrives, the next is released. Both contenders draw the
// same sequence of kinds.
class window {
 public:
  window(boost::asio::io_context& loop, task_runner& runner, std::chrono::seconds duration,
         progress& line)
      : loop_(loop), runner_(runner), duration_(duration), line_(line) {}

  void run() {
    others_ = foreign_load();
    boost::asio::post(loop_, [this] {
      start_ = last_shown_ = steady::now();
      for (std::size_t i = 0; i < outstanding; ++i) release();
    });
    loop_.run();
  }

  std::size_t tasks() const { return finished_[0] + finished_[1] + finished_[2]; }

  // Calibrated single-thread CPU time of all that was computed.
  double work_ms() const {
    double sum = 0;
    for (std::size_t i = 0; i < took_.size(); ++i)
      sum += static_cast<double>(finished_[i]) * task_ms[i];
    return sum;
  }

  double waits_ms() const { return waits_ms_; }
  double foreign_share() const { return foreign_share_; }
  double wall_ms() const { return ms_between(start_, end_); }
  const samples& took(std::size_t kind) const { return took_[kind]; }

 private:
  void release() {
    const unsigned draw = random_() % 100;
    const task_kind kind = draw < light_percent                    ? task_kind::light
                           : draw < light_percent + medium_percent ? task_kind::medium
                                                                   : task_kind::heavy;
    const auto released = steady::now();
    runner_.submit(kind, [this, kind, released] { finished(kind, released); });
  }

  void finished(task_kind kind, steady::time_point released) {
    const auto now = steady::now();
    const auto place = static_cast<std::size_t>(kind);
    took_[place].add(ms_between(released, now));
    if (over_) return;  // a straggler: its latency counts, its work does not
    ++finished_[place];
    waits_ms_ += ms_between(released, now);
    end_ = now;
    over_ = now - start_ >= duration_;
    if (over_)
      foreign_share_ = others_.share();
    else
      release();
    if (now - last_shown_ > std::chrono::milliseconds(200)) {
      last_shown_ = now;
      line_.update(std::to_string(static_cast<int>(wall_ms() / 1e3)) + " s, " +
                   std::to_string(tasks()) + " tasks");
    }
  }

  boost::asio::io_context& loop_;
  task_runner& runner_;
  std::chrono::seconds duration_;
  progress& line_;
  std::mt19937 random_{2024};
  steady::time_point start_, end_, last_shown_;
  std::array<samples, 3> took_;
  std::array<std::size_t, 3> finished_{};  // within the window
  double waits_ms_ = 0;
  bool over_ = false;
  foreign_load others_;
  double foreign_share_ = 0;
};

void print_contender(const char* name, const window& result, std::size_t cores) {
  const double concurrency = result.work_ms() / result.wall_ms();
  std::printf("  %s\n", name);
  std::printf("    total tasks                 %7zu in %.2f s\n", result.tasks(),
              result.wall_ms() / 1e3);
  std::printf("    seed ratio (counts waiting) %7.2f   ceiling %zu, the tasks outstanding\n",
              result.waits_ms() / result.wall_ms(), outstanding);
  std::printf("    concurrency by CPU work     %7.2f   ceiling %zu usable cores\n", concurrency,
              cores);
  std::printf(
      "    honest ratio (sustained)    %7.3f   ceiling 1.000; others left us %.3f of the cores\n",
      concurrency / static_cast<double>(cores), 1 - result.foreign_share());
  for (std::size_t i = 0; i < task_ms.size(); ++i)
    std::printf("    %-6s (%2.0f ms) to result   p50 %7.2f ms   p99 %7.2f ms   worst %7.2f ms\n",
                task_names[i], task_ms[i], result.took(i).percentile(0.5),
                result.took(i).percentile(0.99), result.took(i).max());
}

}  // namespace

void print_window(const cpu_work& work, std::size_t cores, std::chrono::seconds duration) {
  std::printf(
      "\nWindow: %lld s of mixed releases, %zu always outstanding; %zu usable cores\n"
      "  (%u %% of 1 ms, %u %% of 8 ms, the rest of 30 ms; the same sequence for both)\n",
      static_cast<long long>(duration.count()), outstanding, cores, light_percent, medium_percent);
  progress line;
  boost::asio::io_context gate_loop{1};
  boost::asio::io_context pool_loop{1};
  std::unique_ptr<task_runner> runner = make_gate_runner(gate_loop, cores, work);
  window on_gate(gate_loop, *runner, duration, line);
  line.begin("window on tokengate");
  on_gate.run();
  line.end(std::to_string(on_gate.tasks()) + " tasks");

  runner = make_pool_runner(pool_loop, cores, work);
  window on_pool(pool_loop, *runner, duration, line);
  line.begin("window on asio::thread_pool");
  on_pool.run();
  line.end(std::to_string(on_pool.tasks()) + " tasks");

  print_contender("tokengate", on_gate, cores);
  print_contender("asio::thread_pool, one thread per core", on_pool, cores);
  const double gate_p99 = on_gate.took(0).percentile(0.99);
  const double pool_p99 = on_pool.took(0).percentile(0.99);
  std::printf(
      "  p99 of the light tasks: tokengate %.2f ms, thread_pool %.2f ms: %.1f times less\n"
      "  (light tasks go first; the heavy ones pay with latency, the sum of work does not)\n",
      gate_p99, pool_p99, gate_p99 > 0 ? pool_p99 / gate_p99 : 0.0);
}

}  // namespace offload_server
