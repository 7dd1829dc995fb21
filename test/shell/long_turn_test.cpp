// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <chrono>

#include "support/gate_fixture.hpp"

namespace tokengate::test {
namespace {

using clock = std::chrono::steady_clock;

void spin_for(std::chrono::microseconds span) {
  for (auto const until = clock::now() + span; clock::now() < until;) {
  }
}

constexpr gate_options one_turn_for_all{.drain_time = std::chrono::hours(1)};

class long_turn : public gate_fixture {
 public:
  long_turn() : gate_fixture(one_turn_for_all) {}

  std::atomic<int> ran_{0};
  int ended_ = 0;
  int seen_ = 0;  ///< functions that had run when the first handler returned
};

// A worker has so many slots for a gate: it has nothing to do until results are collected.
TEST_F(long_turn, leaves_no_worker_without_work) {
  constexpr int tokens = 300;
  auto const work = gate_->define({.operation = "some microseconds"});
  asio::post(loop_.context, [&] {
    for (int i = 0; i != tokens; ++i)
      gate_->async_run(
          work,
          [&] {
            spin_for(std::chrono::microseconds(2));
            ++ran_;
          },
          [&](std::exception_ptr const&) {
            ++ended_;
            if (ended_ % 2 == 1) {
              spin_for(std::chrono::milliseconds(1));
              seen_ = ran_;
            } else if (seen_ != tokens && seen_ - ended_ < 64) {  // else there is enough to deliver
              EXPECT_TRUE(poll_until([&] { return ran_ > seen_; }))
                  << "the worker had stopped at " << seen_;
            }
          });
  });
  loop_.run_until([&] { return ended_ == tokens || HasFailure(); });
}

class slow_loop : public gate_fixture {};

// Else all that is issued would lie between workers and loop, where nothing is bounded.
TEST_F(slow_loop, takes_in_what_it_can_deliver) {
  constexpr int tokens = 1000;
  constexpr int bound = 64 + 64 + 64;  // one turn's, collected, and with the worker
  std::atomic<int> ran = 0;
  int ended = 0;
  int most = 0;
  for (int i = 0; i != tokens; ++i)
    gate_->async_run([&] { ++ran; },
                     [&](std::exception_ptr const&) {
                       most = std::max(most, ran - ++ended);
                       spin_for(std::chrono::microseconds(300));  // more than drain_time
                     });
  loop_.run_until([&] { return ended == tokens; });
  EXPECT_LE(most, bound);
}

}  // namespace
}  // namespace tokengate::test
