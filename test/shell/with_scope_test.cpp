// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The body of with_scope() is cancelled with the children: by the first failure, by the deadline,
// by the caller.
#include "tokengate/with_scope.hpp"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <string>

#include "support/gate_fixture.hpp"
#include "tokengate/channel.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

asio::awaitable<void> turns(int count) {
  auto const executor = co_await asio::this_coro::executor;
  for (int i = 0; i != count; ++i) co_await asio::post(executor, asio::use_awaitable);
}
asio::awaitable<void> failing(int after, char const* text) {
  co_await turns(after);
  throw std::runtime_error(text);
}
/// Waits until it is cancelled, and counts that.
asio::awaitable<void> endless(int* cancelled) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  boost::system::error_code ended;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  if (ended == asio::error::operation_aborted) ++*cancelled;
  throw boost::system::system_error(ended);
}

/// What a scope with this body throws.
template <class Body>
asio::awaitable<std::exception_ptr> thrown_by(scope_options options, Body body) {
  std::exception_ptr failed;
  try {
    co_await with_scope(options, body);
  } catch (...) {
    failed = std::current_exception();
  }
  co_return failed;
}

class with_scope_body : public gate_fixture {
 public:
  template <class Body>
  std::exception_ptr run(scope_options const& options, Body body) {
    std::optional<std::exception_ptr> ended;
    asio::co_spawn(loop_.context, thrown_by(options, body),
                   [&](std::exception_ptr error, std::exception_ptr thrown) {
                     EXPECT_FALSE(error);
                     ended = thrown;
                   });
    loop_.run_until([&] { return ended.has_value(); });
    return ended.value_or(nullptr);
  }
  int cancelled_ = 0;
};

TEST_F(with_scope_body, that_waits_for_results_of_a_child_that_fails_is_cancelled) {
  channel<int> results(loop_.executor(), 4);
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(endless(&cancelled_));
    scope.spawn(failing(3, "child"));
    co_await results.async_receive();
    ADD_FAILURE() << "no result ever comes";
  };
  EXPECT_EQ(text_of(run({}, body)), "child");
  EXPECT_EQ(cancelled_, 1);
}

TEST_F(with_scope_body, of_a_lone_child_that_fails_is_cancelled_and_the_scope_takes_no_more) {
  bool taken = true;
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(failing(3, "lone"));
    std::exception_ptr failed;
    try {
      co_await endless(&cancelled_);
    } catch (...) {
      failed = std::current_exception();
    }
    taken = scope.spawn(turns(1));
    std::rethrow_exception(failed);
  };
  EXPECT_EQ(text_of(run({}, body)), "lone");
  EXPECT_EQ(cancelled_, 1);
  EXPECT_FALSE(taken);
}

TEST_F(with_scope_body, is_cancelled_by_the_deadline_without_any_child) {
  auto body = [&](task_scope<>&) -> asio::awaitable<void> { co_await endless(&cancelled_); };
  EXPECT_EQ(code_of(run({.deadline = 2ms}, body)), error::deadline_passed);
  EXPECT_EQ(code_of(run({.deadline = 0ns}, body)), error::deadline_passed);
  EXPECT_EQ(code_of(run({.on_error = on_child_error::collect, .deadline = 2ms}, body)),
            error::deadline_passed);
  EXPECT_GE(cancelled_, 2);
}

TEST_F(with_scope_body, is_cancelled_by_the_deadline_between_children_and_beside_them) {
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(turns(1));
    co_await scope.async_join();  // the scope is idle from here on
    scope.request_cancel();       // and of no help any more
    co_await endless(&cancelled_);
  };
  EXPECT_EQ(code_of(run({.deadline = 2ms}, body)), error::deadline_passed);
  EXPECT_EQ(cancelled_, 1);
  auto beside = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(endless(&cancelled_));
    co_await endless(&cancelled_);
  };
  EXPECT_EQ(code_of(run({.deadline = 2ms}, beside)), error::deadline_passed);
  EXPECT_EQ(cancelled_, 3);
}

TEST_F(with_scope_body, that_ends_before_the_deadline_leaves_nothing_behind) {
  auto body = [](task_scope<>&) -> asio::awaitable<void> { co_await turns(2); };
  EXPECT_FALSE(run({.deadline = 1h}, body));
  loop_.run_out();  // no watch keeps it
  auto failed = [](task_scope<>&) { return failing(1, "own"); };
  EXPECT_EQ(text_of(run({.deadline = 1h}, failed)), "own");
  loop_.run_out();
}

