// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The result of a flow variable is taken once: who comes second is told so.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <future>
#include <memory>
#include <thread>

#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/when.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

/// The code of a std::future_error; nothing for anything else.
std::optional<std::error_code> future_error_of(std::exception_ptr const& error) {
  if (!error) return std::nullopt;
  try {
    std::rethrow_exception(error);
  } catch (std::future_error const& caught) {
    return caught.code();
  } catch (...) {
    return std::nullopt;
  }
}
template <class Call>
std::optional<std::error_code> future_error_by(Call call) {
  try {
    call();
  } catch (...) {
    return future_error_of(std::current_exception());
  }
  return std::nullopt;
}
std::optional<std::error_code> const taken =
    std::make_error_code(std::future_errc::future_already_retrieved);
std::optional<std::error_code> const no_state = std::make_error_code(std::future_errc::no_state);

std::exception_ptr failure(char const* text) {
  return std::make_exception_ptr(std::runtime_error(text));
}

class flow_variable_once : public gate_fixture {
 public:
  template <class R>
  outcome<R> wait(flow_var<R>& var) {
    outcome<R> got;
    var(keep(got));
    run_until_done(got);
    return got;
  }
};

TEST_F(flow_variable_once, second_wait_after_an_exception_says_that_it_was_taken) {
  promise<int> source(loop_.executor());
  auto var = source.get_flow_var();
  source.set_exception(failure("first"));
  EXPECT_TRUE(var.valid());
  EXPECT_EQ(text_of(wait(var).error), "first");
  EXPECT_FALSE(var.valid());
  EXPECT_TRUE(var.ready());
  for (int again = 0; again != 2; ++again) EXPECT_EQ(future_error_of(wait(var).error), taken);
  EXPECT_EQ(future_error_by([&] { var.get(); }), taken);
}

TEST_F(flow_variable_once, second_wait_of_a_void_one_is_no_success) {
  promise<void> good(loop_.executor()), bad(loop_.executor());
  auto of_good = good.get_flow_var(), of_bad = bad.get_flow_var();
  good.set_value();
  bad.set_exception(failure("first"));
  EXPECT_FALSE(wait(of_good).error);
  EXPECT_EQ(text_of(wait(of_bad).error), "first");
  EXPECT_EQ(future_error_of(wait(of_good).error), taken);
  EXPECT_EQ(future_error_of(wait(of_bad).error), taken);
  EXPECT_EQ(future_error_by([&] { of_bad.get(); }), taken);
}

TEST_F(flow_variable_once, second_wait_does_not_get_what_was_moved_from) {
  auto var = gate_->spawn([] { return std::make_unique<int>(3); });
  run_coroutine([](flow_var<std::unique_ptr<int>>* var) -> asio::awaitable<void> {
    auto const first = co_await std::move(*var);
    EXPECT_EQ(*first, 3);
    EXPECT_FALSE(var->valid()) << "what was awaited is not there any more";
    std::exception_ptr failed;
    try {
      co_await std::move(*var);
    } catch (...) {
      failed = std::current_exception();
    }
    EXPECT_EQ(future_error_of(failed), taken);
  }(&var));
  EXPECT_EQ(future_error_by([&] { var.get(); }), taken);
  outcome<std::unique_ptr<int>> limited;
  var.within(1h)(keep(limited));
  run_until_done(limited);
  EXPECT_EQ(future_error_of(limited.error), taken);
}

TEST_F(flow_variable_once, wait_after_get_says_that_it_was_taken) {
  promise<int> source(loop_.executor());
  auto var = source.get_flow_var();
  source.set_value(4);
  EXPECT_EQ(var.get(), 4);
  EXPECT_EQ(future_error_of(wait(var).error), taken);
  EXPECT_EQ(future_error_by([&] { var.get(0ms); }), taken);
}

TEST_F(flow_variable_once, one_without_a_state_says_so_at_once) {
  promise<int> source(loop_.executor());
  auto var = source.get_flow_var();
  auto const moved = std::move(var);
  flow_var<int> empty;
  for (flow_var<int>* each : {&var, &empty}) {
    EXPECT_FALSE(each->valid());
    EXPECT_FALSE(each->ready());
    each->request_stop();
    EXPECT_EQ(future_error_by([&] { each->get(); }), no_state);
    EXPECT_EQ(future_error_by([&] { (*each)(asio::detached); }), no_state);
    EXPECT_EQ(future_error_by([&] { static_cast<void>(each->within(1ms)); }), no_state);
  }
}

