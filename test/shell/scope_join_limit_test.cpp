// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A join that is waited for no longer than some time: the scope goes on.
#include <gtest/gtest.h>

#include <boost/asio.hpp>

#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/task_scope.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

class scope_join_limit : public gate_fixture {
 public:
  void spawn(int value) {
    scope_.spawn(gate_->async_run([value] { return value; }));
  }
  task_scope<int> scope_{loop_.executor()};
};

TEST_F(scope_join_limit, join_that_timed_out_leaves_children_and_outcomes) {
  block();
  spawn(1);
  spawn(2);
  outcome<std::vector<int>> early, late;
  scope_.async_join().within(1ms)(keep(early));
  run_until_done(early);
  EXPECT_EQ(early.code(), error::timed_out);
  EXPECT_FALSE(scope_.cancelled());
  EXPECT_EQ(scope_.snapshot().live, 2u);
  busy_.release();
  scope_.async_join().until(std::chrono::steady_clock::now() + 1h)(keep(late));
  run_until_done(late);
  EXPECT_EQ(late.value, (std::vector{1, 2}));
}

TEST_F(scope_join_limit, collect_that_timed_out_says_so) {
  block();
  spawn(1);
  run_coroutine([](scope_join_limit* self) -> asio::awaitable<void> {
    auto early = self->scope_.async_collect().within(1ms);
    auto [failed, nothing] = co_await std::move(early)(asio::as_tuple(asio::use_awaitable));
    EXPECT_EQ(code_of(failed), error::timed_out);
    EXPECT_TRUE(nothing.empty());
    self->busy_.release();
    auto late = self->scope_.async_collect().within(1h);
    auto const results = co_await std::move(late);
    EXPECT_EQ(results.at(0).value, 1);
  }(this));
}

TEST_F(scope_join_limit, cancellation_cancels_the_scope_all_the_same) {
  block();
  spawn(1);
  asio::cancellation_signal signal;
  outcome<std::vector<int>> joined;
  scope_.async_join().within(1h)(asio::bind_cancellation_slot(signal.slot(), keep(joined)));
  asio::post(loop_.context, [&] { signal.emit(asio::cancellation_type::terminal); });
  run_until_done(joined);
  EXPECT_EQ(joined.code(), error::cancelled);
  EXPECT_TRUE(scope_.cancelled());
}

TEST_F(scope_join_limit, scope_without_children_is_joined_at_once) {
  outcome<std::vector<int>> joined;
  scope_.async_join().within(0ms)(keep(joined));
  run_until_done(joined);
  EXPECT_FALSE(joined.error);
}

TEST_F(scope_join_limit, scope_that_is_dropped_after_a_join_that_timed_out_says_so) {
  quiet_log log;
  block();
  outcome<std::vector<int>> joined;
  {
    task_scope<int> dropped(loop_.executor());
    dropped.spawn(gate_->async_run([] { return 1; }));
    dropped.async_join().within(1ms)(keep(joined));
    run_until_done(joined);
  }
  EXPECT_NE(log.text().find("no join"), std::string::npos);
}

}  // namespace
}  // namespace tokengate::test
