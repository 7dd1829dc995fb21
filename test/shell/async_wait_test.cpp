// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// How a wait ends on its executor: delivery, cancellation, deadline, end of the context.
#include "tokengate/impl/async_wait.hpp"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <functional>
#include <thread>
#include <vector>

#include "support/loop.hpp"
#include "support/manual_event.hpp"
#include "support/patience.hpp"
#include "support/tracking_allocator.hpp"
#include "support/tracking_executor.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

class async_wait : public testing::Test {
 public:
  void TearDown() override { loop_.run_out(); }

  template <class T>
  void run_until_done(outcome<T> const& of) {
    loop_.run_until([&] { return of.done(); });
  }
  loop loop_;
  manual_event event_{loop_.executor()};
};

TEST_F(async_wait, decided_already_is_not_called_inside_the_initiation) {
  event_.set();
  outcome<int> got;
  asio::post(loop_.context, [&] {
    event_.async_take(keep(got));
    EXPECT_FALSE(got.done());
  });
  run_until_done(got);
  EXPECT_EQ(got.value, 1);
}

TEST_F(async_wait, decided_later_is_not_called_inside_the_waker) {
  outcome<int> got;
  event_.async_take(keep(got));
  asio::post(loop_.context, [&] {
    event_.set();
    EXPECT_FALSE(got.done());
  });
  run_until_done(got);
  EXPECT_EQ(got.value, 1);
}

TEST_F(async_wait, is_work_of_its_loop) {
  outcome<int> got;
  event_.async_take(keep(got));
  loop_.poll();
  EXPECT_FALSE(loop_.context.stopped());
  event_.set();
  run_until_done(got);
  loop_.poll();
  EXPECT_TRUE(loop_.context.stopped());
}

TEST_F(async_wait, can_be_awaited) {
  int sum = 0;
  asio::co_spawn(
      loop_.context,
      [](manual_event* event, int* sum) -> asio::awaitable<void> {
        for (int i = 0; i != 3; ++i) {
          int const next = co_await event->async_take();
          *sum += next;
        }
        int const last = co_await event->async_take(asio::use_awaitable);
        *sum += last;
      }(&event_, &sum),
      asio::detached);
  for (int i = 0; i != 4; ++i) {
    loop_.poll();
    event_.set();
  }
  loop_.run_out();
  EXPECT_EQ(sum, 1 + 2 + 3 + 4);
}

// --- cancellation and deadline ---

TEST_F(async_wait, each_cancellation_type_gives_it_up) {
  for (auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                    asio::cancellation_type::total}) {
    asio::cancellation_signal signal;
    outcome<int> got;
    event_.async_take(asio::bind_cancellation_slot(signal.slot(), keep(got)));
    asio::post(loop_.context, [&] {
      signal.emit(type);
      EXPECT_FALSE(got.done()) << "not inside the emission";
    });
    run_until_done(got);
    EXPECT_EQ(got.code(), error::cancelled);
    EXPECT_FALSE(signal.slot().has_handler()) << "cleared before completion";
  }
  EXPECT_EQ(event_.waiting(), 0u);
  event_.set();
  outcome<int> next;
  event_.async_take(keep(next));
  run_until_done(next);
  EXPECT_EQ(next.value, 1) << "those that were cancelled took none";
}

TEST_F(async_wait, cancellation_after_the_decision_comes_too_late) {
  asio::cancellation_signal signal;
  outcome<int> got;
  event_.async_take(asio::bind_cancellation_slot(signal.slot(), keep(got)));
  asio::post(loop_.context, [&] {
    event_.set();
    signal.emit(asio::cancellation_type::terminal);
  });
  run_until_done(got);
  EXPECT_EQ(got.value, 1);
}

TEST_F(async_wait, limit_that_passes_ends_it) {
  outcome<int> late, early;
  event_.async_take().within(2ms)(keep(late));
  event_.async_take().within(1ms)(keep(early));
  loop_.run_until([&] { return late.done() && early.done(); });
  EXPECT_EQ(late.code(), error::timed_out);
  EXPECT_EQ(early.code(), error::timed_out);
  EXPECT_EQ(event_.waiting(), 0u);
}

