// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <optional>

#include "support/blocker.hpp"
#include "support/conservation.hpp"
#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/guard.hpp"

namespace tokengate::test {

/// A pool whose workers run where the machine has room: tests share it with others. One core is one
/// worker per lane.
[[nodiscard]] inline worker_pool_options small_pool(std::size_t cores = 1) {
  worker_pool_options options;
  options.max_cores = cores;
  options.pin = false;
  options.lane_priorities = false;
  return options;
}

/// A loop, a pool and a gate. At the end of each test the loop has to run out of work, and the
/// books of the gate have to add up.
class gate_fixture : public testing::Test {
 public:  // for coroutines and helpers of the tests
  explicit gate_fixture(gate_options const& options = {}, std::size_t cores = 1)
      : workers_(small_pool(cores)), gate_(std::in_place, loop_.executor(), workers_, options) {}

  void TearDown() override {
    busy_.release();
    loop_.run_out();
    if (gate_) expect_conserved(*gate_);
  }

  /// Occupies the one worker of a lane: what comes after it waits, until busy_.release().
  void block(weight lane = weight::medium) {
    gate_->async_run({.weight = lane}, busy_.function())(asio::detached);
    busy_.wait_entered(++blocked_);
  }

  template <class T>
  void run_until_done(outcome<T> const& of) {
    loop_.run_until([&] { return of.done(); });
  }

  /// Runs a coroutine to its end, and hands on what it throws.
  void run_coroutine(asio::awaitable<void> body) {
    std::optional<std::exception_ptr> ended;
    asio::co_spawn(loop_.context, std::move(body),
                   [&](std::exception_ptr error) { ended = error; });
    loop_.run_until([&] { return ended.has_value(); });
    if (ended && *ended) std::rethrow_exception(*ended);
  }

  loop loop_;
  worker_pool workers_;
  std::optional<gate> gate_;
  blocker busy_;

 private:
  int blocked_ = 0;
};

}  // namespace tokengate::test
