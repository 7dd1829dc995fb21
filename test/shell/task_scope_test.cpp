// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/task_scope.hpp"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/with_scope.hpp"

namespace tokengate {
namespace {

using test::outcome;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

struct no_default {
  explicit no_default(int of) : value(of) {}
  int value;
};

class task_scope_shell : public test::gate_fixture {
 public:
  task_scope<> plain{loop_.executor()};
};

/// Turns of the loop, then a value.
asio::awaitable<int> after(int turns, int value) {
  auto const executor = co_await asio::this_coro::executor;
  for (int i = 0; i != turns; ++i) co_await asio::post(executor, asio::use_awaitable);
  co_return value;
}
asio::awaitable<int> failing(int turns, char const* text) {
  co_await after(turns, 0);
  throw std::runtime_error(text);
}
/// Waits until it is cancelled, and counts that.
asio::awaitable<int> endless(int* cancelled) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  boost::system::error_code ended;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  if (ended == asio::error::operation_aborted) ++*cancelled;
  throw boost::system::system_error(ended);
}

TEST_F(task_scope_shell, join_gives_the_values_in_the_order_of_spawning) {
  task_scope<int> scope(loop_.context);
  for (int i = 0; i != 10; ++i) EXPECT_TRUE(scope.spawn(after(10 - i, i)));
  outcome<std::vector<int>> joined;
  scope.async_join(test::keep(joined));
  EXPECT_FALSE(joined.done());
  run_until_done(joined);
  EXPECT_EQ(joined.value, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(scope.snapshot().live, 0u);
}

TEST_F(task_scope_shell, takes_tokens_functions_operations_and_joins_of_others) {
  task_scope<long> scope(loop_.context), inner(loop_.context);
  auto twice = guard(*gate_, [](int x) { return 2 * x; });
  int captured = 40;
  scope.spawn(twice(4));
  scope.spawn([captured, keep = std::make_unique<int>(2)]() -> asio::awaitable<int> {
    co_await after(1, 0);
    co_return captured + *keep;
  });
  scope.spawn(gate_->spawn([] { return 5; }));
  inner.spawn(after(3, 7));
  plain.spawn(inner.async_join());
  asio::steady_timer timer(loop_.context, 1us);
  plain.spawn(timer.async_wait(asio::deferred));
  outcome<std::vector<long>> joined;
  outcome<void> rest;
  scope.async_join(test::keep(joined));
  plain.async_join(test::keep(rest));
  loop_.run_until([&] { return joined.done() && rest.done(); });
  EXPECT_EQ(joined.value, (std::vector{8l, 42l, 5l}));
  EXPECT_FALSE(rest.error);
}

TEST_F(task_scope_shell, values_may_be_move_only_and_without_default) {
  task_scope<std::unique_ptr<int>> scope(loop_.context);
  scope.spawn(gate_->async_run([] { return std::make_unique<int>(3); }));
  task_scope<no_default> other(loop_.context);
  other.spawn(gate_->async_run([] { return no_default(4); }));
  outcome<std::vector<std::unique_ptr<int>>> pointers;
  outcome<std::vector<no_default>> values;
  scope.async_join(test::keep(pointers));
  other.async_join(test::keep(values));
  loop_.run_until([&] { return pointers.done() && values.done(); });
  ASSERT_TRUE(pointers.value && values.value);
  EXPECT_EQ(*pointers.value->at(0), 3);
  EXPECT_EQ(values.value->at(0).value, 4);
}

TEST_F(task_scope_shell, first_error_wins_and_the_others_see_cancellation) {
  int cancelled = 0;
  bool stopped = false;
  test::blocker inside;
  plain.spawn(endless(&cancelled));
  plain.spawn(gate_->async_run([&](std::stop_token stop) {
    inside.stay();
    stopped = test::poll_until([&] { return stop.stop_requested(); });
  }));
  plain.spawn(endless(&cancelled));
  inside.release();
  loop_.run_until([&] { return inside.entered() == 1; });
  plain.spawn(failing(3, "first"));
  outcome<void> joined;
  plain.async_join(test::keep(joined));
  run_until_done(joined);
  EXPECT_EQ(test::text_of(joined.error), "first");
  EXPECT_EQ(cancelled, 2);
  EXPECT_TRUE(stopped);
  EXPECT_FALSE(plain.spawn(after(0, 0))) << "a cancelled scope takes no more";
  outcome<void> again;
  plain.async_join(test::keep(again));
  run_until_done(again);
  EXPECT_EQ(again.code(), error::cancelled) << "one was refused";
}

TEST_F(task_scope_shell, collecting_scope_gives_every_outcome) {
  scope_options options;
  options.on_error = on_child_error::collect;
  task_scope<int> scope(loop_.context, options);
  scope.spawn(after(5, 1));
  scope.spawn(failing(1, "bad"));
  scope.spawn(after(0, 3));
  std::vector<scope_result<int>> results;
  scope.async_collect([&](std::vector<scope_result<int>> given) { results = std::move(given); });
  loop_.run_until([&] { return !results.empty(); });
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0].value, 1);
  EXPECT_EQ(test::text_of(results[1].error), "bad");
  EXPECT_FALSE(results[1].value);
  EXPECT_EQ(results[2].value, 3);
  EXPECT_EQ(results[2].index, 2u);
}

