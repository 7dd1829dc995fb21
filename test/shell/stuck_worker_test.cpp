// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <string>

#include "support/gate_fixture.hpp"
#include "tokengate/channel.hpp"

// A function blocks, and no result comes that would have the gate look: what lies behind it in the
// worker's mailboxes goes to another worker all the same.

namespace tokengate::test {
namespace {

class stuck_worker : public gate_fixture {
 public:
  stuck_worker() : gate_fixture({}, 2) {}

  /// So many tokens one after the other, so that the gate knows their functions to be brief.
  void learn(gate& on, operation const& what) {
    for (int left = 2000; left != 0; --left) {
      outcome<void> one;
      on.async_run(
          what, [] {}, keep(one));
      run_until_done(one);
    }
  }

  /// One token of `what` blocks until as many as lie behind it have ended.
  void block_with_others_behind(operation const& what) {
    constexpr int behind = 4;
    channel<int> line(loop_.executor(), 1);
    outcome<void> stuck;
    int ended = 0;
    asio::post(loop_.context, [&] {
      gate_->async_run(
          what, [&] { EXPECT_EQ(line.receive(), behind); }, keep(stuck));
      for (int i = 0; i != behind; ++i)
        gate_->async_run(
            what, [] {}, [&](std::exception_ptr const&) { ++ended; });
    });
    loop_.run_until([&] { return ended == behind; });
    EXPECT_TRUE(line.try_send(int{behind})) << ended << " had ended";
    run_until_done(stuck);
  }
};

TEST_F(stuck_worker, does_not_keep_what_lies_behind_a_function_that_blocks) {
  if (workers_.cores() < 2) GTEST_SKIP() << "one worker per lane";
  auto const what = gate_->define({.operation = "brief"});
  for (int round = 0; round != 20 && !HasFailure(); ++round) {
    learn(*gate_, what);
    block_with_others_behind(what);
  }
}

/// Another gate on the same workers, with a function that blocks until this one's tokens are done.
class stuck_worker_of_another_gate : public stuck_worker {
 public:
  void run_beside(operation const& what) {
    blocker busy;
    outcome<void> stuck;
    other_.async_run(what, busy.function(), keep(stuck));
    busy.wait_entered();
    for (int round = 0; round != 5 && !HasFailure(); ++round) {
      outcome<void> first, second;
      gate_->async_run([] {}, keep(first));
      gate_->async_run([] {}, keep(second));
      run_until_done(first);
      run_until_done(second);
    }
    busy.release();
    run_until_done(stuck);
  }

  gate other_{loop_.executor(), workers_};
};

TEST_F(stuck_worker_of_another_gate, does_not_keep_what_comes_later) {
  if (workers_.cores() < 2) GTEST_SKIP() << "one worker per lane";
  for (int round = 0; round != 20 && !HasFailure(); ++round)
    run_beside(other_.define({.operation = "unknown " + std::to_string(round)}));
}

TEST_F(stuck_worker_of_another_gate, does_not_keep_what_comes_later_when_it_was_to_be_brief) {
  if (workers_.cores() < 2) GTEST_SKIP() << "one worker per lane";
  auto const what = other_.define({.operation = "brief"});
  for (int round = 0; round != 20 && !HasFailure(); ++round) {
    learn(other_, what);
    run_beside(what);
  }
}

}  // namespace
}  // namespace tokengate::test
