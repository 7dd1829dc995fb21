// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// What users of Asio met, by the numbers of chriskohlhoff/asio, with the types that spare them it.
// Those of channels (1041, 1241, 1318, 1575, 1576) are in channel_test.cpp.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>

#include "support/gate_fixture.hpp"
#include "tokengate/async_mutex.hpp"
#include "tokengate/when.hpp"
#include "tokengate/with_scope.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;
using pool_strand = asio::strand<asio::thread_pool::executor_type>;

/// How long something takes that is to coincide with something else.
std::chrono::microseconds about(int round) {
  return std::chrono::microseconds(40 + round % 7);
}

asio::awaitable<void> pause(std::chrono::microseconds span) {
  asio::steady_timer timer(co_await asio::this_coro::executor, span);
  co_await timer.async_wait(asio::use_awaitable);
}
/// With an exception that is never destroyed: libstdc++ counts its holders unseen by
/// ThreadSanitizer.
asio::awaitable<void> fail_after(std::chrono::microseconds span) {
  co_await pause(span);
  std::rethrow_exception(make_exception(error::killed));
}
boost::system::error_code end_of(std::future<void>&& running) {
  try {
    running.get();
  } catch (boost::system::system_error const& caught) {
    return caught.code();
  }
  return {};
}

// --- 935: a lock that a coroutine may hold across a co_await; a strand is none ---

struct section {
  async_mutex mutex;
  std::atomic<int> inside{0};
  int entered = 0;  ///< guarded by the mutex alone
};

asio::awaitable<void> enter(section* in, int times) {
  for (int i = 0; i != times; ++i) {
    auto held = co_await in->mutex.async_lock();
    EXPECT_EQ(in->inside.fetch_add(1), 0) << "somebody came between";
    ++in->entered;
    if (i % 2 == 0) co_await pause(1us);
    co_await asio::post(asio::use_awaitable);
    in->inside.fetch_sub(1);
  }
}

TEST(asio_935, mutex_is_held_across_a_co_await_on_several_threads) {
  asio::thread_pool pool(3);
  section in{async_mutex(pool.get_executor())};
  for (int i = 0; i != 6; ++i)
    asio::co_spawn(i % 2 == 0 ? asio::any_io_executor(asio::make_strand(pool))
                              : asio::any_io_executor(pool.get_executor()),
                   enter(&in, 50), asio::detached);
  pool.join();
  EXPECT_EQ(in.entered, 300);
}

// --- 1029: cancelled from one strand, the slot of an operation on another one is called there ---

struct places {
  std::atomic<int> own{0};
  std::atomic<int> foreign{0};
};

/// A wait that notes on which executor it is cancelled.
template <class CompletionToken>
auto async_probe(asio::any_io_executor on, std::chrono::microseconds span, places* seen,
                 CompletionToken&& token) {
  return asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
      [](auto handler, asio::any_io_executor on, std::chrono::microseconds span, places* seen) {
        auto const timer = std::make_shared<asio::steady_timer>(on, span);
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected())
          slot.assign([on, timer, seen](asio::cancellation_type) {
            bool const own = on.target<pool_strand>()->running_in_this_thread();
            ++(own ? seen->own : seen->foreign);
            timer->cancel();
          });
        timer->async_wait(
            [timer, slot, handler = std::move(handler)](boost::system::error_code ended) mutable {
              if (slot.is_connected()) slot.clear();
              std::move(handler)(ended);
            });
      },
      token, on, span, seen);
}

asio::awaitable<void> probe(std::chrono::microseconds span, places* seen) {
  auto const executor = co_await asio::this_coro::executor;
  co_await async_probe(executor, span, seen, asio::use_awaitable);
}
/// An operation on a strand of its own, in a coroutine that a scope of another strand waits for.
asio::awaitable<void> family(int round, places* seen) {
  auto inner = [round, seen](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(probe(about(round), seen));
    co_await probe(1h, seen);
  };
  auto outer = [round, seen, inner](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(with_scope(inner));
    scope.spawn(probe(about(round), seen));
    scope.spawn(fail_after(about(round / 7)));
    co_await probe(1h, seen);
  };
  co_await with_scope(outer);
}