TEST_F(async_wait, limit_that_is_not_reached_holds_up_nothing) {
  outcome<int> got, other;
  event_.async_take().within(1h)(keep(got));
  event_.async_take().until(std::chrono::steady_clock::time_point::max())(keep(other));
  event_.set();
  event_.set();
  run_until_done(got);
  EXPECT_EQ(got.value, 1);
  loop_.run_out();  // would last an hour
  EXPECT_EQ(other.value, 2);
}

TEST_F(async_wait, limit_in_the_past_still_takes_what_is_there) {
  event_.set();
  outcome<int> got, none;
  event_.async_take().within(-1s)(keep(got));
  event_.async_take().within(-1s)(keep(none));
  loop_.run_until([&] { return got.done() && none.done(); });
  EXPECT_EQ(got.value, 1);
  EXPECT_EQ(none.code(), error::timed_out);
}

TEST_F(async_wait, loses_a_race_against_a_timer) {
  asio::co_spawn(
      loop_.context,
      [](manual_event* event) -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
        auto race = event->async_take(asio::use_awaitable) || timer.async_wait(asio::use_awaitable);
        auto const first = co_await std::move(race);
        EXPECT_EQ(first.index(), 1u);
        EXPECT_EQ(event->waiting(), 0u);
      }(&event_),
      asio::detached);
}

// --- turns ---

TEST_F(async_wait, other_handlers_get_their_turn) {
  int ended = 0;
  for (int i = 0; i != 200; ++i) event_.async_take([&](std::exception_ptr, int) { ++ended; });
  for (int i = 0; i != 200; ++i) event_.set();
  int seen = -1;
  asio::post(loop_.context, [&] { seen = ended; });
  loop_.run_out();
  EXPECT_EQ(ended, 200);
  EXPECT_EQ(seen, detail::turn_queue::budget);
}

TEST_F(async_wait, chain_of_decided_ones_gives_way_too) {
  int ended = 0;
  std::function<void()> next = [&] {
    event_.set();
    event_.async_take([&](std::exception_ptr, int) {
      if (++ended != 1000) next();
    });
  };
  next();
  int seen = -1;
  asio::post(loop_.context, [&] { seen = ended; });
  loop_.run_out();
  EXPECT_EQ(ended, 1000);
  EXPECT_LE(seen, detail::turn_queue::budget);
}

TEST_F(async_wait, exception_of_a_handler_leaves_run_and_the_rest_is_delivered) {
  int ended = 0;
  for (int i = 0; i != 10; ++i)
    event_.async_take([&, i](std::exception_ptr, int) {
      ++ended;
      if (i % 3 == 0) throw i;
    });
  for (int i = 0; i != 10; ++i) event_.set();
  int thrown = 0;
  for (;;) {
    try {
      loop_.run_out();
      break;
    } catch (int) {
      ++thrown;
    }
  }
  EXPECT_EQ(ended, 10);
  EXPECT_EQ(thrown, 4);
}

TEST_F(async_wait, nested_run_inside_a_handler_delivers_the_others) {
  int ended = 0;
  for (int i = 0; i != 3; ++i)
    event_.async_take([&](std::exception_ptr, int) {
      if (ended++ == 0) loop_.context.poll();
    });
  bool all = false;
  event_.async_take([&](std::exception_ptr, int) { all = ended == 3; });
  for (int i = 0; i != 4; ++i) event_.set();
  loop_.run_out();
  EXPECT_TRUE(all);
}

// --- executors ---

TEST_F(async_wait, handler_runs_on_its_own_executor) {
  tracking_executor const tracked(loop_.executor());
  auto const strand = asio::make_strand(loop_.context);
  int right = 0;
  for (int round = 0; round != 2; ++round) {
    if (round == 1) {
      event_.set();
      event_.set();
    }
    event_.async_take(
        asio::bind_executor(tracked, [&](std::exception_ptr, int) { right += tracked.inside(); }));
    event_.async_take(asio::bind_executor(
        strand, [&](std::exception_ptr, int) { right += strand.running_in_this_thread(); }));
    if (round == 0) {
      event_.set();
      event_.set();
    }
    loop_.run_out();
  }
  EXPECT_EQ(right, 4);
}

