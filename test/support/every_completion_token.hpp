// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <functional>

#include "support/gate_fixture.hpp"
#include "support/patience.hpp"
#include "support/tracking_allocator.hpp"
#include "support/tracking_executor.hpp"

/// @file
/// Every operation that can be awaited takes every completion token: a table of operations per test
/// file, and this list of tokens. A kind of operation is made of a gate; operation(i) gives a lazy
/// one, right(i, result...) judges what comes of it. Tokens of a gate: completion_token_test.cpp.

namespace tokengate::test {

/// The handler of an operation with or without a value.
template <class Kind>
struct judge {
  Kind* kind;
  int number;
  int* calls;
  std::function<bool()> in_place{};  ///< whether all is as what the handler is bound to asks for
  template <class... Value>
  void operator()(std::exception_ptr failed, Value const&... value) {
    ++*calls;
    EXPECT_TRUE(!in_place || in_place());
    EXPECT_EQ(text_of(failed), "");
    if (failed) return;
    EXPECT_TRUE(kind->right(number, value...));
  }
};

template <class Signature>
struct value_of_signature;
template <class T>
struct value_of_signature<void(std::exception_ptr, T)> {
  using type = T;
};
template <>
struct value_of_signature<void(std::exception_ptr)> {
  using type = void;
};

template <class Kind>
class every_completion_token : public gate_fixture {
 public:
  using operation = decltype(std::declval<Kind&>().operation(0));
  using signature = typename operation::completion_signature;
  using value = typename value_of_signature<signature>::type;

  void prove();

 private:
  void prove_binders();
  void run_judged() {
    loop_.run_until([&] { return calls_ == 1; });
    calls_ = 0;
  }
  judge<Kind> judged(std::function<bool()> in_place = {}) {
    return {&*kind_, number_, &calls_, std::move(in_place)};
  }
  operation next() { return kind_->operation(++number_); }
  void TearDown() override {
    kind_.reset();
    gate_fixture::TearDown();
  }

  /// By `co_await` alone, or with use_awaitable.
  asio::awaitable<bool> awaited(bool plainly) {
    auto one = next();
    int const number = number_;
    if constexpr (std::is_void_v<value>) {
      if (plainly)
        co_await std::move(one);
      else
        co_await std::move(one)(asio::use_awaitable);
      co_return kind_->right(number);
    } else {
      value got{};
      if (plainly)
        got = co_await std::move(one);
      else
        got = co_await std::move(one)(asio::use_awaitable);
      co_return kind_->right(number, got);
    }
  }

  asio::awaitable<void> awaited_as_tuple() {
    auto one = next();
    auto const got = co_await std::move(one)(asio::as_tuple(asio::use_awaitable));
    std::apply(judged(), got);
  }
  asio::awaitable<void> deferred_as_tuple() {
    auto one = next();
    auto later = std::move(one)(asio::as_tuple(asio::deferred));
    auto const got = co_await std::move(later);
    std::apply(judged(), got);
  }

  std::optional<Kind> kind_{std::in_place, *gate_};
  int number_ = 0;
  int calls_ = 0;
};

/// Under awaitable_operators, which know nothing of the operations behind the awaitables. Compiled
/// once, in every_completion_token_test.cpp.
asio::awaitable<void> await_together(asio::awaitable<bool> plain, asio::awaitable<bool> both,
                                     asio::awaitable<bool> either);

template <class Kind>
void every_completion_token<Kind>::prove() {
  {
    SCOPED_TRACE("detached");
    if constexpr (std::is_void_v<value>) {
      next()(asio::detached);
      loop_.run_until([&] { return kind_->right(number_); });
    } else {
      tracking_executor const here(loop_.executor());
      next()(asio::bind_executor(here, asio::detached));
      loop_.run_until([&] { return here.executed() != 0; });
      loop_.poll();
    }
  }  // what it took it let go, or what follows goes wrong
  {
    SCOPED_TRACE("callback");
    next()(judged());
    run_judged();
  }
  {
    SCOPED_TRACE("use_future");
    auto future = next()(asio::use_future);
    ASSERT_TRUE(poll_until([&] {  // it is given by another thread
      loop_.poll();
      return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }));
    if constexpr (std::is_void_v<value>)
      future.get();
    else
      EXPECT_TRUE(kind_->right(number_, future.get()));
  }
  {
    SCOPED_TRACE("deferred");
    auto later = next()(asio::deferred);
    std::move(later)(judged());
    run_judged();
  }
  {
    SCOPED_TRACE("any_completion_handler");
    auto one = next();
    asio::any_completion_handler<signature> erased(asio::bind_executor(loop_.executor(), judged()));
    std::move(one)(std::move(erased));
    run_judged();
  }
  {
    SCOPED_TRACE("parallel_group");
    asio::steady_timer timer(loop_.context, std::chrono::hours(1));
    asio::experimental::make_parallel_group(next()(asio::deferred),
                                            timer.async_wait(asio::deferred))
        .async_wait(asio::experimental::wait_for_one(),
                    [judged = judged()](std::array<std::size_t, 2> const& order,
                                        std::exception_ptr failed, auto const&... rest) mutable {
                      EXPECT_EQ(order[0], 0u);
                      if constexpr (sizeof...(rest) == 1)
                        judged(failed);
                      else
                        judged(failed, std::get<0>(std::tie(rest...)));
                    });
    run_judged();
  }
  {
    SCOPED_TRACE("co_await, use_awaitable, awaitable_operators");
    run_coroutine(await_together(awaited(true), awaited(false), awaited(false)));
  }
  {
    SCOPED_TRACE("as_tuple");
    run_coroutine(awaited_as_tuple());
    run_coroutine(deferred_as_tuple());
    EXPECT_EQ(std::exchange(calls_, 0), 2);
  }
  prove_binders();
}

template <class Kind>
void every_completion_token<Kind>::prove_binders() {
  {
    SCOPED_TRACE("bind_executor, a strand");
    auto const strand = asio::make_strand(loop_.context);
    next()(asio::bind_executor(asio::any_io_executor(strand),
                               judged([strand] { return strand.running_in_this_thread(); })));
    run_judged();
  }
  {
    SCOPED_TRACE("bind_executor, another loop");
    loop other;
    auto const there = other.executor();
    next()(asio::bind_executor(asio::any_io_executor(there),
                               judged([there] { return there.running_in_this_thread(); })));
    EXPECT_TRUE(poll_until([&] {
      loop_.poll();
      other.poll();
      return calls_ != 0;
    }));
    EXPECT_EQ(std::exchange(calls_, 0), 1);
  }
  {
    SCOPED_TRACE("bind_cancellation_slot");
    asio::cancellation_signal signal;
    next()(asio::bind_cancellation_slot(
        signal.slot(), judged([slot = signal.slot()] { return !slot.has_handler(); })));
    EXPECT_TRUE(signal.slot().has_handler());
    run_judged();
  }
  {
    SCOPED_TRACE("bind_allocator");
    allocation_book book;
    next()(asio::bind_allocator(tracking_allocator<void>(book),
                                judged([&book] { return book.live_bytes() == 0; })));
    EXPECT_NE(book.allocations(), 0);
    run_judged();
  }
}

}  // namespace tokengate::test
