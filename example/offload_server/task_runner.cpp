// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "task_runner.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace offload_server {
namespace {

namespace asio = boost::asio;

/// The stock idiom of a callback handler: post there, post back.
class pool_runner final : public task_runner {
 public:
  pool_runner(asio::io_context& loop, std::size_t threads, const cpu_work& work)
      : loop_(loop), work_(work), pool_(threads) {}

  ~pool_runner() override { pool_.join(); }

  void submit(task_kind kind, std::function<void()> done) override {
    asio::post(pool_, [this, kind, done = std::move(done),
                       guard = asio::make_work_guard(loop_)]() mutable {
      work_(task_ms[static_cast<std::size_t>(kind)]);
      asio::post(loop_, std::move(done));
    });
  }

 private:
  asio::io_context& loop_;
  cpu_work work_;
  asio::thread_pool pool_;
};

}  // namespace

std::unique_ptr<task_runner> make_pool_runner(asio::io_context& loop, std::size_t threads,
                                              const cpu_work& work) {
  return std::make_unique<pool_runner>(loop, threads, work);
}

double bare_thread_ceiling(std::size_t threads, const cpu_work& work) {
  constexpr int tasks_each = 40;
  const double task = task_ms[static_cast<std::size_t>(task_kind::medium)];
  std::vector<std::thread> running;
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < threads; ++i)
    running.emplace_back([&] {
      for (int n = 0; n < tasks_each; ++n) work(task);
    });
  for (std::thread& each : running) each.join();
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - start;
  return tasks_each * task / wall.count();
}

}  // namespace offload_server
