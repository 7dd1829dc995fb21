// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The forms of the locks that are not awaited: try_, and the blocking ends for plain threads.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <future>
#include <thread>

#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/async_barrier.hpp"
#include "tokengate/async_latch.hpp"
#include "tokengate/async_semaphore.hpp"
#include "tokengate/async_shared_mutex.hpp"
#include "tokengate/monitor.hpp"

namespace tokengate {
namespace {

using namespace std::chrono_literals;
using test::keep;
using test::outcome;
using test::thrown_by;

class lock_forms : public testing::Test {
 public:
  void TearDown() override { loop_.run_out(); }

  /// What a call throws on a thread that runs a loop in which a wait of the library is under way.
  template <class Call>
  boost::system::error_code thrown_on_a_loop(Call call) {
    async_latch later(loop_.context, 1);
    outcome<void> got;
    later.async_wait(keep(got));
    boost::system::error_code code;
    asio::post(loop_.context, [&] {
      code = thrown_by(call);
      later.count_down();
    });
    loop_.run_until([&] { return got.done(); });
    return code;
  }
  static bool positive(int value) { return value > 0; }
  using number = monitor<int>;

  test::loop loop_;
};

template <class Lock>
[[nodiscard]] bool somebody_waits(Lock const& lock) {
  return test::poll_until([&] { return !lock.snapshot().waiters.empty(); });
}

// Barrier

TEST_F(lock_forms, only_the_last_to_arrive_need_not_wait) {
  async_barrier barrier(loop_.context, 2);
  EXPECT_EQ(barrier.try_arrive_and_wait(), std::nullopt);
  EXPECT_EQ(barrier.waiting(), 0u) << "who does not wait has not arrived";
  outcome<std::uint64_t> first;
  barrier.async_arrive_and_wait(keep(first));
  EXPECT_EQ(barrier.try_arrive_and_wait(), 0u);
  loop_.poll();
  EXPECT_EQ(first.value, 0u);
  EXPECT_EQ(barrier.phase(), 1u);
  barrier.drop();
  EXPECT_EQ(barrier.try_arrive_and_wait(), 1u) << "alone it is always the last";
  barrier.close();
  EXPECT_EQ(barrier.try_arrive_and_wait(), std::nullopt);
}

TEST_F(lock_forms, threads_and_coroutines_arrive_at_the_same_barrier) {
  async_barrier barrier(loop_.context, 3);
  for (std::uint64_t round = 0; round != 3; ++round) {
    outcome<std::uint64_t> awaited;
    barrier.async_arrive_and_wait(keep(awaited));
    auto other = std::async(std::launch::async, [&] { return barrier.arrive_and_wait(); });
    EXPECT_TRUE(test::poll_until([&] { return barrier.waiting() == 2; }));
    EXPECT_EQ(barrier.arrive_and_wait(1h), round);
    EXPECT_EQ(other.get(), round);
    loop_.poll();
    EXPECT_EQ(awaited.value, round);
  }
}

TEST_F(lock_forms, arrival_that_times_out_is_taken_back) {
  async_barrier barrier(loop_.context, 2);
  for (auto timeout : {0ns, 1000000ns}) {
    EXPECT_EQ(thrown_by([&] { barrier.arrive_and_wait(timeout); }), error::timed_out);
    EXPECT_EQ(barrier.waiting(), 0u);
    EXPECT_EQ(barrier.phase(), 0u);
  }
  outcome<std::uint64_t> other;
  barrier.async_arrive_and_wait(keep(other));
  loop_.poll();
  EXPECT_FALSE(other.done()) << "it waits for the one that gave up";
  EXPECT_EQ(barrier.arrive_and_wait(), 0u);
  loop_.poll();
  EXPECT_EQ(other.value, 0u);
}

TEST_F(lock_forms, blocked_arrival_ends_by_cancel_or_close) {
  async_barrier barrier(loop_.context, 2);
  auto const arrive = [&] { return thrown_by([&] { barrier.arrive_and_wait(); }); };
  auto const arrived = [&] { return test::poll_until([&] { return barrier.waiting() == 1; }); };
  auto cancelled = std::async(std::launch::async, arrive);
  EXPECT_TRUE(arrived());
  barrier.cancel();
  EXPECT_EQ(cancelled.get(), error::cancelled);
  auto closed = std::async(std::launch::async, arrive);
  EXPECT_TRUE(arrived());
  barrier.close();
  EXPECT_EQ(closed.get(), error::closed);
  EXPECT_EQ(arrive(), error::closed);
}

TEST_F(lock_forms, loop_thread_may_be_the_last_to_arrive_and_no_other) {
  async_barrier barrier(loop_.context, 2);
  EXPECT_EQ(thrown_on_a_loop([&] { barrier.arrive_and_wait(); }), error::would_deadlock);
  EXPECT_EQ(barrier.waiting(), 0u);
  barrier.async_arrive_and_wait(asio::detached);
  EXPECT_EQ(thrown_on_a_loop([&] { EXPECT_EQ(barrier.arrive_and_wait(), 0u); }),
            boost::system::error_code());
}

// Monitor

TEST_F(lock_forms, condition_is_tried_without_waiting) {
  number credit(loop_.context, "credit", 0);
  EXPECT_FALSE(credit.try_lock_when(positive));
  *credit.try_lock() = 1;
  {
    auto held = credit.try_lock_when(positive, lock_owner("me"));
    ASSERT_TRUE(held);
    EXPECT_EQ(*held, 1);
    EXPECT_EQ(held.owner().name(), "me");
    bool asked = false;
    EXPECT_FALSE(credit.try_lock_when([&](int) { return asked = true; })) << "it is locked";
    EXPECT_FALSE(asked);
  }
  credit.close();
  EXPECT_FALSE(credit.try_lock_when(positive));
}

TEST_F(lock_forms, tried_condition_that_throws_takes_nothing) {
  number credit(loop_.context, "credit", 0);
  auto const broken = [](int) -> bool { throw std::out_of_range("no"); };
  EXPECT_THROW((void)credit.try_lock_when(broken), std::out_of_range);
  EXPECT_THROW((void)credit.lock_when(broken), std::out_of_range);
  EXPECT_EQ(to_string(credit.snapshot()), "credit: free");
}

TEST_F(lock_forms, plain_thread_waits_for_a_condition) {
  number credit(loop_.context, "credit", 0);
  auto spender = std::async(std::launch::async, [&] {
    auto held = credit.lock_when(positive);
    return --*held;
  });
  EXPECT_TRUE(somebody_waits(credit));
  {
    auto held = credit.try_lock();
    ASSERT_TRUE(held) << "who waits for a condition does not keep the lock from others";
    *held = 5;
  }
  EXPECT_EQ(spender.get(), 4);
  EXPECT_EQ(*credit.lock_when(positive, 1ns), 4) << "true already: no need to wait";
}

TEST_F(lock_forms, wait_for_a_condition_that_times_out_leaves_all_as_it_was) {
  number credit(loop_.context, "credit", 0);
  EXPECT_EQ(thrown_by([&] { (void)credit.lock_when(positive, 0ns); }), error::timed_out);
  EXPECT_EQ(thrown_by([&] { (void)credit.lock_when(positive, 1ms); }), error::timed_out);
  EXPECT_EQ(to_string(credit.snapshot()), "credit: free");
  auto held = credit.try_lock();
  *held = 1;
  EXPECT_EQ(thrown_by([&] { (void)credit.lock_when(positive, 1ms); }), error::timed_out)
      << "true, and locked";
  held.unlock();
  EXPECT_TRUE(credit.try_lock());
}

TEST_F(lock_forms, blocked_wait_for_a_condition_ends_by_a_throw_cancel_or_close) {
  number credit(loop_.context, "credit", 0);
  auto const wait = [&] { return thrown_by([&] { (void)credit.lock_when(positive); }); };
  auto cancelled = std::async(std::launch::async, wait);
  EXPECT_TRUE(somebody_waits(credit));
  credit.cancel();
  EXPECT_EQ(cancelled.get(), error::cancelled);
  auto broken = std::async(std::launch::async, [&] {
    return credit.lock_when(
        [](int value) { return value != 0 ? throw std::out_of_range("no") : false; });
  });
  EXPECT_TRUE(somebody_waits(credit));
  *credit.try_lock() = 1;
  EXPECT_THROW((void)broken.get(), std::out_of_range);
  *credit.try_lock() = 0;
  auto closed = std::async(std::launch::async, wait);
  EXPECT_TRUE(somebody_waits(credit));
  credit.close();
  EXPECT_EQ(closed.get(), error::closed);
}

TEST_F(lock_forms, loop_thread_does_not_block_for_a_condition) {
  number credit(loop_.context, "credit", 0);
  auto const wait = [&] { EXPECT_EQ(*credit.lock_when(positive), 1); };
  EXPECT_EQ(thrown_on_a_loop(wait), error::would_deadlock);
  *credit.try_lock() = 1;
  EXPECT_EQ(thrown_on_a_loop(wait), boost::system::error_code()) << "nothing to wait for";
}

// Blocking ends of the others

TEST_F(lock_forms, threads_read_together_and_write_alone) {
  async_shared_mutex book(loop_.context, "book");
  auto reading = book.lock_shared();
  auto also = book.lock_shared(1ns);
  EXPECT_TRUE(also);
  EXPECT_EQ(thrown_by([&] { (void)book.lock(1ms); }), error::timed_out);
  EXPECT_TRUE(book.try_lock_shared()) << "the writer that gave up keeps no reader out";
  auto writer = std::async(std::launch::async, [&] { return book.lock(); });
  EXPECT_TRUE(somebody_waits(book));
  auto reader = std::async(std::launch::async, [&] { return book.lock_shared(); });
  EXPECT_TRUE(test::poll_until([&] { return book.snapshot().waiters.size() == 2; }));
  reading.unlock();
  also.unlock();
  auto writing = writer.get();
  EXPECT_TRUE(writing);
  EXPECT_EQ(thrown_by([&] { (void)book.lock_shared(1ms); }), error::timed_out);
  writing.unlock();
  EXPECT_TRUE(reader.get());
  EXPECT_EQ(to_string(book.snapshot()), "book: free");
}

TEST_F(lock_forms, thread_acquires_several_permits) {
  async_semaphore slots(loop_.context, 3, "slots");
  auto two = slots.acquire(2);
  EXPECT_EQ(two.count(), 2u);
  EXPECT_EQ(thrown_by([&] { (void)slots.acquire(2, 1ms); }), error::timed_out);
  EXPECT_EQ(slots.available(), 1u);
  EXPECT_EQ(thrown_by([&] { (void)slots.acquire(4); }), error::would_deadlock) << "never so many";
  auto waiting = std::async(std::launch::async, [&] { return slots.acquire(3).count(); });
  EXPECT_TRUE(somebody_waits(slots));
  EXPECT_EQ(thrown_by([&] { (void)slots.acquire(1, 1ms); }), error::timed_out)
      << "one is free, and somebody waits for it";
  two.unlock();
  EXPECT_EQ(waiting.get(), 3u);
  EXPECT_EQ(slots.available(), 3u);
}

TEST_F(lock_forms, wait_for_a_latch_is_limited) {
  async_latch latch(loop_.context, 1);
  EXPECT_FALSE(latch.wait(1ms));
  outcome<void> limited;
  latch.async_wait().within(1ms)(keep(limited));
  loop_.run_until([&] { return limited.done(); });
  EXPECT_EQ(limited.code(), error::timed_out);
  EXPECT_EQ(latch.waiting(), 0u);
  EXPECT_EQ(latch.count(), 1u) << "who gives up waiting counts nothing down";
  outcome<void> in_time;
  latch.async_wait().within(1h)(keep(in_time));
  auto blocked = std::async(std::launch::async, [&] { return latch.wait(1h); });
  EXPECT_TRUE(test::poll_until([&] { return latch.waiting() == 2; }));
  latch.count_down();
  EXPECT_TRUE(blocked.get());
  loop_.run_out();
  EXPECT_TRUE(in_time.done() && !in_time.error);
}

}  // namespace
}  // namespace tokengate