TEST_F(with_scope_body, that_joins_gets_the_error_of_the_child) {
  std::string joined;
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(failing(2, "child"));
    scope.spawn(endless(&cancelled_));
    auto join = scope.async_join();
    auto [failed] = co_await std::move(join)(asio::as_tuple(asio::use_awaitable));
    joined = text_of(failed);
    co_await turns(1);  // cancelled, so it ends here
    ADD_FAILURE();
  };
  EXPECT_EQ(text_of(run({}, body)), "child") << "though the body has taken it from the scope";
  EXPECT_EQ(joined, "child");
}

TEST_F(with_scope_body, that_catches_and_goes_on_may_do_so) {
  bool at_the_end = false;
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(failing(2, "child"));
    try {
      co_await endless(&cancelled_);
    } catch (boost::system::system_error const&) {
    }
    co_await asio::this_coro::reset_cancellation_state();
    co_await turns(3);
    at_the_end = true;
  };
  EXPECT_EQ(text_of(run({}, body)), "child");
  EXPECT_TRUE(at_the_end);

  auto deaf = [&](task_scope<>& scope) -> asio::awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    scope.spawn(failing(1, "child"));
    co_await turns(20);
    at_the_end = false;
  };
  EXPECT_EQ(text_of(run({}, deaf)), "child");
  EXPECT_FALSE(at_the_end);

  auto own = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(failing(2, "child"));
    try {
      co_await endless(&cancelled_);
    } catch (boost::system::system_error const&) {
      throw std::logic_error("what it means");
    }
  };
  EXPECT_EQ(text_of(run({}, own)), "what it means");
}

TEST_F(with_scope_body, in_a_race_is_cancelled_too) {
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(failing(2, "child"));
    auto race = endless(&cancelled_) || endless(&cancelled_);
    co_await std::move(race);
  };
  EXPECT_EQ(text_of(run({}, body)), "child") << "not multiple_exceptions";
  EXPECT_EQ(cancelled_, 2);
}

TEST_F(with_scope_body, of_a_collecting_scope_and_one_that_cancels_children_itself_goes_on) {
  bool at_the_end = false;
  auto collects = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(failing(0, "child"));
    co_await turns(9);
    at_the_end = true;
  };
  EXPECT_EQ(text_of(run({.on_error = on_child_error::collect}, collects)), "child");
  EXPECT_TRUE(at_the_end);
  auto has_enough = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(endless(&cancelled_));
    co_await turns(2);
    scope.request_cancel();
    co_await turns(9);
    at_the_end = false;
  };
  EXPECT_EQ(code_of(run({}, has_enough)), error::cancelled) << "of the child";
  EXPECT_FALSE(at_the_end);
}

TEST_F(with_scope_body, is_cancelled_by_a_child_that_fails_inside_spawn) {
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn([](auto&& handler) {
      std::move(handler)(std::make_exception_ptr(std::runtime_error("at once")));
    });
    co_await endless(&cancelled_);
    ADD_FAILURE();
  };
  EXPECT_EQ(text_of(run({}, body)), "at once");
}

TEST_F(with_scope_body, and_child_that_are_cancelled_before_they_suspend_end_in_order) {
  auto at_once = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.request_cancel();
    co_await endless(&cancelled_);
  };
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn([&at_once, &scope] { return at_once(scope); });
    co_return;
  };
  EXPECT_EQ(code_of(run({}, body)), error::cancelled);
  int bodies = 0;
  auto before = [&](task_scope<>&) -> asio::awaitable<void> {
    ++bodies;
    co_await endless(&cancelled_);
  };
  asio::cancellation_signal signal;
  std::optional<std::exception_ptr> ended;
  auto caller = [&]() -> asio::awaitable<void> {
    co_await turns(1);
    signal.emit(asio::cancellation_type::terminal);
    co_await with_scope(before);
  };
  asio::co_spawn(loop_.context, caller,
                 asio::bind_cancellation_slot(signal.slot(),
                                              [&](std::exception_ptr error) { ended = error; }));
  loop_.run_until([&] { return ended.has_value(); });
  EXPECT_EQ(code_of(*ended), asio::error::operation_aborted);
  EXPECT_EQ(bodies, 0);
}