TEST(asio_1029, slots_are_called_on_the_executor_of_their_operation) {
  asio::thread_pool pool(3);
  places seen;
  for (int round = 0; round != 300; ++round) {
    auto ended = asio::co_spawn(asio::make_strand(pool), family(round, &seen), asio::use_future);
    ASSERT_EQ(end_of(std::move(ended)), error::killed);
  }
  EXPECT_EQ(seen.foreign, 0);
  EXPECT_GE(seen.own, 600) << "two bodies were cancelled each time";
}

// --- 1348: a && b on a pool of threads without a strand is a race ---

asio::awaitable<int> give(std::chrono::microseconds span, int value) {
  if (span != 0us) co_await pause(span);
  co_return value;
}
asio::awaitable<void> wait_for_both(int round) {
  auto body = [round](task_scope<int>& scope) -> asio::awaitable<void> {
    scope.spawn(give(about(round), 1));
    scope.spawn(give(0us, 2));
    co_return;
  };
  auto const both = co_await with_scope<int>(body);
  EXPECT_EQ(both, (std::vector{1, 2}));
}

TEST(asio_1348, children_on_several_threads_are_waited_for_without_a_strand) {
  asio::thread_pool pool(3);
  for (int round = 0; round != 300; ++round) {
    auto ended = asio::co_spawn(pool, wait_for_both(round), asio::use_future);
    ASSERT_EQ(end_of(std::move(ended)), boost::system::error_code());
  }
}

TEST(asio_1348, values_from_several_threads_are_waited_for_without_a_strand) {
  asio::thread_pool pool(3);
  for (int round = 0; round != 300; ++round) {
    promise<int> first(pool.get_executor()), second(pool.get_executor());
    std::vector<flow_var<int>> of;
    of.push_back(first.get_flow_var());
    of.push_back(second.get_flow_var());
    auto waiting = [&of]() -> asio::awaitable<void> {
      auto all = when_all(of);
      auto values = co_await std::move(all);
      EXPECT_EQ(values.at(0).get() + values.at(1).get(), 3);
    };
    auto ended = asio::co_spawn(pool, waiting, asio::use_future);
    asio::post(pool, [&] { first.set_value(1); });
    asio::post(pool, [&] { second.set_value(2); });
    ASSERT_EQ(end_of(std::move(ended)), boost::system::error_code());
  }
}

// --- 1400 (and 1332): a cancellation on its way to a coroutine that ends by itself meanwhile ---

asio::awaitable<void> ends_at_that_moment(int round) {
  auto inner = [round](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(pause(about(round)));
    co_await pause(about(round / 3));
  };
  auto body = [round, inner](task_scope<>& scope) -> asio::awaitable<void> {
    scope.spawn(fail_after(about(round / 5)));
    scope.spawn(pause(about(round)));
    scope.spawn(with_scope(inner));
    co_await pause(about(round / 2));
  };
  co_await with_scope(body);
}

TEST(asio_1400, coroutine_may_end_while_it_is_being_cancelled) {
  for (bool strands : {false, true}) {
    asio::thread_pool pool(3);
    for (int round = 0; round != 300; ++round) {
      auto const on = strands ? asio::any_io_executor(asio::make_strand(pool))
                              : asio::any_io_executor(pool.get_executor());
      auto ended = asio::co_spawn(on, ends_at_that_moment(round), asio::use_future);
      ASSERT_EQ(end_of(std::move(ended)), error::killed);
    }
  }
}

TEST(asio_1400, token_may_end_while_another_thread_stops_it) {
  worker_pool workers(small_pool());
  asio::thread_pool pool(1);
  gate through(pool.get_executor(), workers);
  for (int round = 0; round != 500; ++round) {
    std::stop_source stop;
    auto lazy = through.async_run([] { return 1; }).stop_on(stop.get_token());
    auto ended = std::move(lazy)(asio::use_future);
    std::jthread stopper([&] {
      for (int i = round % 100; i != 0; --i) detail::std_sync::spin_hint();
      stop.request_stop();
    });
    try {
      ASSERT_EQ(ended.get(), 1);
    } catch (boost::system::system_error const& caught) {
      ASSERT_EQ(caught.code(), error::cancelled);
    }
  }
  pool.join();
}

}  // namespace
}  // namespace tokengate::test