TEST_F(async_wait, loop_is_found_behind_any_property) {
  auto const plain = loop_.executor();
  int ended = 0;
  auto const wait_on = [&](auto const& executor) {
    EXPECT_EQ(detail::loop_of(executor), &loop_.context);
    event_.async_take(asio::bind_executor(executor, [&](std::exception_ptr, int) { ++ended; }));
  };
  wait_on(plain);
  wait_on(asio::any_io_executor(plain));
  wait_on(asio::require(plain, asio::execution::outstanding_work.tracked));
  wait_on(asio::any_io_executor(asio::require(plain, asio::execution::outstanding_work.tracked)));
  wait_on(asio::any_io_executor(asio::require(plain, asio::execution::blocking.never)));
  EXPECT_EQ(detail::loop_of(asio::any_io_executor(asio::make_strand(plain))), nullptr);
  for (int i = 0; i != 5; ++i) event_.set();
  loop_.run_out();
  EXPECT_EQ(ended, 5);
}

TEST_F(async_wait, thread_pool_runs_them_too) {
  asio::thread_pool pool(2);
  std::atomic<int> right{0};
  auto const count = [&](std::exception_ptr, int) {
    right += pool.get_executor().running_in_this_thread();
  };
  event_.async_take(asio::bind_executor(pool, count));
  event_.async_take(asio::bind_executor(asio::any_io_executor(pool.get_executor()), count));
  event_.set();
  event_.set();
  pool.join();
  EXPECT_EQ(right, 2);
}

TEST_F(async_wait, limit_passes_on_a_strand_and_in_a_pool) {
  asio::thread_pool pool(1);
  std::atomic<int> right{0};
  auto const count = [&](std::exception_ptr failed, int) {
    right += code_of(failed) == error::timed_out;
  };
  event_.async_take().within(1ms)(asio::bind_executor(asio::make_strand(pool), count));
  event_.async_take().within(1ms)(asio::bind_executor(asio::make_strand(loop_.context), count));
  loop_.run_out();
  pool.join();
  EXPECT_EQ(right, 2);
}

TEST_F(async_wait, associated_allocator_gives_the_memory) {
  allocation_book book;
  outcome<int> got;
  event_.async_take(asio::bind_allocator(tracking_allocator<int>(book), keep(got)));
  EXPECT_EQ(book.allocations(), 1);
  event_.set();
  loop_.run_until([&] {
    if (!got.done()) return false;
    EXPECT_EQ(book.live_bytes(), 0);
    return true;
  });
}

TEST_F(async_wait, first_allocation_that_fails_leaves_nothing_behind) {
  allocation_book book;
  book.fail_after(0);
  outcome<int> got;
  EXPECT_THROW(event_.async_take(asio::bind_allocator(tracking_allocator<int>(book), keep(got))),
               std::bad_alloc);
  EXPECT_EQ(event_.waiting(), 0u);
  EXPECT_FALSE(got.done());
}

TEST_F(async_wait, loop_run_by_several_threads_runs_handlers_side_by_side) {
  loop many(2);
  manual_event event(many.executor());
  std::atomic<int> inside{0};
  for (int i = 0; i != 2; ++i)
    event.async_take([&](std::exception_ptr, int) {
      ++inside;
      EXPECT_TRUE(poll_until([&] { return inside == 2; })) << "one waits for the other's end";
    });
  event.set();
  event.set();
  std::jthread other([&] { many.context.run(); });
  many.context.run();
}

// --- ends ---

TEST(async_wait_end, handler_is_destroyed_with_its_loop_and_not_called) {
  for (bool decided : {false, true})
    for (bool strand : {false, true}) {
      auto context = std::make_unique<asio::io_context>();
      manual_event event(context->get_executor());
      auto const held = std::make_shared<int>();
      auto const handler = [&held] {
        return [held](std::exception_ptr, int) { FAIL() << "called"; };
      };
      if (strand)
        event.async_take(asio::bind_executor(asio::make_strand(*context), handler()));
      else
        event.async_take().within(1h)(handler());
      if (decided) event.set();
      context.reset();
      EXPECT_EQ(held.use_count(), 1);
      EXPECT_EQ(event.waiting(), 0u);
      event.set();
    }
}