TEST_F(with_scope_body, is_cancelled_by_a_token_that_fails_on_its_worker) {
  blocker inside;
  channel<int> results(loop_.executor(), 4);
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(gate_->async_run([&] {
      inside.stay();
      throw std::runtime_error("token");
    }));
    scope.spawn(endless(&cancelled_));
    inside.release();
    co_await results.async_receive();
  };
  EXPECT_EQ(text_of(run({}, body)), "token");
  EXPECT_EQ(cancelled_, 1);
}

TEST_F(with_scope_body, and_children_are_cancelled_by_the_caller_at_once) {
  channel<int> from_child(loop_.executor(), 4);
  std::string order;
  auto child = [&]() -> asio::awaitable<void> {
    try {
      co_await endless(&cancelled_);
    } catch (boost::system::system_error const&) {
    }
    order += "child ";
    from_child.close();
  };
  auto body = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(child);
    co_await asio::this_coro::throw_if_cancelled(false);
    for (;;) {  // deaf: only the child can end it
      auto [failed, item] = co_await from_child.async_receive(asio::as_tuple(asio::use_awaitable));
      if (code_of(failed) == error::closed) break;
    }
    order += "body";
  };
  run_coroutine([](test::loop* loop, decltype(body)* body) -> asio::awaitable<void> {
    asio::steady_timer timer(loop->context, 1ms);
    auto either = with_scope(*body) || timer.async_wait(asio::use_awaitable);
    auto const first = co_await std::move(either);
    EXPECT_EQ(first.index(), 1u);
  }(&loop_, &body));
  EXPECT_EQ(order, "child body");
}

TEST_F(with_scope_body, of_a_caller_that_is_cancelled_already_hears_of_it) {
  asio::cancellation_signal signal;
  std::optional<std::exception_ptr> ended;
  bool seen = false;
  auto body = [&](task_scope<>&) -> asio::awaitable<void> {
    auto const state = co_await asio::this_coro::cancellation_state;
    seen = state.cancelled() != asio::cancellation_type::none;
  };
  auto caller = [&]() -> asio::awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await turns(1);
    signal.emit(asio::cancellation_type::terminal);
    co_await with_scope(body);
    bool const throws = co_await asio::this_coro::throw_if_cancelled();
    EXPECT_FALSE(throws) << "as it was";
  };
  asio::co_spawn(loop_.context, caller,
                 asio::bind_cancellation_slot(signal.slot(),
                                              [&](std::exception_ptr error) { ended = error; }));
  loop_.run_until([&] { return ended.has_value(); });
  EXPECT_EQ(text_of(*ended), "");
  EXPECT_TRUE(seen);
}

TEST_F(with_scope_body, gets_the_kinds_of_cancellation_that_the_caller_allows) {
  for (bool allowed : {false, true}) {
    asio::cancellation_signal signal;
    std::optional<std::exception_ptr> ended;
    channel<int> never(loop_.executor(), 4);
    auto body = [&](task_scope<>&) -> asio::awaitable<void> { co_await never.async_receive(); };
    auto caller = [&]() -> asio::awaitable<void> {
      if (allowed)
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
      co_await with_scope(body);
    };
    asio::co_spawn(loop_.context, caller,
                   asio::bind_cancellation_slot(signal.slot(),
                                                [&](std::exception_ptr error) { ended = error; }));
    loop_.poll();
    signal.emit(asio::cancellation_type::total);
    loop_.poll();
    EXPECT_EQ(ended.has_value(), allowed);
    if (!allowed) never.close();
    loop_.run_until([&] { return ended.has_value(); });
    EXPECT_EQ(code_of(*ended), allowed ? error::cancelled : error::closed);
  }
}

TEST_F(with_scope_body, of_an_inner_scope_is_cancelled_through_its_child) {
  auto inner = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(endless(&cancelled_));
    co_await endless(&cancelled_);
  };
  auto outer = [&](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(with_scope(inner));
    scope.spawn(failing(5, "sibling"));
    co_await with_scope(inner);
  };
  EXPECT_EQ(text_of(run({}, outer)), "sibling");
  EXPECT_EQ(cancelled_, 4);
}

}  // namespace
}  // namespace tokengate::test