TEST_F(task_scope_shell, void_scope_collects_its_failures) {
  scope_options options;
  options.on_error = on_child_error::collect;
  task_scope<> scope(loop_.context, options);
  scope.spawn(after(1, 1));
  scope.spawn(failing(2, "bad"));
  scope.spawn(failing(1, "worse"));
  std::vector<scope_result<void>> results;
  scope.async_collect([&](auto given) { results = std::move(given); });
  loop_.run_until([&] { return !results.empty(); });
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].index, 2u);
  EXPECT_EQ(test::text_of(results[1].error), "bad");
  EXPECT_EQ(scope.snapshot().failed, 2u);
}

TEST_F(task_scope_shell, bounded_concurrency_is_kept) {
  scope_options options;
  options.max_concurrency = 3;
  task_scope<int> scope(loop_.context, options);
  int now = 0, most = 0;
  for (int i = 0; i != 20; ++i)
    scope.spawn([&now, &most, i]() -> asio::awaitable<int> {
      most = std::max(most, ++now);
      co_await after(i % 4, 0);
      --now;
      co_return i;
    });
  EXPECT_EQ(scope.snapshot().waiting, 17u);
  outcome<std::vector<int>> joined;
  scope.async_join(test::keep(joined));
  run_until_done(joined);
  EXPECT_EQ(most, 3);
  ASSERT_TRUE(joined.value);
  EXPECT_EQ(joined.value->size(), 20u);
}

TEST_F(task_scope_shell, cancelled_scope_withdraws_what_waits) {
  scope_options options;
  options.max_concurrency = 1;
  task_scope<> scope(loop_.context, options);
  int cancelled = 0;
  bool ran = false;
  scope.spawn(endless(&cancelled));
  scope.spawn([&]() -> asio::awaitable<void> {
    ran = true;
    co_return;
  });
  outcome<void> joined;
  scope.async_join(test::keep(joined));
  std::jthread other([&] { scope.request_cancel(); });
  run_until_done(joined);
  EXPECT_EQ(joined.code(), error::cancelled);
  EXPECT_EQ(cancelled, 1);
  EXPECT_FALSE(ran);
}

TEST_F(task_scope_shell, cancellation_that_came_too_late_changes_nothing) {
  task_scope<int> scope(loop_.context);
  scope.spawn(gate_->async_run([] { return 1; }));
  scope.request_cancel();
  outcome<std::vector<int>> joined;
  scope.async_join(test::keep(joined));
  run_until_done(joined);
  if (joined.error)
    EXPECT_EQ(joined.code(), error::cancelled);
  else
    EXPECT_EQ(joined.value, std::vector{1});
}

