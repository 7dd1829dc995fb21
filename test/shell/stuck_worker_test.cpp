// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <functional>

#include "support/gate_fixture.hpp"
#include "tokengate/channel.hpp"

// A function that was expected to be brief blocks, with others behind it in its worker's mailbox,
// and no result comes that would have the gate look: another worker takes them over all the same.

namespace tokengate::test {
namespace {

class stuck_worker : public gate_fixture {
 public:
  stuck_worker() : gate_fixture({}, 2) {}

  /// So many tokens one after the other, so that the gate knows their functions to be brief.
  void learn(operation const& what) {
    for (int left = 2000; left != 0; --left) {
      outcome<void> one;
      gate_->async_run(
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
    learn(what);
    block_with_others_behind(what);
  }
}

}  // namespace
}  // namespace tokengate::test
