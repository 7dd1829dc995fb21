// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// What all locks have in common, shown on async_mutex: what is granted, to whom, what becomes of
// it, names and cycles. The queue by value: unit/permit_core_test.cpp; each kind:
// lock_kinds_test.cpp.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <thread>
#include <vector>

#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/async_mutex.hpp"
#include "tokengate/async_semaphore.hpp"
#include "tokengate/async_shared_mutex.hpp"
#include "tokengate/lock_checks.hpp"

namespace tokengate {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;
using test::keep;
using test::outcome;
using mutex_guard = async_mutex::guard;
using permit = async_semaphore::permit;

class locks : public testing::Test {
 public:
  void TearDown() override { loop_.run_out(); }

  void run_coroutine(asio::awaitable<void> body) {
    std::optional<std::exception_ptr> ended;
    asio::co_spawn(loop_.context, std::move(body), [&](std::exception_ptr e) { ended = e; });
    loop_.run_until([&] { return ended.has_value(); });
    if (ended && *ended) std::rethrow_exception(*ended);
  }

  test::loop loop_;
  async_mutex mutex_{loop_.context, "mutex"};
};

// Completion

TEST_F(locks, free_mutex_is_given_but_not_inside_the_initiation) {
  outcome<mutex_guard> got;
  mutex_.async_lock(keep(got));
  EXPECT_FALSE(got.done());
  loop_.poll();
  ASSERT_TRUE(got.value);
  EXPECT_TRUE(*got.value);
  EXPECT_FALSE(mutex_.try_lock());
  got.value->unlock();
  EXPECT_FALSE(*got.value);
  EXPECT_TRUE(mutex_.try_lock());
}

TEST_F(locks, waiters_get_the_mutex_in_their_order) {
  auto held = mutex_.try_lock();
  std::vector<int> order;
  for (int i = 0; i != 5; ++i)
    mutex_.async_lock([&order, i](std::exception_ptr, mutex_guard) { order.push_back(i); });
  loop_.poll();
  EXPECT_TRUE(order.empty());
  held.unlock();
  EXPECT_FALSE(mutex_.try_lock()) << "handed to the first in the queue, nobody gets in between";
  loop_.run_out();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_F(locks, every_completion_token_is_taken) {
  auto future = mutex_.async_lock(asio::use_future);
  loop_.poll();
  future.get().unlock();
  mutex_.async_lock(asio::detached);  // takes it and lets it go
  loop_.poll();
  run_coroutine([](locks* self) -> asio::awaitable<void> {
    auto first = co_await self->mutex_.async_lock();
    EXPECT_TRUE(first);
    first.unlock();
    auto second = co_await self->mutex_.async_lock(asio::use_awaitable);
    second.unlock();
    auto later = self->mutex_.async_lock(asio::deferred);
    auto third = co_await std::move(later)(asio::use_awaitable);
    auto [error, none] =
        co_await self->mutex_.async_lock().within(1ns)(asio::as_tuple(asio::use_awaitable));
    EXPECT_EQ(test::code_of(error), tokengate::error::timed_out);
    EXPECT_FALSE(none);
  }(this));
  EXPECT_TRUE(mutex_.try_lock());
}

TEST_F(locks, handler_runs_on_its_own_executor) {
  test::loop other;
  auto held = mutex_.try_lock();
  bool inside = false;
  mutex_.async_lock(
      asio::bind_executor(other.executor(), [&](std::exception_ptr error, mutex_guard) {
        inside = other.executor().running_in_this_thread() && !error;
      }));
  held.unlock();
  loop_.run_out();
  EXPECT_FALSE(inside);
  other.run_out();
  EXPECT_TRUE(inside);
}

TEST_F(locks, loser_of_a_race_loses_no_permit) {
  async_semaphore slots(loop_.context, 1);
  run_coroutine([](locks* self, async_semaphore* slots) -> asio::awaitable<void> {
    auto held = co_await slots->async_acquire();
    asio::steady_timer soon(self->loop_.context, 1ms);
    auto won = co_await (slots->async_acquire(1, asio::use_awaitable) ||
                         soon.async_wait(asio::use_awaitable));
    EXPECT_EQ(won.index(), 1u);
    held.unlock();
    auto both = co_await (slots->async_acquire(1, asio::use_awaitable) ||
                          self->mutex_.async_lock(asio::use_awaitable));
    EXPECT_EQ(both.index(), 0u);
  }(this, &slots));
  EXPECT_EQ(slots.available(), 1u);
  EXPECT_TRUE(mutex_.try_lock());
}

TEST_F(locks, parallel_group_takes_lazy_waits) {
  async_semaphore slots(loop_.context, 1);
  int completed = 0;
  asio::experimental::make_parallel_group(slots.async_acquire(), mutex_.async_lock())
      .async_wait(asio::experimental::wait_for_all(),
                  [&](std::array<std::size_t, 2>, std::exception_ptr, permit one,
                      std::exception_ptr, mutex_guard two) {
                    EXPECT_TRUE(one);
                    EXPECT_TRUE(two);
                    ++completed;
                  });
  loop_.run_out();
  EXPECT_EQ(completed, 1);
}

// Cancellation

TEST_F(locks, cancelled_wait_takes_nothing) {
  auto held = mutex_.try_lock();
  outcome<mutex_guard> given_up;
  outcome<mutex_guard> next;
  asio::cancellation_signal signal;
  mutex_.async_lock(asio::bind_cancellation_slot(signal.slot(), keep(given_up)));
  mutex_.async_lock(keep(next));
  signal.emit(asio::cancellation_type::total);
  loop_.poll();
  EXPECT_EQ(given_up.code(), tokengate::error::cancelled);
  EXPECT_FALSE(next.done());
  held.unlock();
  loop_.poll();
  EXPECT_TRUE(next.value);
}

TEST_F(locks, cancellation_after_the_grant_changes_nothing) {
  auto held = mutex_.try_lock();
  outcome<mutex_guard> got;
  asio::cancellation_signal signal;
  mutex_.async_lock(asio::bind_cancellation_slot(signal.slot(), keep(got)));
  held.unlock();
  signal.emit(asio::cancellation_type::terminal);
  loop_.poll();
  EXPECT_EQ(got.error, nullptr);
  EXPECT_TRUE(got.value);
}

TEST_F(locks, wait_with_a_limit_ends_at_it_and_lets_those_behind_through) {
  async_semaphore slots(loop_.context, 3);
  auto held = slots.try_acquire(2);
  outcome<permit> large;
  outcome<permit> small;
  slots.async_acquire(3).within(1ms)(keep(large));
  slots.async_acquire(1, keep(small));
  EXPECT_FALSE(small.done());
  loop_.run_until([&] { return small.done(); });
  EXPECT_EQ(large.code(), tokengate::error::timed_out);
  EXPECT_TRUE(small.value);
}

TEST_F(locks, cancel_and_close_give_up_the_waiters) {
  auto held = mutex_.try_lock();
  outcome<mutex_guard> first;
  outcome<mutex_guard> second;
  outcome<mutex_guard> late;
  mutex_.async_lock(keep(first));
  mutex_.cancel();
  mutex_.async_lock(keep(second));
  mutex_.close();
  mutex_.async_lock(keep(late));
  loop_.run_out();
  EXPECT_EQ(first.code(), tokengate::error::cancelled);
  EXPECT_EQ(second.code(), tokengate::error::closed);
  EXPECT_EQ(late.code(), tokengate::error::closed);
  EXPECT_TRUE(held) << "what is held stays held";
}

// Lifetime

TEST_F(locks, end_of_a_mutex_closes_it_and_guards_outlive_it) {
  auto short_lived = std::make_unique<async_mutex>(loop_.context);
  auto held = short_lived->try_lock();
  outcome<mutex_guard> waiting;
  short_lived->async_lock(keep(waiting));
  short_lived.reset();
  loop_.run_out();
  EXPECT_EQ(waiting.code(), tokengate::error::closed);
  EXPECT_TRUE(held);
  held.unlock();
}

TEST_F(locks, grant_to_a_context_that_goes_is_passed_on) {
  outcome<mutex_guard> gone;
  outcome<mutex_guard> next;
  auto held = mutex_.try_lock();
  {
    test::loop other;
    mutex_.async_lock(asio::bind_executor(other.executor(), keep(gone)));
    mutex_.async_lock(keep(next));
    held.unlock();  // granted to the first, who will never run
  }
  loop_.run_out();
  EXPECT_FALSE(gone.done());
  EXPECT_TRUE(next.value);
}

TEST_F(locks, wait_of_a_context_that_goes_leaves_the_queue) {
  outcome<mutex_guard> gone;
  outcome<mutex_guard> next;
  auto held = mutex_.try_lock();
  {
    test::loop other;
    mutex_.async_lock(asio::bind_executor(other.executor(), keep(gone)));
    mutex_.async_lock(keep(next));
  }
  held.unlock();
  loop_.run_out();
  EXPECT_FALSE(gone.done());
  EXPECT_TRUE(next.value);
}

TEST_F(locks, guard_ends_on_another_thread) {
  auto held = mutex_.try_lock();
  outcome<mutex_guard> next;
  mutex_.async_lock(keep(next));
  std::jthread([moved = std::move(held)]() mutable { moved.unlock(); }).join();
  loop_.run_out();
  EXPECT_EQ(next.thread, std::this_thread::get_id());
}

TEST_F(locks, assigned_guard_gives_back_what_it_held) {
  async_mutex other(loop_.context);
  auto held = mutex_.try_lock();
  held = other.try_lock();
  EXPECT_TRUE(mutex_.try_lock());
  EXPECT_FALSE(other.try_lock());
}

TEST_F(locks, plain_thread_blocks_in_the_same_queue) {
  auto held = mutex_.try_lock();
  EXPECT_THROW((void)mutex_.lock(1ms), boost::system::system_error);
  std::jthread waiting([&] {
    auto mine = mutex_.lock();
    EXPECT_TRUE(mine);
  });
  EXPECT_TRUE(test::poll_until([&] { return !mutex_.snapshot().waiters.empty(); }));
  held.unlock();
}

// Names

TEST_F(locks, holders_and_waiters_are_listed_by_name) {
  lock_owner const anna("anna");
  lock_owner const bert("bert");
  auto held = mutex_.try_lock(anna);
  mutex_.async_lock(bert, asio::detached);
  mutex_.async_lock(asio::detached);
  EXPECT_EQ(to_string(mutex_.snapshot()), "mutex: held by anna; waiting: bert, (unnamed)");
  EXPECT_EQ(held.owner(), anna);
  held.unlock();
  EXPECT_EQ(to_string(mutex_.snapshot()), "mutex: held by bert; waiting: (unnamed)");
  loop_.run_out();
  EXPECT_EQ(to_string(mutex_.snapshot()), "mutex: free");
}

TEST_F(locks, shared_holders_are_listed_with_their_part) {
  async_semaphore slots(loop_.context, 5, "slots");
  lock_owner const anna("anna");
  auto first = slots.try_acquire(2, anna);
  auto second = slots.try_acquire(1);
  auto const seen = slots.snapshot();
  EXPECT_EQ(seen.free, 2u);
  EXPECT_EQ(to_string(seen), "slots: held by anna x2, (unnamed) x1");
}

// Wait cycles

class checked_locks : public locks {
 public:
  checked_locks() { set_lock_checks(true); }
  ~checked_locks() override {
    set_lock_checks(was_);
    set_lock_cycle_handler(nullptr);
  }

 private:
  bool const was_ = lock_checks();
};

TEST_F(checked_locks, cycle_is_refused_and_reported_with_the_names) {
  std::string told;
  set_lock_cycle_handler([&](lock_cycle const& cycle) { told = to_string(cycle); });
  async_mutex a(loop_.context, "a");
  async_mutex b(loop_.context, "b");
  lock_owner const one("one");
  lock_owner const two("two");
  auto first = a.try_lock(one);
  auto second = b.try_lock(two);
  outcome<mutex_guard> waiting;
  outcome<mutex_guard> refused;
  b.async_lock(one, keep(waiting));
  a.async_lock(two, keep(refused));
  loop_.poll();
  EXPECT_EQ(refused.code(), tokengate::error::would_deadlock);
  EXPECT_EQ(told, "two waits for a, held by one; one waits for b, held by two");
  second.unlock();  // as whoever was refused does on its way out
  loop_.poll();
  EXPECT_TRUE(waiting.value);
}

TEST_F(checked_locks, guard_stands_for_its_owner_and_the_log_tells) {
  test::quiet_log log;
  async_mutex a(loop_.context, "a");
  async_mutex b(loop_.context, "b");
  auto first = a.try_lock();
  auto second = b.try_lock(first);
  outcome<mutex_guard> refused;
  a.async_lock(second, keep(refused));
  loop_.poll();
  EXPECT_EQ(refused.code(), tokengate::error::would_deadlock);
  EXPECT_NE(log.text().find("(unnamed) waits for a, held by (unnamed)"), std::string::npos)
      << log.text();
}

TEST_F(checked_locks, reader_that_reads_again_behind_a_writer_is_refused) {
  set_lock_cycle_handler([](lock_cycle const&) {});
  async_shared_mutex book(loop_.context, "book");
  lock_owner const reader("reader");
  auto reading = book.try_lock_shared(reader);
  book.async_lock(asio::detached);
  outcome<async_shared_mutex::shared_guard> again;
  book.async_lock_shared(reader, keep(again));
  loop_.poll();
  EXPECT_EQ(again.code(), tokengate::error::would_deadlock);
}

TEST_F(checked_locks, wait_that_an_add_would_end_is_not_refused) {
  set_lock_cycle_handler([](lock_cycle const& cycle) { ADD_FAILURE() << to_string(cycle); });
  async_semaphore bucket(loop_.context, 10, 1);
  lock_owner const one("one");
  auto held = bucket.try_acquire(1, one);
  outcome<permit> waiting;
  bucket.async_acquire(1, one, keep(waiting));
  loop_.poll();
  EXPECT_FALSE(waiting.done());
  EXPECT_EQ(bucket.add(1), 1u);
  loop_.poll();
  EXPECT_TRUE(waiting.value);
}

TEST_F(checked_locks, downgrade_spend_and_cancel_keep_the_graph_right) {
  set_lock_cycle_handler([](lock_cycle const& cycle) { ADD_FAILURE() << to_string(cycle); });
  async_shared_mutex book(loop_.context, "book");
  async_semaphore slots(loop_.context, 2, "slots");
  lock_owner const one("one");
  lock_owner const two("two");
  auto reading = book.try_lock(one).downgrade();
  auto also = book.try_lock_shared(two);
  EXPECT_TRUE(also);
  auto spent = slots.try_acquire(1, one);
  spent.forget();
  auto held = slots.try_acquire(1, two);
  outcome<permit> waiting;
  slots.async_acquire(1, one, keep(waiting));  // two runs, and holds what one wants
  slots.cancel();
  also.unlock();
  outcome<async_shared_mutex::guard> writing;
  book.async_lock(two, keep(writing));  // one runs: its wait was cancelled
  reading.unlock();
  loop_.poll();
  EXPECT_TRUE(writing.value);
  EXPECT_EQ(waiting.code(), tokengate::error::cancelled);
}

}  // namespace
}  // namespace tokengate
