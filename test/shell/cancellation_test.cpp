// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <memory>
#include <thread>

#include "support/gate_fixture.hpp"

// A caller gives a token up: through its cancellation slot, a std::stop_token, or its flow
// variable.

namespace tokengate {
namespace {

using asio::cancellation_type;
using test::outcome;

class cancellation : public test::gate_fixture {
 protected:
  /// A token that notes that it was started.
  auto noted() {
    return gate_->async_run([this] { started_ = true; });
  }
  auto slot(outcome<void>& to) {
    return asio::bind_cancellation_slot(signal_.slot(), test::keep(to));
  }

  asio::cancellation_signal signal_;
  std::atomic<bool> started_{false};
};

class cancellation_of_waiting : public cancellation,
                                public testing::WithParamInterface<cancellation_type> {};

TEST_P(cancellation_of_waiting, withdraws_at_once) {
  block();
  outcome<void> got;
  noted()(slot(got));
  signal_.emit(GetParam());
  EXPECT_FALSE(got.done());
  run_until_done(got);  // while the worker is still busy
  EXPECT_EQ(got.code(), error::cancelled);
  EXPECT_EQ(gate_->snapshot().withdrawn, 1u);
  busy_.release();
  loop_.run_out();
  EXPECT_FALSE(started_);
  EXPECT_EQ(got.calls, 1);
}

INSTANTIATE_TEST_SUITE_P(types, cancellation_of_waiting,
                         testing::Values(cancellation_type::terminal, cancellation_type::partial,
                                         cancellation_type::total));

TEST_F(cancellation, withdraws_from_deep_in_the_backlog) {
  block();
  int others = 0;
  for (int i = 0; i != 100; ++i) gate_->async_run([] {})([&](std::exception_ptr) { ++others; });
  outcome<void> got;
  noted()(slot(got));
  for (int i = 0; i != 100; ++i) gate_->async_run([] {})([&](std::exception_ptr) { ++others; });
  signal_.emit(cancellation_type::terminal);
  run_until_done(got);
  EXPECT_EQ(others, 0);
  busy_.release();
  loop_.run_out();
  EXPECT_EQ(others, 200);
  EXPECT_FALSE(started_);
}

class cancellation_of_running : public cancellation,
                                public testing::WithParamInterface<cancellation_type> {};

TEST_P(cancellation_of_running, is_seen_and_completes_when_the_function_returned) {
  test::blocker inside;
  outcome<int> got;
  bool stopped = false;
  gate_->async_run([&] {
    inside.stay();
    stopped = this_token::stop_requested();
    return 7;
  })(asio::bind_cancellation_slot(signal_.slot(), test::keep(got)));
  inside.wait_entered();
  signal_.emit(GetParam());
  loop_.poll();
  EXPECT_FALSE(got.done());
  inside.release();
  run_until_done(got);
  EXPECT_TRUE(stopped);
  EXPECT_EQ(got.value, 7);  // the function decides what it makes of it
}

TEST_P(cancellation_of_running, sets_the_stop_token_of_the_function) {
  test::blocker inside;
  outcome<int> got;
  int callbacks = 0;
  gate_->async_run([&](std::stop_token stop) {
    std::stop_callback count(stop, [&] { ++callbacks; });
    inside.stay();
    return stop.stop_requested() ? 1 : 0;
  })(asio::bind_cancellation_slot(signal_.slot(), test::keep(got)));
  inside.wait_entered();
  signal_.emit(GetParam());
  signal_.emit(GetParam());
  inside.release();
  run_until_done(got);
  EXPECT_EQ(got.value, 1);
  EXPECT_EQ(callbacks, 1);
}

INSTANTIATE_TEST_SUITE_P(types, cancellation_of_running,
                         testing::Values(cancellation_type::terminal, cancellation_type::partial));

TEST_F(cancellation, total_leaves_a_running_function_alone) {
  test::blocker inside;
  outcome<int> got;
  gate_->async_run([&](std::stop_token stop) {
    inside.stay();
    return stop.stop_requested() || this_token::stop_requested() ? 1 : 0;
  })(asio::bind_cancellation_slot(signal_.slot(), test::keep(got)));
  inside.wait_entered();
  signal_.emit(cancellation_type::total);
  loop_.poll();
  inside.release();
  run_until_done(got);
  EXPECT_EQ(got.value, 0);
}

TEST_F(cancellation, terminal_after_total_stops_a_running_function) {
  outcome<int> got;
  test::blocker inside;
  gate_->async_run([&](std::stop_token stop) {
    inside.stay();
    return stop.stop_requested() && this_token::stop_requested() ? 1 : 0;
  })(asio::bind_cancellation_slot(signal_.slot(), test::keep(got)));
  inside.wait_entered();
  signal_.emit(cancellation_type::total);
  loop_.poll();
  signal_.emit(cancellation_type::terminal);
  loop_.poll();
  inside.release();
  run_until_done(got);
  EXPECT_EQ(got.value, 1);
}

TEST_F(cancellation, emitted_twice_completes_once) {
  block();
  outcome<void> got;
  noted()(slot(got));
  signal_.emit(cancellation_type::total);
  signal_.emit(cancellation_type::terminal);
  signal_.emit(cancellation_type::terminal);
  busy_.release();
  loop_.run_out();
  EXPECT_EQ(got.calls, 1);
  EXPECT_EQ(got.code(), error::cancelled);
}

TEST_F(cancellation, emitted_after_completion_does_nothing) {
  outcome<void> got;
  noted()(slot(got));
  loop_.run_out();
  EXPECT_FALSE(signal_.slot().has_handler());
  signal_.emit(cancellation_type::terminal);
  loop_.run_out();
  EXPECT_EQ(got.calls, 1);
  EXPECT_FALSE(got.error);
}

TEST_F(cancellation, slot_serves_one_token_after_another) {
  for (int i = 0; i != 3; ++i) {
    test::blocker busy;
    gate_->async_run(busy.function())(asio::detached);
    busy.wait_entered();
    outcome<void> got;
    noted()(slot(got));
    signal_.emit(cancellation_type::terminal);
    run_until_done(got);
    EXPECT_EQ(got.code(), error::cancelled);
    busy.release();
    loop_.run_out();
    outcome<int> next;
    gate_->async_run([i] { return i; })(
        asio::bind_cancellation_slot(signal_.slot(), test::keep(next)));
    run_until_done(next);
    EXPECT_EQ(next.value, i);
  }
  EXPECT_FALSE(started_);
}

TEST_F(cancellation, handler_on_a_strand_is_cancelled_from_its_strand) {
  block();
  auto strand = asio::make_strand(loop_.context);
  outcome<void> got;
  noted()(asio::bind_executor(strand, slot(got)));
  asio::post(strand, [&] { signal_.emit(cancellation_type::terminal); });
  run_until_done(got);
  EXPECT_EQ(got.code(), error::cancelled);
}

TEST_F(cancellation, co_spawn_passes_it_on_to_the_token_it_awaits) {
  block();
  auto wait = guard(*gate_, [this] { started_ = true; });
  std::exception_ptr ended;
  bool done = false;
  asio::co_spawn(
      loop_.context,
      [](decltype(wait)* wait) -> asio::awaitable<void> { co_await (*wait)(); }(&wait),
      asio::bind_cancellation_slot(signal_.slot(), [&](std::exception_ptr error) {
        ended = error;
        done = true;
      }));
  loop_.run_until([&] { return gate_->snapshot().issued == 2; });
  signal_.emit(cancellation_type::terminal);
  loop_.run_until([&] { return done; });
  EXPECT_EQ(test::code_of(ended), error::cancelled);
  EXPECT_FALSE(started_);
}

// -- by a std::stop_token -------------------------------------------------------------------------

TEST_F(cancellation, stop_requested_before_issue_never_starts) {
  std::stop_source stop;
  stop.request_stop();
  outcome<void> got;
  noted().stop_on(stop.get_token())(test::keep(got));
  EXPECT_FALSE(got.done());
  run_until_done(got);
  EXPECT_EQ(got.code(), error::cancelled);
  EXPECT_FALSE(started_);
}

TEST_F(cancellation, stop_from_another_thread_withdraws) {
  block();
  std::stop_source stop;
  outcome<void> got;
  noted().stop_on(stop.get_token())(test::keep(got));
  std::jthread([&] { stop.request_stop(); }).join();
  run_until_done(got);
  EXPECT_EQ(got.code(), error::cancelled);
  EXPECT_FALSE(started_);
}

TEST_F(cancellation, stop_from_another_thread_reaches_the_running_function) {
  std::stop_source stop;
  outcome<bool> polled;
  outcome<bool> asked;
  test::blocker inside;
  gate_
      ->async_run([&] {
        inside.stay();
        return test::stay_until_stopped();
      })
      .stop_on(stop.get_token())(test::keep(polled));
  gate_
      ->async_run({.weight = weight::light},
                  [&](std::stop_token mine) {
                    inside.stay();
                    return test::poll_until([&] { return mine.stop_requested(); });
                  })
      .stop_on(stop.get_token())(test::keep(asked));
  inside.wait_entered(2);
  inside.release();
  std::jthread([&] { stop.request_stop(); }).join();
  loop_.run_out();
  EXPECT_EQ(polled.value, true);
  EXPECT_EQ(asked.value, true);
}

TEST_F(cancellation, stop_while_the_result_waits_for_the_loop_does_nothing) {
  std::stop_source stop;
  outcome<int> got;
  gate_->async_run([] { return 1; }).stop_on(stop.get_token())(test::keep(got));
  EXPECT_TRUE(test::poll_until([&] {
    auto const medium = workers_.snapshot().workers[lane_index(weight::medium)];
    return medium.executed == 1;
  }));
  stop.request_stop();
  run_until_done(got);
  EXPECT_EQ(got.value, 1);
  stop.request_stop();
}

TEST_F(cancellation, stop_races_with_the_start_of_many_tokens) {
  constexpr int rounds = 300;
  int ended = 0;
  std::atomic<int> ran{0};
  int withdrawn = 0;
  for (int i = 0; i != rounds; ++i) {
    std::stop_source stop;
    bool done = false;
    std::jthread racer([&] { stop.request_stop(); });
    gate_->async_run([&] { ++ran; }).stop_on(stop.get_token())([&](std::exception_ptr error) {
      if (error) ++withdrawn;
      ++ended;
      done = true;
    });
    loop_.run_until([&] { return done; });
  }
  EXPECT_EQ(ended, rounds);
  EXPECT_EQ(ran + withdrawn, rounds);
}

// -- by the flow variable -------------------------------------------------------------------------

TEST_F(cancellation, flow_variable_withdraws_its_token) {
  block();
  auto waiting = gate_->spawn([this] { started_ = true; });
  waiting.request_stop();
  loop_.run_until([&] { return waiting.ready(); });
  outcome<void> got;
  waiting(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.code(), error::cancelled);
  EXPECT_FALSE(started_);
}

TEST_F(cancellation, flow_variable_stops_its_running_function) {
  test::blocker inside;
  auto running = gate_->spawn([&] {
    inside.stay();
    return test::stay_until_stopped();
  });
  inside.wait_entered();
  std::jthread([&] { running.request_stop(); }).join();
  inside.release();
  loop_.run_until([&] { return running.ready(); });
  EXPECT_TRUE(running.get());
  EXPECT_FALSE(running.valid());
}

TEST_F(cancellation, flow_variable_also_follows_the_stop_token_of_the_caller) {
  block();
  std::stop_source stop;
  auto waiting = gate_->async_run([this] { started_ = true; }).stop_on(stop.get_token()).spawn();
  stop.request_stop();
  loop_.run_until([&] { return waiting.ready(); });
  EXPECT_THROW(waiting.get(), boost::system::system_error);
  EXPECT_FALSE(started_);
}

}  // namespace
}  // namespace tokengate
