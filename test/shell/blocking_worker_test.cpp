// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "support/gate_fixture.hpp"
#include "tokengate/broadcast.hpp"
#include "tokengate/channel.hpp"
#include "tokengate/watch.hpp"

// Workers may block on what is not a token. What they have finished by then has to be known: the
// other side may wait for it.

namespace tokengate::test {
namespace {

class blocking_worker : public gate_fixture {
 public:
  /// One worker gets two tokens in one batch: the first ends, the second, which is expected to be
  /// brief, blocks. `answer` is called with the result of the first, and lets the second go. Some
  /// times, as the machine may have disturbed what the gate has learned of the operation.
  void run_behind(std::function<void()> blocks, std::function<void()> answer) {
    for (int round = 0; round != 20 && !HasFailure(); ++round) {
      learn();
      blocker busy;
      gate_->async_run({.weight = weight::light}, busy.function())(asio::detached);
      busy.wait_entered();
      outcome<void> first, second;
      gate_->async_run(
          brief_, [] {}, keep(first));
      gate_->async_run(brief_, blocks, keep(second));
      busy.release();
      run_until_done(first);
      answer();  // also after a failure, so that the test ends
      run_until_done(second);
      EXPECT_FALSE(second.error);
    }
  }
  void learn() {
    for (int i = 0; i != 50; ++i) {
      int left = 64;
      for (int j = 0; j != 64; ++j)
        gate_->async_run(
            brief_, [] {}, [&](std::exception_ptr const&) { --left; });
      loop_.run_until([&] { return left == 0; });
    }
  }

  operation brief_{gate_->define({.operation = "brief", .weight = weight::light})};
  channel<int> line_{loop_.executor(), 1};
};

TEST_F(blocking_worker, receives_what_the_loop_sends_and_sends_what_it_receives) {
  channel<int> back(loop_.executor(), 1);
  outcome<void> worked;
  gate_->async_run(
      [&] {
        for (int i = 0; i != 100; ++i) back.send(line_.receive() + 1);
      },
      keep(worked));
  run_coroutine([](channel<int>* to, channel<int>* from) -> asio::awaitable<void> {
    for (int i = 0; i != 100; ++i) {
      co_await to->async_send(i);
      int const answer = co_await from->async_receive();
      EXPECT_EQ(answer, i + 1);
    }
  }(&line_, &back));
  run_until_done(worked);
  EXPECT_FALSE(worked.error);
}

TEST_F(blocking_worker, results_before_a_receive_arrive) {
  run_behind([&] { EXPECT_EQ(line_.receive(), 5); }, [&] { EXPECT_TRUE(line_.try_send(5)); });
}

TEST_F(blocking_worker, results_before_a_send_arrive) {
  EXPECT_TRUE(line_.try_send(2));
  run_behind([&] { line_.send(2); }, [&] { EXPECT_EQ(line_.try_receive(), 2); });
}

TEST_F(blocking_worker, results_before_a_wait_for_a_value_arrive) {
  watch<int> value(loop_.context, 0);
  auto changes = value.subscribe();
  run_behind([&] { EXPECT_EQ(*changes.changed(), 1); }, [&] { value.set(1); });
}

TEST_F(blocking_worker, results_before_a_wait_for_news_arrive) {
  broadcast<int> news(loop_.context, 4);
  auto reader = news.subscribe();
  run_behind([&] { EXPECT_EQ(*reader.receive().value, 3); },
             [&] { EXPECT_TRUE(news.try_send(3)); });
}

}  // namespace
}  // namespace tokengate::test