TEST_F(task_scope_shell, deadline_cancels_children_and_tokens) {
  block();
  scope_options options;
  options.deadline = 5ms;
  task_scope<> scope(loop_.context, options);
  int cancelled = 0;
  bool ran = false;
  scope.spawn(endless(&cancelled));
  scope.spawn(gate_->async_run([&] { ran = true; }));
  outcome<void> joined;
  scope.async_join(test::keep(joined));
  run_until_done(joined);
  EXPECT_EQ(joined.code(), error::deadline_passed);
  EXPECT_EQ(cancelled, 1);
  EXPECT_FALSE(ran);
}

/// An operation with a deadline of its own, as a token has.
struct timed_operation {
  std::chrono::steady_clock::time_point* seen;
  timed_operation&& no_later_than(std::chrono::steady_clock::time_point until) && {
    *seen = until;
    return std::move(*this);
  }
  template <class Handler>
  void operator()(Handler handler) && {
    auto const executor = handler.get_executor();
    asio::post(executor, [to = std::move(handler)]() mutable { to(std::exception_ptr()); });
  }
};

TEST_F(task_scope_shell, deadline_is_handed_to_operations_that_take_one) {
  task_scope<> scope(loop_.context, {.deadline = 1h});
  std::chrono::steady_clock::time_point seen{};
  scope.spawn(timed_operation{&seen});
  loop_.run_out();
  EXPECT_EQ(scope.deadline(), seen);
}

TEST_F(task_scope_shell, deadline_that_is_not_reached_lets_the_loop_end) {
  scope_options options;
  options.deadline = 1h;
  task_scope<int> scope(loop_.context, options);
  for (int round = 0; round != 3; ++round) {
    scope.spawn(after(2, round));
    loop_.run_out();
  }
  outcome<std::vector<int>> joined;
  scope.async_join(test::keep(joined));
  loop_.run_out();
  EXPECT_EQ(joined.value, (std::vector{0, 1, 2}));
  auto const inner = scope.nested({.deadline = 2h});
  EXPECT_LE(inner.deadline, 1h);
  EXPECT_EQ(scope.nested({.deadline = 1ms}).deadline, 1ms);
}

/// As that of the loop, but cannot tell its context while it fails.
class failing_executor {
 public:
  failing_executor(asio::io_context::executor_type to, bool const& fails)
      : inner_(to), fails_(&fails) {}
  template <class F>
  void execute(F&& function) const {
    asio::post(inner_, std::forward<F>(function));
  }
  asio::execution_context& query(asio::execution::context_t) const {
    if (*fails_) throw std::bad_alloc();
    return inner_.context();
  }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  bool operator==(failing_executor const&) const noexcept = default;

 private:
  asio::io_context::executor_type inner_;
  bool const* fails_;
};

TEST_F(task_scope_shell, deadline_that_could_not_be_watched_is_watched_for_the_next_child) {
  bool fails = false;
  asio::strand<asio::any_io_executor> const strand(failing_executor(loop_.executor(), fails));
  task_scope<> scope(strand, {.on_error = on_child_error::collect, .deadline = 0ns});
  int cancelled = 0;
  fails = true;
  EXPECT_TRUE(scope.spawn(endless(&cancelled)));
  fails = false;
  EXPECT_EQ(scope.snapshot().failed, 1u);
  scope.spawn(endless(&cancelled));
  outcome<void> joined;
  scope.async_join(test::keep(joined));
  run_until_done(joined);
  EXPECT_TRUE(scope.cancelled());
  EXPECT_EQ(cancelled, 1);
}

TEST_F(task_scope_shell, cancelled_join_cancels_the_children_and_waits_for_them) {
  int cancelled = 0;
  plain.spawn(endless(&cancelled));
  asio::cancellation_signal signal;
  outcome<void> joined;
  plain.async_join(asio::bind_cancellation_slot(signal.slot(), test::keep(joined)));
  loop_.poll();
  signal.emit(asio::cancellation_type::partial);
  EXPECT_FALSE(joined.done());
  run_until_done(joined);
  EXPECT_EQ(joined.code(), error::cancelled);
  EXPECT_EQ(cancelled, 1);
}

