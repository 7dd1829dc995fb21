// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <limits>

#include "support/gate_fixture.hpp"

// A deadline is checked at admission, while the token waits, and at pick-up. Tests wait for what
// the deadline does, never for the time.

namespace tokengate {
namespace {

using std::chrono::nanoseconds;
using test::outcome;
using namespace std::chrono_literals;

class deadline : public test::gate_fixture {
 protected:
  using test::gate_fixture::gate_fixture;

  auto noted() {
    return gate_->async_run([this] { started_ = true; });
  }
  std::atomic<bool> started_{false};
};

TEST_F(deadline, passed_at_admission_is_refused) {
  for (nanoseconds span : {nanoseconds(0), nanoseconds(-1), nanoseconds::min()}) {
    outcome<void> got;
    noted().within(span)(test::keep(got));
    EXPECT_FALSE(got.done());
    run_until_done(got);
    EXPECT_EQ(got.code(), error::deadline_passed);
  }
  EXPECT_FALSE(started_);
  EXPECT_EQ(gate_->snapshot().expired, 3u);
}

TEST_F(deadline, passes_in_the_backlog_while_the_worker_is_busy) {
  block();
  for (int i = 0; i != 8; ++i) gate_->async_run([] {})(asio::detached);
  outcome<void> got;
  noted().within(1ms)(test::keep(got));
  EXPECT_NE(gate_->snapshot().lanes[lane_index(weight::medium)].backlog, 0u);
  run_until_done(got);  // the worker is still busy
  EXPECT_EQ(got.code(), error::deadline_passed);
  busy_.release();
  loop_.run_out();
  EXPECT_FALSE(started_);
}

TEST_F(deadline, passes_in_the_mailbox_while_the_worker_is_busy) {
  block();
  outcome<void> got;
  noted().within(1ms)(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.code(), error::deadline_passed);
  busy_.release();
  loop_.run_out();
  EXPECT_FALSE(started_);
}

TEST_F(deadline, each_token_has_its_own) {
  block();
  std::vector<int> order;
  for (int ms : {3, 1, 2})
    noted().within(std::chrono::milliseconds(ms))(
        [&order, ms](std::exception_ptr) { order.push_back(ms); });
  outcome<void> far;
  gate_->async_run([] {}).within(1h)(test::keep(far));
  loop_.run_until([&] { return order.size() == 3; });
  EXPECT_FALSE(far.done());
  busy_.release();
  run_until_done(far);
  EXPECT_FALSE(far.error);
  EXPECT_FALSE(started_);
}

TEST_F(deadline, passed_at_pick_up_is_not_run) {
  // The loop does not run, so no timer can withdraw it: only the worker is left to notice.
  block();
  outcome<void> got;
  auto const until = std::chrono::steady_clock::now() + 2ms;
  noted().within(1ms)(test::keep(got));
  ASSERT_TRUE(test::poll_until([&] { return std::chrono::steady_clock::now() > until; }));
  busy_.release();
  auto const medium = [&] { return workers_.snapshot().workers[lane_index(weight::medium)]; };
  EXPECT_TRUE(test::poll_until([&] { return medium().state == worker_state::parked; }));
  EXPECT_EQ(medium().executed, 1u);
  loop_.run_out();
  EXPECT_EQ(got.code(), error::deadline_passed);
  EXPECT_FALSE(started_);
}

TEST_F(deadline, running_function_sees_it_pass) {
  outcome<bool> got;
  gate_->async_run([] { return this_token::deadline().has_value() && test::stay_until_stopped(); })
      .within(20ms)(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.value.value_or(true), true);  // none: the machine took longer to start it
}

TEST_F(deadline, stop_token_of_a_running_function_hears_it_pass) {
  outcome<bool> got;
  gate_
      ->async_run([](std::stop_token stop) {
        return test::poll_until([&] { return stop.stop_requested(); });
      })
      .within(20ms)(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.value.value_or(true), true);
}

TEST_F(deadline, of_an_operation_holds_for_each_call_unless_it_says_otherwise) {
  block();
  auto brief = guard(*gate_, {.operation = "brief", .deadline = 1ms}, [this] { started_ = true; });
  outcome<void> by_operation;
  outcome<void> by_call;
  brief()(test::keep(by_operation));
  brief().within(no_deadline)(test::keep(by_call));
  run_until_done(by_operation);
  EXPECT_EQ(by_operation.code(), error::deadline_passed);
  EXPECT_FALSE(by_call.done());
  busy_.release();
  run_until_done(by_call);
  EXPECT_FALSE(by_call.error);
}

TEST_F(deadline, too_far_to_be_represented_is_none) {
  outcome<void> got;
  noted().within(nanoseconds::max() - nanoseconds(1))(test::keep(got));
  run_until_done(got);
  EXPECT_FALSE(got.error);
}

TEST_F(deadline, cancelled_before_it_passes_ends_once) {
  block();
  asio::cancellation_signal signal;
  outcome<void> got;
  noted().within(1h)(asio::bind_cancellation_slot(signal.slot(), test::keep(got)));
  signal.emit(asio::cancellation_type::terminal);
  run_until_done(got);
  EXPECT_EQ(got.code(), error::cancelled);
}

TEST_F(deadline, that_the_queue_cannot_make_is_refused_as_overload) {
  // The lane learns that its functions take long, from one that does.
  outcome<void> slow;
  gate_->async_run([] {
    auto const until = std::chrono::steady_clock::now() + 20ms;
    return test::poll_until([&] { return std::chrono::steady_clock::now() > until; });
  })([&](std::exception_ptr error, bool) { test::keep{slow}(error); });
  run_until_done(slow);
  block();
  for (int i = 0; i != 100; ++i) gate_->async_run([] {})(asio::detached);
  outcome<void> got;
  noted().within(50ms)(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.code(), error::overloaded);
  EXPECT_EQ(gate_->snapshot().rejected, 1u);
  EXPECT_FALSE(started_);
}

// -- admission::until -----------------------------------------------------------------------------

class deadline_of_admission : public deadline {
 protected:
  deadline_of_admission() : deadline(gate_options{.backlog = 1, .waiting = 4}) {}

  /// Until the backlog is full.
  void fill() {
    block();
    while (gate_->snapshot().lanes[lane_index(weight::medium)].backlog == 0)
      gate_->async_run([] {})(asio::detached);
  }
};

TEST_F(deadline_of_admission, passes_in_the_waiting_room) {
  fill();
  outcome<void> got;
  noted().admit(admission::until, 1ms)(test::keep(got));
  EXPECT_EQ(gate_->snapshot().lanes[lane_index(weight::medium)].waiting, 1u);
  run_until_done(got);
  EXPECT_EQ(got.code(), error::backlog_full);
  EXPECT_FALSE(started_);
  EXPECT_EQ(gate_->snapshot().rejected, 1u);
}

TEST_F(deadline_of_admission, of_a_token_that_got_its_place_no_longer_counts) {
  fill();
  outcome<void> got;
  noted().admit(admission::until, 1h)(test::keep(got));
  busy_.release();
  run_until_done(got);
  EXPECT_FALSE(got.error);
  EXPECT_TRUE(started_);
}

TEST_F(deadline_of_admission, own_deadline_counts_in_the_waiting_room) {
  fill();
  outcome<void> got;
  noted().within(1ms)(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.code(), error::deadline_passed);
  EXPECT_FALSE(started_);
}

TEST_F(deadline_of_admission, until_without_a_time_is_refused_by_define) {
  EXPECT_THROW((void)gate_->define({.operation = "x", .admission = admission::until}),
               std::invalid_argument);
}

}  // namespace
}  // namespace tokengate
