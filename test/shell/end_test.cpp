// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"

// How a gate is drained, closed and stopped, how an operator ends a token, and what can be seen.

namespace tokengate {
namespace {

using test::outcome;
using namespace std::chrono_literals;

class end : public test::gate_fixture {
 protected:
  struct report_box {
    std::optional<drain_report> report;
    [[nodiscard]] bool done() const { return report.has_value(); }
  };
  auto into(report_box& box) {
    return [&box](drain_report report) { box.report = std::move(report); };
  }
  /// The ids of what is out, by state.
  std::vector<std::uint64_t> out(token_state state) {
    std::vector<std::uint64_t> ids;
    for (auto const& each : gate_->tokens())
      if (each.state == state) ids.push_back(each.id);
    return ids;
  }
  auto noted() {
    return gate_->async_run({.operation = "noted"}, [this] { started_ = true; });
  }
  std::atomic<bool> started_{false};
};

// -- async_drain ----------------------------------------------------------------------------------

TEST_F(end, drain_of_an_idle_gate_is_done_but_not_inline) {
  report_box box;
  gate_->async_drain(1h, into(box));
  EXPECT_FALSE(box.done());
  loop_.run_until([&] { return box.done(); });
  EXPECT_TRUE(box.report->drained);
  EXPECT_TRUE(box.report->stuck.empty());
}

TEST_F(end, drain_waits_for_the_last_token) {
  block();
  report_box box;
  gate_->async_drain(1h, into(box));
  outcome<void> got;
  noted()(test::keep(got));
  loop_.poll();
  EXPECT_FALSE(box.done());
  busy_.release();
  loop_.run_until([&] { return box.done(); });
  EXPECT_TRUE(box.report->drained);
  EXPECT_TRUE(got.done());
}

TEST_F(end, drain_names_what_is_stuck) {
  test::blocker inside;
  gate_->async_run({.operation = "stubborn"}, inside.function())(asio::detached);
  inside.wait_entered();
  noted()(asio::detached);
  report_box box;
  gate_->async_drain(1ms, into(box));
  loop_.run_until([&] { return box.done(); });
  EXPECT_FALSE(box.report->drained);
  ASSERT_EQ(box.report->stuck.size(), 2u);
  EXPECT_EQ(box.report->stuck[0].operation, "stubborn");
  EXPECT_EQ(box.report->stuck[0].state, token_state::executing);
  EXPECT_EQ(box.report->stuck[1].operation, "noted");
  EXPECT_EQ(box.report->stuck[1].state, token_state::admitted);
  inside.release();
}

TEST_F(end, drain_can_be_awaited_and_cancelled) {
  block();
  asio::cancellation_signal signal;
  report_box cancelled;
  gate_->async_drain(1h, asio::bind_cancellation_slot(signal.slot(), into(cancelled)));
  asio::post(loop_.context, [&] { signal.emit(asio::cancellation_type::terminal); });
  loop_.run_until([&] { return cancelled.done(); });
  EXPECT_FALSE(cancelled.report->drained);
  busy_.release();
  run_coroutine([](gate* through) -> asio::awaitable<void> {
    auto drain = through->async_drain(1h);
    auto const report = co_await std::move(drain);
    EXPECT_TRUE(report.drained);
  }(&*gate_));
}

TEST_F(end, drain_runs_its_handler_on_its_executor_and_keeps_that_at_work) {
  test::loop other;
  bool inside = false;
  gate_->async_drain(1h, asio::bind_executor(other.executor(), [&](drain_report const&) {
                       inside = other.executor().running_in_this_thread();
                     }));
  EXPECT_FALSE(inside);
  std::jthread runner([&] { loop_.run_out(); });
  other.run_out();
  EXPECT_TRUE(inside);
}

TEST_F(end, drain_does_not_close) {
  report_box box;
  gate_->async_drain(1h, into(box));
  loop_.run_out();
  outcome<void> got;
  noted()(test::keep(got));
  run_until_done(got);
  EXPECT_FALSE(got.error);
}

// -- close and stop -------------------------------------------------------------------------------

TEST_F(end, closed_gate_refuses_new_tokens_and_runs_the_old_ones) {
  block();
  outcome<void> old;
  outcome<void> late;
  gate_->async_run([] {})(test::keep(old));
  EXPECT_FALSE(gate_->snapshot().closed);
  gate_->close();
  gate_->close();
  EXPECT_TRUE(gate_->snapshot().closed);
  noted()(test::keep(late));
  run_until_done(late);
  EXPECT_EQ(late.code(), error::closed);
  busy_.release();
  run_until_done(old);
  EXPECT_FALSE(old.error);
  EXPECT_FALSE(started_);
}

TEST_F(end, stopped_gate_withdraws_what_waits_and_stops_what_runs) {
  outcome<bool> polled;
  outcome<bool> asked;
  outcome<void> waiting;
  outcome<void> late;
  test::blocker inside;
  gate_->async_run([&] {
    inside.stay();
    return test::stay_until_stopped();
  })(test::keep(polled));
  gate_->async_run({.weight = weight::heavy}, [&](std::stop_token stop) {
    inside.stay();
    return test::poll_until([&] { return stop.stop_requested(); });
  })(test::keep(asked));
  inside.wait_entered(2);
  noted()(test::keep(waiting));
  gate_->stop();
  run_until_done(waiting);  // while the workers are still busy
  EXPECT_EQ(waiting.code(), error::stopped);
  noted()(test::keep(late));
  run_until_done(late);
  EXPECT_EQ(late.code(), error::stopped);
  inside.release();
  loop_.run_out();
  EXPECT_EQ(polled.value, true);
  EXPECT_EQ(asked.value, true);
  EXPECT_FALSE(started_);
}

TEST_F(end, stop_from_inside_a_token_ends_the_others) {
  outcome<bool> first;
  outcome<void> second;
  gate_->async_run([this] {
    noted()(asio::detached);
    gate_->stop();
    return this_token::stop_requested();
  })(test::keep(first));
  loop_.run_out();
  EXPECT_EQ(first.value, true);
}

TEST_F(end, stopped_pool_ends_what_waits) {
  test::quiet_log quiet;
  block();
  outcome<void> waiting;
  outcome<void> late;
  noted()(test::keep(waiting));
  workers_.stop();
  workers_.stop();
  run_until_done(waiting);
  EXPECT_EQ(waiting.code(), error::stopped);
  noted()(test::keep(late));
  run_until_done(late);
  EXPECT_EQ(late.code(), error::stopped);
  busy_.release();
  loop_.run_out();
  EXPECT_FALSE(started_);
}

TEST_F(end, gate_that_goes_leaves_the_outcomes_to_the_loop) {
  test::quiet_log quiet;
  outcome<int> done;
  outcome<void> waiting;
  test::blocker inside;
  gate_->async_run([&] {
    inside.stay();
    return 5;
  })(test::keep(done));
  inside.wait_entered();
  noted()(test::keep(waiting));
  inside.release();
  gate_.reset();
  EXPECT_FALSE(waiting.done());
  loop_.run_out();
  EXPECT_EQ(done.value, 5);
  EXPECT_TRUE(waiting.done());
  EXPECT_EQ(started_, !waiting.error);
}

// -- kill and tokens ------------------------------------------------------------------------------

TEST_F(end, tokens_are_listed_with_their_states) {
  auto const slow = gate_->define({.operation = "slow", .max_concurrency = 1});
  gate_->async_run(slow, busy_.function())(asio::detached);
  busy_.wait_entered();
  gate_->async_run(slow, [] {})(asio::detached);
  for (int i = 0; i != 10; ++i) noted()(asio::detached);
  EXPECT_EQ(out(token_state::executing), std::vector<std::uint64_t>{1});
  EXPECT_GE(out(token_state::admitted).size(), 1u);
  EXPECT_GE(out(token_state::waiting).size(), 1u);
  auto const all = gate_->tokens();
  EXPECT_EQ(all.size(), 12u);
  EXPECT_EQ(std::ranges::count(all, "slow", &live_token::operation), 2);
  EXPECT_TRUE(std::ranges::all_of(
      all, [](auto const& each) { return each.age > 0ns && each.weight == weight::medium; }));
  busy_.release();
  loop_.run_out();
  EXPECT_TRUE(gate_->tokens().empty());
}

TEST_F(end, killed_token_that_waits_never_starts) {
  block();
  std::vector<outcome<void>> got(4);
  for (auto& each : got) noted()(test::keep(each));  // in the mailbox, and in the backlog
  for (std::uint64_t id = 2; id != 6; ++id) EXPECT_TRUE(gate_->kill(id));
  for (auto& each : got) {
    run_until_done(each);
    EXPECT_EQ(each.code(), error::killed);
  }
  busy_.release();
  loop_.run_out();
  EXPECT_FALSE(started_);
  auto const books = gate_->snapshot().operations;
  auto const noted = std::ranges::find(books, "noted", &operation_snapshot::name);
  ASSERT_NE(noted, books.end());
  EXPECT_EQ(noted->killed, 4u);
}

TEST_F(end, killed_token_that_runs_is_asked_to_stop) {
  test::blocker inside;
  outcome<bool> polled;
  outcome<bool> asked;
  gate_->async_run([&] {
    inside.stay();
    return test::stay_until_stopped();
  })(test::keep(polled));
  gate_->async_run({.weight = weight::heavy}, [&](std::stop_token stop) {
    inside.stay();
    return test::poll_until([&] { return stop.stop_requested(); });
  })(test::keep(asked));
  inside.wait_entered(2);
  EXPECT_TRUE(gate_->kill(1));
  EXPECT_TRUE(gate_->kill(1));
  std::jthread([&] { EXPECT_TRUE(gate_->kill(2)); }).join();
  inside.release();
  loop_.run_out();
  EXPECT_EQ(polled.value, true);
  EXPECT_EQ(asked.value, true);
}

TEST_F(end, killed_token_behind_max_concurrency_and_key_lets_the_others_through) {
  auto const slow = gate_->define({.operation = "slow", .max_concurrency = 1});
  gate_->async_run(slow, busy_.function())(asio::detached);
  busy_.wait_entered();
  outcome<void> limited;
  outcome<void> follower;
  gate_->async_run(slow, [] {}).keyed(1)(test::keep(limited));
  gate_->async_run([] {}).keyed(1)(test::keep(follower));
  EXPECT_TRUE(gate_->kill(2));
  run_until_done(limited);
  EXPECT_EQ(limited.code(), error::killed);
  busy_.release();
  run_until_done(follower);
  EXPECT_FALSE(follower.error);
}

TEST_F(end, kill_of_an_unknown_token_says_so) {
  EXPECT_FALSE(gate_->kill(1));
  outcome<void> got;
  noted()(test::keep(got));
  loop_.run_out();
  EXPECT_FALSE(gate_->kill(1));
}

TEST_F(end, books_tell_each_outcome_of_an_operation) {
  auto const of = gate_->define({.operation = "mixed"});
  auto const ignore = [](std::exception_ptr) {};
  gate_->async_run(of, [] {})(ignore);
  gate_->async_run(of, [] { throw 1; })(ignore);
  loop_.run_out();
  block();
  gate_->async_run(of, [] {}).within(0ns)(ignore);
  std::stop_source stop;
  stop.request_stop();
  gate_->async_run(of, [] {}).stop_on(stop.get_token())(ignore);
  gate_->async_run(of, [] {})(ignore);
  EXPECT_TRUE(gate_->kill(gate_->tokens().back().id));
  gate_->close();
  gate_->async_run(of, [] {})(ignore);
  busy_.release();
  loop_.run_out();
  auto const books = gate_->snapshot().operations;
  auto const mixed = std::ranges::find(books, "mixed", &operation_snapshot::name);
  ASSERT_NE(mixed, books.end());
  EXPECT_EQ(mixed->issued, 6u);
  EXPECT_EQ(mixed->completed, 1u);
  EXPECT_EQ(mixed->failed, 1u);
  EXPECT_EQ(mixed->timed_out, 1u);
  EXPECT_EQ(mixed->cancelled, 1u);
  EXPECT_EQ(mixed->killed, 1u);
  EXPECT_EQ(mixed->rejected, 1u);
  EXPECT_EQ(mixed->run.count, 2u);
  EXPECT_FALSE(to_json(gate_->snapshot()).empty());
}

}  // namespace
}  // namespace tokengate