TEST_F(task_scope_shell, dropped_scope_with_children_cancels_them_and_says_so) {
  test::quiet_log log;
  int cancelled = 0;
  {
    task_scope<> dropped(loop_.context);
    dropped.spawn(endless(&cancelled));
  }
  EXPECT_NE(log.text().find("no join"), std::string::npos) << log.text();
  loop_.run_out();
  EXPECT_EQ(cancelled, 1);
}

TEST_F(task_scope_shell, scope_may_be_dropped_while_a_join_waits) {
  test::quiet_log log;
  outcome<std::vector<int>> joined;
  {
    task_scope<int> scope(loop_.context);
    scope.spawn(after(3, 8));
    scope.async_join(test::keep(joined));
  }
  run_until_done(joined);
  EXPECT_EQ(joined.value, std::vector{8});
  EXPECT_EQ(log.text(), "");
}

TEST_F(task_scope_shell, join_works_with_every_completion_token) {
  plain.spawn(after(1, 0));
  auto future = plain.async_join(asio::use_future);
  loop_.run_out();
  future.get();
  plain.spawn(after(1, 0));
  plain.async_join(asio::detached);
  asio::any_completion_handler<void(std::exception_ptr)> erased(
      asio::bind_executor(loop_.executor(), [](std::exception_ptr) {}));
  plain.async_join(std::move(erased));
  loop_.run_out();
  run_coroutine([](task_scope<>* scope) -> asio::awaitable<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    scope->spawn(after(2, 0));
    auto either = scope->async_join(asio::use_awaitable) || timer.async_wait(asio::use_awaitable);
    auto const first = co_await std::move(either);
    EXPECT_EQ(first.index(), 0u);
    scope->spawn(after(2, 0));
    auto join = scope->async_join();
    auto [error] = co_await std::move(join)(asio::as_tuple(asio::use_awaitable));
    EXPECT_FALSE(error);
  }(&plain));
}

// --- with_scope

asio::awaitable<void> spawn_squares(task_scope<int>& scope, std::vector<int>& of) {
  for (int const& each : of)
    scope.spawn([&each]() -> asio::awaitable<int> { co_return each* each; });
  co_return;
}

TEST_F(task_scope_shell, with_scope_gives_the_values_of_the_children) {
  run_coroutine([]() -> asio::awaitable<void> {
    std::vector<int> numbers{1, 2, 3};
    auto const squares = co_await with_scope<int>(spawn_squares, numbers);
    EXPECT_EQ(squares, (std::vector{1, 4, 9}));
    auto const bounded = co_await with_scope<int>({.max_concurrency = 1}, spawn_squares, numbers);
    EXPECT_EQ(bounded, (std::vector{1, 4, 9}));
  }());
}

TEST_F(task_scope_shell, with_scope_gives_what_the_body_gives) {
  run_coroutine([]() -> asio::awaitable<void> {
    auto body = [](task_scope<int>& scope) -> asio::awaitable<std::string> {
      scope.spawn(after(1, 4));
      auto join = scope.async_join();
      auto const values = co_await std::move(join);
      co_return std::to_string(values.at(0));
    };
    auto const text = co_await with_scope<int>(body);
    EXPECT_EQ(text, "4");
  }());
}

TEST_F(task_scope_shell, unwinding_body_takes_its_children_along) {
  int cancelled = 0;
  run_coroutine([](int* count) -> asio::awaitable<void> {
    auto body = [count](task_scope<>& scope) -> asio::awaitable<void> {
      scope.spawn(endless(count));
      scope.spawn(endless(count));
      co_await after(1, 0);
      throw std::runtime_error("body");
    };
    std::string text;
    try {
      co_await with_scope(body);
    } catch (std::runtime_error const& caught) {
      text = caught.what();
    }
    EXPECT_EQ(text, "body");
    EXPECT_EQ(*count, 2) << "both had ended before the exception came out";
  }(&cancelled));
}