TEST_F(flow_variable_once, waits_that_were_given_up_take_nothing) {
  promise<int> source(loop_.executor());
  auto var = source.get_flow_var();
  outcome<int> late, cancelled;
  var.within(1ms)(keep(late));
  run_until_done(late);
  asio::cancellation_signal signal;
  var(asio::bind_cancellation_slot(signal.slot(), keep(cancelled)));
  asio::post(loop_.context, [&] {
    source.set_exception(failure("kept"));
    signal.emit(asio::cancellation_type::terminal);
  });
  run_until_done(cancelled);
  EXPECT_EQ(late.code(), error::timed_out);
  EXPECT_EQ(cancelled.code(), error::cancelled);
  EXPECT_TRUE(var.valid());
  EXPECT_EQ(text_of(wait(var).error), "kept");
}

TEST_F(flow_variable_once, of_two_waits_that_end_at_once_one_gets_it) {
  promise<int> source(loop_.executor());
  auto var = source.get_flow_var();
  outcome<int> first, second;
  var(keep(first));
  asio::post(loop_.context, [&] {
    source.set_value(5);  // the first one is decided, and its handler was not called
    var(keep(second));
  });
  loop_.run_until([&] { return first.done() && second.done(); });
  auto& got = first.error ? second : first;
  auto& lost = first.error ? first : second;
  EXPECT_EQ(got.value, 5);
  EXPECT_EQ(future_error_of(lost.error), taken);
}

TEST(flow_variable_on_two_loops, one_wait_gets_it_and_the_other_hears_why_not) {
  for (int round = 0; round != 300; ++round) {
    asio::io_context loops[2];
    promise<std::unique_ptr<int>> source;
    auto var = source.get_flow_var();
    if (round % 2 == 0) source.set_value(std::make_unique<int>(round));
    std::atomic<int> values{0}, refused{0};
    for (auto& each : loops)
      var(asio::bind_executor(each, [&](std::exception_ptr error, std::unique_ptr<int> value) {
        if (error && (future_error_of(error) == taken || code_of(error) == error::would_deadlock))
          ++refused;
        if (value && *value == round) ++values;
      }));
    {
      std::jthread first([&] { loops[0].run(); }), second([&] { loops[1].run(); });
      if (round % 2 != 0) source.set_value(std::make_unique<int>(round));
    }
    ASSERT_EQ(values, 1);
    ASSERT_EQ(refused, 1);
  }
}

TEST_F(flow_variable_once, ranges_work_with_what_was_taken_and_refuse_what_never_was) {
  promise<int> source(loop_.executor()), other(loop_.executor());
  std::vector<flow_var<int>> of;
  of.push_back(source.get_flow_var());
  of.push_back(other.get_flow_var());
  source.set_value(1);
  EXPECT_EQ(of[0].get(), 1);
  auto any = when_any(of).get();
  EXPECT_EQ(any.index, 0u);
  EXPECT_EQ(future_error_by([&] { any.variables[0].get(); }), taken);
  other.set_value(2);
  auto all = when_all(any.variables).get();
  EXPECT_EQ(all[1].get(), 2);
  all.emplace_back();
  EXPECT_EQ(future_error_by([&] { static_cast<void>(when_all(all)); }), no_state);
  EXPECT_EQ(future_error_by([&] { static_cast<void>(when_any(std::vector<flow_var<int>>(1))); }),
            no_state);
}

// --- exceptions that nobody takes ---

TEST_F(flow_variable_once, exception_of_a_promise_that_nobody_takes_is_logged) {
  quiet_log log;
  {
    promise<int> source(loop_.executor());
    source.set_exception(failure("lost one"));
  }
  {
    promise<void> source(loop_.executor());
    auto var = source.get_flow_var();
    source.set_exception(std::make_exception_ptr(3));
  }
  auto const text = log.text();
  EXPECT_NE(text.find("lost one"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
}

TEST_F(flow_variable_once, what_was_taken_or_never_given_is_not_logged) {
  quiet_log log;
  promise<int> source(loop_.executor());
  auto var = source.get_flow_var();
  source.set_exception(failure("taken"));
  wait(var);
  { promise<int> const dropped(loop_.executor()); }
  {
    promise<int> broken(loop_.executor());
    auto const ignored = broken.get_flow_var();
  }
  EXPECT_EQ(log.text(), "");
}

}  // namespace
}  // namespace tokengate::test
