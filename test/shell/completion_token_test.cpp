// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <memory>
#include <string>

#include "support/gate_fixture.hpp"
#include "support/tracking_allocator.hpp"
#include "tokengate/channel.hpp"

// Each way to ask for the result of a token. The results themselves are in result_test.cpp.

namespace tokengate {
namespace {

using test::outcome;
using namespace asio::experimental::awaitable_operators;

class completion_token : public test::gate_fixture {
 public:
  guarded<int (*)(int)> twice_ = guard(
      *gate_, {.operation = "twice"}, +[](int x) { return 2 * x; });
  guarded<int (*)(int)> fail_ = guard(
      *gate_, {.operation = "fail"},
      +[](int x) -> int { throw std::runtime_error(std::to_string(x)); });
};

TEST_F(completion_token, move_only_callback_is_called_once) {
  outcome<int> got;
  twice_(21)(test::keep_once(got));
  EXPECT_FALSE(got.done());
  run_until_done(got);
  loop_.run_out();
  EXPECT_EQ(got.calls, 1);
  EXPECT_EQ(got.value, 42);
}

TEST_F(completion_token, use_future_gives_value_or_exception) {
  auto good = twice_(4)(asio::use_future);
  auto bad = fail_(5)(asio::use_future);
  loop_.run_out();
  EXPECT_EQ(good.get(), 8);
  EXPECT_THROW(bad.get(), std::runtime_error);
}

TEST_F(completion_token, default_await_gives_value_or_exception) {
  run_coroutine([](completion_token* self) -> asio::awaitable<void> {
    int const got = co_await self->twice_(3);
    EXPECT_EQ(got, 6);
    std::string text;
    try {
      co_await self->fail_(7);
    } catch (std::runtime_error const& caught) {
      text = caught.what();
    }
    EXPECT_EQ(text, "7");
  }(this));
}

TEST_F(completion_token, default_await_of_void_returns) {
  int calls = 0;
  auto count = guard(*gate_, [&calls] { ++calls; });
  run_coroutine([](decltype(count)* count) -> asio::awaitable<void> {
    co_await (*count)();
    co_await (*count)();
  }(&count));
  EXPECT_EQ(calls, 2);
}

TEST_F(completion_token, use_awaitable_and_deferred_can_be_awaited) {
  run_coroutine([](completion_token* self) -> asio::awaitable<void> {
    int const awaited = co_await self->twice_(3)(asio::use_awaitable);
    EXPECT_EQ(awaited, 6);
    auto later = self->twice_(4)(asio::deferred);
    int const deferred = co_await std::move(later)(asio::use_awaitable);
    EXPECT_EQ(deferred, 8);
  }(this));
}

TEST_F(completion_token, deferred_issues_only_when_launched) {
  auto later = twice_(4)(asio::deferred);
  loop_.run_out();
  EXPECT_EQ(gate_->snapshot().issued, 0u);
  outcome<int> got;
  std::move(later)(test::keep(got));
  EXPECT_EQ(gate_->snapshot().issued, 1u);
  run_until_done(got);
  EXPECT_EQ(got.value, 8);
}

TEST_F(completion_token, as_tuple_gives_error_beside_value) {
  run_coroutine([](completion_token* self) -> asio::awaitable<void> {
    auto [none, value] = co_await self->twice_(5)(asio::as_tuple(asio::use_awaitable));
    EXPECT_FALSE(none);
    EXPECT_EQ(value, 10);
    auto [error, nothing] = co_await self->fail_(6)(asio::as_tuple(asio::use_awaitable));
    EXPECT_EQ(test::text_of(error), "6");
    EXPECT_EQ(nothing, 0);
  }(this));
}

// Asio's redirect_error looks for an error_code in front, and hands on a std::exception_ptr as it
// is.
TEST_F(completion_token, redirect_error_changes_nothing) {
  run_coroutine([](completion_token* self) -> asio::awaitable<void> {
    boost::system::error_code ec = error::timed_out;
    int const got = co_await self->twice_(5)(asio::redirect_error(asio::use_awaitable, ec));
    EXPECT_EQ(got, 10);
    EXPECT_EQ(ec, error::timed_out) << "success was written over it";
    std::string text;
    ec = {};
    try {
      co_await self->fail_(6)(asio::redirect_error(asio::use_awaitable, ec));
    } catch (std::runtime_error const& caught) {
      text = caught.what();
    }
    EXPECT_EQ(text, "6");
    EXPECT_FALSE(ec);
    boost::system::error_code thrown;
    channel<int> empty(self->loop_.executor(), 1);
    auto nothing = empty.async_receive().within(std::chrono::nanoseconds(1));
    try {
      co_await std::move(nothing)(asio::redirect_error(asio::use_awaitable, ec));
    } catch (boost::system::system_error const& caught) {
      thrown = caught.code();
    }
    EXPECT_EQ(thrown, error::timed_out) << "not even when an error_code is what it stands for";
    EXPECT_FALSE(ec);
  }(this));
}

TEST_F(completion_token, detached_runs_and_loses_its_error_into_the_books) {
  twice_(1)(asio::detached);
  fail_(2)(asio::detached);
  loop_.run_out();
  EXPECT_EQ(gate_->snapshot().lost_errors, 1u);
  EXPECT_EQ(gate_->snapshot().finished, 2u);
}

TEST_F(completion_token, bind_executor_runs_on_a_strand) {
  auto strand = asio::make_strand(loop_.context);
  bool inside = false;
  twice_(1)(asio::bind_executor(
      strand, [&](std::exception_ptr, int) { inside = strand.running_in_this_thread(); }));
  loop_.run_out();
  EXPECT_TRUE(inside);
}

TEST_F(completion_token, bind_executor_runs_on_another_context) {
  test::loop other;
  bool inside = false;
  twice_(1)(asio::bind_executor(other.executor(), [&](std::exception_ptr, int) {
    inside = other.executor().running_in_this_thread();
  }));
  loop_.run_out();
  EXPECT_FALSE(inside);
  EXPECT_NE(other.run_out(), 0u);  // kept at work by the token, and by nothing else
  EXPECT_TRUE(inside);
}

TEST_F(completion_token, bind_executor_takes_a_type_erased_executor) {
  test::loop other;
  outcome<int> here;
  outcome<int> there;
  bool inside = false;
  twice_(1)(asio::bind_executor(asio::any_io_executor(loop_.executor()), test::keep(here)));
  twice_(2)(asio::bind_executor(asio::any_io_executor(other.executor()),
                                [&](std::exception_ptr error, int value) {
                                  inside = other.executor().running_in_this_thread();
                                  test::keep{there}(error, value);
                                }));
  loop_.run_out();
  other.run_out();
  EXPECT_EQ(here.value, 2);
  EXPECT_EQ(there.value, 4);
  EXPECT_TRUE(inside);
}

TEST_F(completion_token, bind_allocator_gives_the_memory_of_the_token) {
  test::allocation_book book;
  outcome<int> got;
  twice_(1)(asio::bind_allocator(test::tracking_allocator<void>(book), test::keep(got)));
  EXPECT_EQ(book.allocations(), 1);
  run_until_done(got);
  EXPECT_EQ(got.value, 2);
  EXPECT_EQ(book.live_bytes(), 0);
}

TEST_F(completion_token, bind_cancellation_slot_is_cleared_before_the_handler) {
  asio::cancellation_signal signal;
  bool connected = true;
  twice_(1)(asio::bind_cancellation_slot(
      signal.slot(), [&](std::exception_ptr, int) { connected = signal.slot().has_handler(); }));
  EXPECT_TRUE(signal.slot().has_handler());
  loop_.run_out();
  EXPECT_FALSE(connected);
}

TEST_F(completion_token, any_completion_handler_is_called) {
  outcome<int> got;
  asio::any_completion_handler<void(std::exception_ptr, int)> erased(test::keep_once{got});
  twice_(8)(std::move(erased));
  run_until_done(got);
  EXPECT_EQ(got.value, 16);
}

TEST_F(completion_token, parallel_group_waits_for_all) {
  std::vector<int> values;
  asio::experimental::make_parallel_group(twice_(1)(asio::deferred), twice_(2)(asio::deferred))
      .async_wait(asio::experimental::wait_for_all(),
                  [&](std::array<std::size_t, 2>, std::exception_ptr, int first, std::exception_ptr,
                      int second) {
                    values = {first, second};
                  });
  loop_.run_out();
  EXPECT_EQ(values, (std::vector{2, 4}));
}

TEST_F(completion_token, logical_and_gives_both) {
  run_coroutine([](completion_token* self) -> asio::awaitable<void> {
    auto both = self->twice_(1)(asio::use_awaitable) && self->twice_(2)(asio::use_awaitable);
    auto const [first, second] = co_await std::move(both);
    EXPECT_EQ(first + second, 6);
  }(this));
}

TEST_F(completion_token, logical_or_withdraws_the_token_that_lost) {
  block();
  bool started = false;
  auto never = guard(*gate_, [&started] { started = true; });
  run_coroutine([](test::loop* loop, decltype(never)* never) -> asio::awaitable<void> {
    asio::steady_timer timer(loop->context, std::chrono::milliseconds(1));
    auto either = (*never)()(asio::use_awaitable) || timer.async_wait(asio::use_awaitable);
    auto const first = co_await std::move(either);
    EXPECT_EQ(first.index(), 1u);
  }(&loop_, &never));
  busy_.release();
  loop_.run_out();
  EXPECT_FALSE(started);
  EXPECT_EQ(gate_->snapshot().withdrawn, 1u);
}

TEST_F(completion_token, last_argument_of_a_guarded_call_issues_at_once) {
  outcome<int> got;
  twice_(9, test::keep(got));
  auto future = twice_(10, asio::use_future);
  EXPECT_EQ(gate_->snapshot().issued, 2u);
  loop_.run_out();
  EXPECT_EQ(got.value, 18);
  EXPECT_EQ(future.get(), 20);
}

TEST_F(completion_token, last_argument_of_async_run_issues_at_once) {
  outcome<int> plain;
  outcome<int> named;
  auto const of = gate_->define({.operation = "named"});
  gate_->async_run([] { return 1; }, test::keep(plain));
  auto optioned = gate_->async_run(
      {.weight = weight::light}, [] { return 2; }, asio::use_future);
  gate_->async_run(
      of, [] { return 3; }, test::keep(named));
  loop_.run_out();
  EXPECT_EQ(plain.value, 1);
  EXPECT_EQ(optioned.get(), 2);
  EXPECT_EQ(named.value, 3);
}

}  // namespace
}  // namespace tokengate
