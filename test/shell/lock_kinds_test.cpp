// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// What each kind of lock does by itself: async_semaphore, async_shared_mutex, async_event,
// async_latch, async_barrier and monitor.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <deque>
#include <thread>
#include <vector>

#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/async_barrier.hpp"
#include "tokengate/async_event.hpp"
#include "tokengate/async_latch.hpp"
#include "tokengate/async_semaphore.hpp"
#include "tokengate/async_shared_mutex.hpp"
#include "tokengate/lock_checks.hpp"
#include "tokengate/monitor.hpp"

namespace tokengate {
namespace {

using namespace std::chrono_literals;
using test::keep;
using test::outcome;
using permit = async_semaphore::permit;

class lock_kinds : public testing::Test {
 public:
  void TearDown() override { loop_.run_out(); }

  void run_coroutine(asio::awaitable<void> body) {
    std::optional<std::exception_ptr> ended;
    asio::co_spawn(loop_.context, std::move(body), [&](std::exception_ptr e) { ended = e; });
    loop_.run_until([&] { return ended.has_value(); });
    if (ended && *ended) std::rethrow_exception(*ended);
  }
  test::loop loop_;
};

// Semaphore

TEST_F(lock_kinds, spent_permits_come_back_only_by_add) {
  async_semaphore bucket(loop_.context, 3, 1);
  auto spent = bucket.try_acquire();
  spent.forget();
  EXPECT_FALSE(spent);
  EXPECT_EQ(bucket.available(), 0u);
  EXPECT_EQ(bucket.add(5), 3u) << "never more than the most";
  auto all = bucket.try_acquire(3);
  EXPECT_EQ(all.count(), 3u);
  EXPECT_EQ(bucket.add(1), 0u) << "they are out, not spent";
  outcome<permit> waiting;
  bucket.async_acquire(2, keep(waiting));
  all.forget();
  bucket.add(2);
  loop_.run_out();
  EXPECT_TRUE(waiting.value);
}

TEST_F(lock_kinds, wish_for_more_than_there_can_be_is_refused) {
  async_semaphore slots(loop_.context, 2);
  outcome<permit> got;
  slots.async_acquire(3, keep(got));
  loop_.run_out();
  EXPECT_EQ(got.code(), tokengate::error::would_deadlock);
}

// Shared mutex

TEST_F(lock_kinds, readers_enter_together_and_a_writer_waits_its_turn) {
  async_shared_mutex book(loop_.context);
  auto first = book.try_lock_shared();
  auto second = book.try_lock_shared();
  EXPECT_TRUE(second);
  std::string order;
  std::optional<async_shared_mutex::guard> writing;
  book.async_lock([&](std::exception_ptr, async_shared_mutex::guard w) {
    order += 'w';
    writing = std::move(w);
  });
  for (int i = 0; i != 2; ++i)
    book.async_lock_shared(
        [&](std::exception_ptr, async_shared_mutex::shared_guard) { order += 'r'; });
  EXPECT_FALSE(book.try_lock_shared()) << "a writer waits: it does not starve";
  first.unlock();
  loop_.poll();
  EXPECT_EQ(order, "");
  second.unlock();
  loop_.poll();
  EXPECT_EQ(order, "w");
  auto reading = writing->downgrade();
  EXPECT_FALSE(*writing);
  loop_.poll();
  EXPECT_EQ(order, "wrr");
  EXPECT_FALSE(book.try_lock());
  reading.unlock();
  loop_.run_out();
  EXPECT_TRUE(book.try_lock());
}

TEST_F(lock_kinds, readers_and_writers_are_listed_by_name) {
  async_shared_mutex book(loop_.context, "book");
  lock_owner const anna("anna"), bert("bert"), carl("carl");
  auto first = book.try_lock_shared(anna);
  auto second = book.try_lock_shared();
  book.async_lock(bert, asio::detached);
  book.async_lock_shared(carl, asio::detached);
  EXPECT_EQ(to_string(book.snapshot()),
            "book: held by anna x1, (unnamed) x1; waiting: bert, carl x1");
  auto const seen = book.snapshot();
  ASSERT_EQ(seen.waiters.size(), 2u);
  EXPECT_TRUE(seen.waiters[0].exclusive) << "a writer";
  EXPECT_FALSE(seen.waiters[1].exclusive);
  EXPECT_FALSE(seen.holders[0].exclusive);
  first.unlock();
  second.unlock();
  EXPECT_EQ(to_string(book.snapshot()), "book: held by bert; waiting: carl x1");
  loop_.run_out();
  auto reading = book.try_lock(anna).downgrade();
  EXPECT_EQ(to_string(book.snapshot()), "book: held by anna x1");
}

// Event, latch, barrier

TEST_F(lock_kinds, set_event_lets_all_through_until_it_is_reset) {
  async_event ready(loop_.context);
  std::vector<outcome<void>> got(3);
  for (auto& each : got) ready.async_wait(keep(each));
  EXPECT_EQ(ready.waiting(), 3u);
  ready.set();
  ready.reset();
  outcome<void> late;
  ready.async_wait(keep(late));
  loop_.poll();
  for (auto& each : got) EXPECT_TRUE(each.done() && !each.error);
  EXPECT_FALSE(late.done());
  ready.set();
  EXPECT_TRUE(ready.is_set());
  run_coroutine(
      [](async_event* of) -> asio::awaitable<void> { co_await of->async_wait(); }(&ready));
  EXPECT_TRUE(late.done());
}

TEST_F(lock_kinds, wait_for_an_event_ends_by_limit_cancel_or_close) {
  async_event never(loop_.context);
  outcome<void> limited, cancelled, closed, by_slot;
  asio::cancellation_signal signal;
  never.async_wait().within(1ms)(keep(limited));
  loop_.run_until([&] { return limited.done(); });
  never.async_wait(asio::bind_cancellation_slot(signal.slot(), keep(by_slot)));
  signal.emit(asio::cancellation_type::partial);
  never.async_wait(keep(cancelled));
  never.cancel();
  never.async_wait(keep(closed));
  never.close();
  loop_.run_out();
  EXPECT_EQ(limited.code(), tokengate::error::timed_out);
  EXPECT_EQ(by_slot.code(), tokengate::error::cancelled);
  EXPECT_EQ(cancelled.code(), tokengate::error::cancelled);
  EXPECT_EQ(closed.code(), tokengate::error::closed);
  EXPECT_THROW(never.wait(), boost::system::system_error);
}

TEST_F(lock_kinds, plain_thread_waits_for_an_event) {
  async_event ready(loop_.context);
  EXPECT_FALSE(ready.wait(1ns));
  std::jthread waiting([&] { EXPECT_TRUE(ready.wait()); });
  EXPECT_TRUE(test::poll_until([&] { return ready.waiting() == 1; }));
  ready.set();
}

TEST_F(lock_kinds, latch_opens_with_the_last_count) {
  async_latch latch(loop_.context, 3);
  outcome<void> got;
  latch.async_wait(keep(got));
  latch.count_down(2);
  loop_.poll();
  EXPECT_FALSE(got.done());
  EXPECT_EQ(latch.count(), 1u);
  std::jthread([&] { latch.count_down(); }).join();
  loop_.poll();
  EXPECT_TRUE(got.done() && !got.error);
  EXPECT_TRUE(latch.try_wait());
  latch.close();
  EXPECT_TRUE(latch.wait());
}

TEST_F(lock_kinds, barrier_keeps_its_parties_in_step) {
  async_barrier barrier(loop_.context, 3);
  std::vector<std::uint64_t> phases;
  auto const party = [](async_barrier* barrier, std::vector<std::uint64_t>* phases,
                        int rounds) -> asio::awaitable<void> {
    for (int i = 0; i != rounds; ++i) {
      auto const phase = co_await barrier->async_arrive_and_wait();
      phases->push_back(phase);
    }
    barrier->drop();
  };
  for (int rounds : {4, 4, 2})
    asio::co_spawn(loop_.context, party(&barrier, &phases, rounds), asio::detached);
  loop_.run_out();
  EXPECT_EQ(phases, (std::vector<std::uint64_t>{0, 0, 0, 1, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(barrier.phase(), 4u);
  EXPECT_EQ(barrier.parties(), 0u);
}

TEST_F(lock_kinds, party_that_gives_up_has_not_arrived) {
  async_barrier barrier(loop_.context, 2);
  outcome<std::uint64_t> first, second, third;
  barrier.async_arrive_and_wait().within(1ms)(keep(first));
  loop_.run_until([&] { return first.done(); });
  EXPECT_EQ(first.code(), tokengate::error::timed_out);
  barrier.async_arrive_and_wait(keep(second));
  EXPECT_EQ(barrier.waiting(), 1u);
  barrier.async_arrive_and_wait(keep(third));
  loop_.run_out();
  EXPECT_EQ(second.value, 0u);
  EXPECT_EQ(third.value, 0u);
}

// Monitor

using queue = std::deque<int>;

TEST_F(lock_kinds, monitor_waits_for_its_condition_without_being_notified) {
  monitor<queue> jobs(loop_.context, "jobs");
  std::vector<int> done;
  auto const worker = [](monitor<queue>* jobs, std::vector<int>* done) -> asio::awaitable<void> {
    for (int i = 0; i != 3; ++i) {
      auto held = co_await jobs->async_lock_when([](queue const& q) { return !q.empty(); });
      done->push_back(held->front());
      held->pop_front();
    }
  };
  for (int i = 0; i != 2; ++i) asio::co_spawn(loop_.context, worker(&jobs, &done), asio::detached);
  loop_.poll();
  EXPECT_TRUE(done.empty());
  for (int i = 0; i != 6; ++i) {
    auto held = jobs.try_lock();
    ASSERT_TRUE(held) << "who waits for a condition does not keep the lock from others";
    held->push_back(i);
    held.unlock();
    loop_.poll();
  }
  EXPECT_EQ(done, (std::vector<int>{0, 1, 2, 3, 4, 5}));
}

TEST_F(lock_kinds, condition_that_throws_ends_its_wait_and_nothing_else) {
  monitor<int> number(loop_.context, "number", 1);
  outcome<monitor<int>::guard> broken, next;
  auto held = number.try_lock();
  number.async_lock_when(
      [](int value) { return value == 1 ? throw std::runtime_error("no") : true; }, keep(broken));
  number.async_lock(keep(next));
  held.unlock();
  loop_.run_out();
  EXPECT_EQ(test::text_of(broken.error), "no");
  ASSERT_TRUE(next.value);
  EXPECT_EQ(**next.value, 1);
}

TEST_F(lock_kinds, wait_for_a_condition_can_be_given_up) {
  monitor<int> number(loop_.context, "number", 0);
  outcome<monitor<int>::guard> limited, cancelled;
  asio::cancellation_signal signal;
  auto const is_one = [](int value) { return value == 1; };
  number.async_lock_when(is_one).within(1ms)(keep(limited));
  number.async_lock_when(is_one, asio::bind_cancellation_slot(signal.slot(), keep(cancelled)));
  signal.emit(asio::cancellation_type::terminal);
  loop_.run_until([&] { return limited.done() && cancelled.done(); });
  EXPECT_EQ(limited.code(), tokengate::error::timed_out);
  EXPECT_EQ(cancelled.code(), tokengate::error::cancelled);
  auto held = number.try_lock();
  *held = 1;
  held.unlock();
  EXPECT_TRUE(number.try_lock());
}

TEST_F(lock_kinds, who_waits_for_a_condition_is_listed_too) {
  monitor<int> number(loop_.context, "number", 0);
  auto const is_one = [](int value) { return value == 1; };
  lock_owner const anna("anna"), bert("bert"), carl("carl");
  number.async_lock_when(is_one, bert)(asio::detached);
  EXPECT_EQ(to_string(number.snapshot()), "number: free; waiting: bert");
  auto held = number.try_lock(anna);
  number.async_lock(carl, asio::detached);
  EXPECT_EQ(to_string(number.snapshot()), "number: held by anna; waiting: bert, carl");
  held.unlock();
  EXPECT_EQ(to_string(number.snapshot()), "number: held by carl; waiting: bert");
  loop_.poll();
  auto mine = number.try_lock_when([](int value) { return value == 0; }, anna);
  *mine = 1;
  EXPECT_EQ(to_string(number.snapshot()), "number: held by anna; waiting: bert");
  mine.unlock();
  EXPECT_EQ(to_string(number.snapshot()), "number: held by bert");
}

TEST_F(lock_kinds, value_lives_as_long_as_a_guard) {
  auto number = std::make_unique<monitor<std::string>>(loop_.context, "text", "hello");
  auto held = number->lock();
  number.reset();
  EXPECT_EQ(*held, "hello");
}

TEST_F(lock_kinds, wait_for_a_condition_is_no_cycle_but_locking_twice_is) {
  bool const were_on = lock_checks();
  set_lock_checks(true);
  set_lock_cycle_handler([](lock_cycle const& cycle) {
    EXPECT_EQ(to_string(cycle), "me waits for number, held by me");
  });
  {
    monitor<int> number(loop_.context, "number", 0);
    lock_owner const me("me");
    outcome<monitor<int>::guard> later, again;
    auto held = number.try_lock(me);
    number.async_lock_when([](int value) { return value == 1; }, me)(keep(later));
    number.async_lock(me, keep(again));
    loop_.poll();
    EXPECT_EQ(again.code(), tokengate::error::would_deadlock);
    EXPECT_FALSE(later.done());
    *held = 1;
    held.unlock();
    loop_.poll();
    EXPECT_TRUE(later.value);
  }
  set_lock_cycle_handler(nullptr);
  set_lock_checks(were_on);
}

// The default

bool const checked_at_start = lock_checks();

TEST_F(lock_kinds, checks_are_on_at_first_unless_NDEBUG_is_defined) {
#if defined(NDEBUG)
  constexpr bool expected = false;
#else
  constexpr bool expected = true;
#endif
  EXPECT_EQ(checked_at_start, expected);
  ASSERT_EQ(lock_checks(), expected) << "whoever switches them, switches them back";
  int cycles = 0;
  set_lock_cycle_handler([&](lock_cycle const&) { ++cycles; });
  monitor<int> number(loop_.context, "number", 0);
  lock_owner const me("me");
  auto held = number.try_lock(me);
  outcome<monitor<int>::guard> again;
  number.async_lock(me, keep(again));
  loop_.poll();
  set_lock_cycle_handler(nullptr);
  EXPECT_EQ(cycles, expected ? 1 : 0);
  EXPECT_EQ(again.done(), expected);
  held.unlock();
  loop_.run_out();
}

}  // namespace
}  // namespace tokengate