TEST(async_wait_end, event_may_go_first) {
  loop loop;
  auto event = std::make_unique<manual_event>(loop.executor());
  outcome<int> got;
  event->async_take().within(1ms)(keep(got));
  event.reset();
  loop.run_out();
  EXPECT_EQ(got.code(), error::timed_out);
}

TEST(async_wait_end, destroyed_coroutine_may_touch_the_event_again) {
  auto context = std::make_unique<asio::io_context>();
  manual_event event(context->get_executor());
  struct toucher {
    manual_event* event;
    asio::io_context* on;
    ~toucher() {
      event->set();
      event->async_take([](std::exception_ptr, int) { FAIL(); });
    }
  };
  asio::co_spawn(
      *context,
      [](manual_event* event, asio::io_context* on) -> asio::awaitable<void> {
        toucher const at_end{event, on};
        co_await event->async_take();
      }(&event, context.get()),
      asio::detached);
  event.async_take([](std::exception_ptr, int) { FAIL(); });
  context->poll();
  context.reset();
  EXPECT_EQ(event.waiting(), 0u);
}

TEST(async_wait_end, context_goes_while_other_threads_decide) {
  for (int round = 0; round != 100; ++round) {
    auto context = std::make_unique<asio::io_context>();
    manual_event event(context->get_executor());
    std::atomic<int> called{0};
    for (int i = 0; i != 20; ++i) event.async_take([&](std::exception_ptr, int) { ++called; });
    for (int i = 0; i != 5; ++i)
      event.async_take(asio::bind_executor(asio::make_strand(*context),
                                           [&](std::exception_ptr, int) { ++called; }));
    std::atomic<bool> go{false};
    std::jthread other([&] {
      while (!go) std::this_thread::yield();
      for (int i = 0; i != 25; ++i) event.set();
    });
    go = true;
    if (round % 2 == 0) context->poll();
    context.reset();
    other.join();
    EXPECT_EQ(event.waiting(), 0u);
    EXPECT_LE(called, 25);
  }
}

TEST(async_wait_on_a_thread, blocks_until_it_is_decided) {
  asio::io_context loop;
  manual_event event(loop.get_executor());
  EXPECT_EQ(event.take(1ms), 0);
  EXPECT_EQ(event.take(-1s), 0);
  std::jthread other([&] {
    EXPECT_TRUE(poll_until([&] { return event.waiting() == 1; }));
    event.set();
  });
  EXPECT_EQ(event.take(), 1);
  event.set();
  EXPECT_EQ(event.take(0s), 2);
}

TEST(async_wait_on_a_thread, is_refused_on_a_loop) {
  loop loop;
  manual_event event(loop.executor());
  outcome<int> got;
  event.async_take(keep(got));
  boost::system::error_code code;
  asio::post(loop.context, [&] {
    EXPECT_EQ(event.take(0s), 0) << "does not block";
    try {
      event.take();
    } catch (boost::system::system_error const& caught) {
      code = caught.code();
    }
    event.set();
  });
  loop.run_out();
  EXPECT_EQ(code, error::would_deadlock);
  EXPECT_EQ(got.value, 1);
}

TEST(async_wait_between_threads, none_is_lost) {
  constexpr int each = 5000;
  asio::io_context loop;
  manual_event event(loop.get_executor());
  std::atomic<long> sum{0};
  std::atomic<int> ended{0};
  std::vector<std::jthread> threads;
  auto work = asio::make_work_guard(loop);
  for (int t = 0; t != 2; ++t) threads.emplace_back([&] { loop.run(); });
  threads.emplace_back([&] {
    for (int i = 0; i != each; ++i) event.set();
  });
  threads.emplace_back([&] {
    for (int i = 0; i != each; ++i) sum += event.take();
  });
  threads.emplace_back([&] {
    for (int i = 0; i != each; ++i)
      event.async_take([&](std::exception_ptr, int number) {
        sum += number;
        ++ended;
      });
  });
  for (int i = 0; i != each; ++i) event.set();
  EXPECT_TRUE(poll_until([&] { return ended == each; }));
  work.reset();
  threads.clear();
  EXPECT_EQ(sum, 2L * each * (2L * each + 1) / 2);
}

}  // namespace
}  // namespace tokengate::test