TEST_F(task_scope_shell, cancelled_caller_waits_for_the_children) {
  int cancelled = 0;
  run_coroutine([](int* count) -> asio::awaitable<void> {
    auto idle = [count](task_scope<>& scope) -> asio::awaitable<void> {
      scope.spawn(endless(count));
      co_return;
    };
    auto busy = [count](task_scope<>& scope) -> asio::awaitable<void> {
      scope.spawn(endless(count));
      co_await endless(count);
    };
    for (bool joining : {true, false}) {
      *count = 0;
      asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
      auto scope = joining ? with_scope(idle) : with_scope(busy);
      auto either = std::move(scope) || timer.async_wait(asio::use_awaitable);
      auto const first = co_await std::move(either);
      EXPECT_EQ(first.index(), 1u);
      EXPECT_EQ(*count, joining ? 1 : 2);
    }
  }(&cancelled));
}

TEST_F(task_scope_shell, nested_scopes_are_cancelled_from_the_outside) {
  int cancelled = 0;
  run_coroutine([](int* count) -> asio::awaitable<void> {
    auto inner = [](task_scope<>& scope, int*& to) -> asio::awaitable<void> {
      scope.spawn(endless(to));
      co_return;
    };
    auto outer = [&](task_scope<>& scope) -> asio::awaitable<void> {
      EXPECT_LE(scope.nested().deadline, 5ms);
      for (int i = 0; i != 3; ++i) scope.spawn(with_scope(scope.nested(), inner, count));
      co_return;
    };
    boost::system::error_code code;
    try {
      co_await with_scope({.deadline = 5ms}, outer);
    } catch (boost::system::system_error const& caught) {
      code = caught.code();
    }
    EXPECT_EQ(code, error::deadline_passed);
    EXPECT_EQ(*count, 3);
  }(&cancelled));
}

class task_scope_of_a_dead_loop : public testing::TestWithParam<int> {};

TEST_P(task_scope_of_a_dead_loop, children_go_with_their_context) {
  test::quiet_log log;
  int cancelled = 0;
  bool called = false;
  auto context = std::make_unique<asio::io_context>(GetParam());
  asio::co_spawn(
      *context,
      [](int* count) -> asio::awaitable<void> {
        auto body = [count](task_scope<>& scope) -> asio::awaitable<void> {
          scope.spawn(endless(count));
          scope.spawn(endless(count));
          co_await endless(count);
        };
        co_await with_scope({.deadline = 1h, .max_concurrency = 1}, body);
      }(&cancelled),
      asio::detached);
  task_scope<int> kept(*context);
  kept.spawn(endless(&cancelled));
  kept.async_join([&](std::exception_ptr, std::vector<int>) { called = true; });
  context->poll();
  context.reset();
  EXPECT_EQ(cancelled, 0);
  EXPECT_FALSE(called);
  EXPECT_EQ(kept.snapshot().live, 0u);
  EXPECT_FALSE(kept.spawn(endless(&cancelled)));
  EXPECT_EQ(log.text(), "");
}

TEST_P(task_scope_of_a_dead_loop, child_that_waits_is_not_started_there) {
  test::quiet_log log;
  int cancelled = 0;
  bool ran = false;
  auto context = std::make_unique<asio::io_context>(GetParam());
  task_scope<> kept(*context, {.on_error = on_child_error::collect, .max_concurrency = 1});
  kept.spawn(endless(&cancelled));
  kept.spawn([&ran](auto&& handler) {
    ran = true;
    std::move(handler)(std::exception_ptr());
  });
  kept.spawn(endless(&cancelled));
  context->poll();
  context.reset();
  EXPECT_FALSE(ran);
  EXPECT_EQ(cancelled, 0);
  EXPECT_EQ(kept.snapshot().live, 0u);
  EXPECT_EQ(kept.snapshot().failed, 3u);
}

// For one thread, where children share the executor, and for several, where each has a strand.
INSTANTIATE_TEST_SUITE_P(threads, task_scope_of_a_dead_loop, testing::Values(1, 2));

}  // namespace
}  // namespace tokengate
