// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Locks, broadcast and watch on real threads: a loop run by several, loops of their own, plain
// threads that block; waits that are given up at any moment. Counted, not timed.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>
#include <random>
#include <thread>
#include <vector>

#include "stress/scaled.hpp"
#include "tokengate/async_barrier.hpp"
#include "tokengate/async_mutex.hpp"
#include "tokengate/async_semaphore.hpp"
#include "tokengate/async_shared_mutex.hpp"
#include "tokengate/broadcast.hpp"
#include "tokengate/lock_checks.hpp"
#include "tokengate/monitor.hpp"
#include "tokengate/watch.hpp"

namespace tokengate {
namespace {

using namespace std::chrono_literals;
using test::scaled;

/// Two threads on one loop, and one on another.
class locks_on_threads : public testing::Test {
 public:
  /// Runs what was spawned on both loops to its end.
  void run() {
    std::vector<std::jthread> threads;
    for (auto* loop : {&crowd_, &crowd_, &alone_}) threads.emplace_back([loop] { loop->run(); });
  }
  asio::any_io_executor executor(int i) {
    if (i % 2 == 0) return asio::make_strand(crowd_);
    return alone_.get_executor();
  }
  template <class Body>
  void spawn(int i, Body body) {
    asio::co_spawn(executor(i), std::move(body), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
  }

  asio::io_context crowd_{2};
  asio::io_context alone_{1};
};

/// Gives a wait up at a moment of chance, or not at all.
std::chrono::nanoseconds some_patience(std::mt19937& random) {
  return random() % 3 == 0 ? std::chrono::nanoseconds(random() % 20'000) : 10s;
}
bool gave_up(std::exception_ptr const& error) {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (boost::system::system_error const& caught) {
    EXPECT_EQ(caught.code(), error::timed_out);
  }
  return true;
}

/// What only one may touch at a time.
struct guarded_count {
  std::uint64_t value = 0;
  std::atomic<std::uint64_t> grants{0};
};

asio::awaitable<void> count_up(async_mutex* mutex, guarded_count* count, int times, unsigned seed) {
  std::mt19937 random{seed};
  auto const token = asio::as_tuple(asio::use_awaitable);
  for (int i = 0; i != times; ++i) {
    auto wait = mutex->async_lock().within(some_patience(random));
    auto [error, held] = co_await std::move(wait)(token);
    if (gave_up(error)) continue;
    ++count->value;
    count->grants.fetch_add(1, std::memory_order_relaxed);
    if (random() % 4 == 0) co_await asio::post(asio::use_awaitable);  // held across a suspension
  }
}

TEST_F(locks_on_threads, mutex_lets_one_in_and_loses_no_turn) {
  async_mutex mutex(alone_);
  guarded_count count;
  int const times = scaled(20'000, 4);
  for (int i = 0; i != 8; ++i) spawn(i, count_up(&mutex, &count, times, static_cast<unsigned>(i)));
  std::jthread blocking([&] {
    for (int i = 0; i != times / 10; ++i) {
      auto held = mutex.lock();
      ++count.value;
      count.grants.fetch_add(1, std::memory_order_relaxed);
    }
  });
  run();
  blocking.join();
  EXPECT_EQ(count.value, count.grants.load());
  EXPECT_TRUE(mutex.try_lock());
}

asio::awaitable<void> take_some(async_semaphore* slots, std::atomic<int>* out, int times,
                                unsigned seed) {
  std::mt19937 random{seed};
  auto const token = asio::as_tuple(asio::use_awaitable);
  for (int i = 0; i != times; ++i) {
    auto const wanted = 1 + random() % 5;
    auto wait = slots->async_acquire(wanted).within(some_patience(random));
    auto [error, held] = co_await std::move(wait)(token);
    if (gave_up(error)) continue;
    int const now = out->fetch_add(static_cast<int>(wanted)) + static_cast<int>(wanted);
    EXPECT_LE(now, 5);
    if (random() % 4 == 0) co_await asio::post(asio::use_awaitable);
    out->fetch_sub(static_cast<int>(wanted));
  }
}

TEST_F(locks_on_threads, semaphore_keeps_its_bound_through_a_storm_of_cancellations) {
  async_semaphore slots(alone_, 5);
  std::atomic<int> out{0};
  for (int i = 0; i != 10; ++i)
    spawn(i, take_some(&slots, &out, scaled(10'000, 4), static_cast<unsigned>(i)));
  run();
  EXPECT_EQ(slots.available(), 5u);
  EXPECT_TRUE(slots.snapshot().waiters.empty());
}

/// As take_some(), but given up through the slot, on the executor that waits, whichever comes
/// first.
asio::awaitable<void> take_or_cancel(async_semaphore* slots, std::atomic<int>* cancelled, int times,
                                     unsigned seed) {
  std::mt19937 random{seed};
  asio::cancellation_type const kinds[] = {asio::cancellation_type::terminal,
                                           asio::cancellation_type::partial,
                                           asio::cancellation_type::total};
  auto const executor = co_await asio::this_coro::executor;
  for (int i = 0; i != times; ++i) {
    asio::cancellation_signal signal;
    auto const kind = kinds[random() % 3];
    asio::post(executor, [&signal, kind] { signal.emit(kind); });
    auto wait = slots->async_acquire(1 + random() % 3);
    auto [error, held] = co_await std::move(wait)(
        asio::bind_cancellation_slot(signal.slot(), asio::as_tuple(asio::use_awaitable)));
    if (error) cancelled->fetch_add(1, std::memory_order_relaxed);
    co_await asio::post(asio::use_awaitable);  // behind the emission, which refers to the signal
  }
}

TEST_F(locks_on_threads, cancellation_through_the_slot_loses_no_permit) {
  async_semaphore slots(alone_, 3);
  std::atomic<int> cancelled{0};
  for (int i = 0; i != 10; ++i)
    spawn(i, take_or_cancel(&slots, &cancelled, scaled(5'000, 4), static_cast<unsigned>(i)));
  run();
  EXPECT_EQ(slots.available(), 3u);
  EXPECT_GT(cancelled.load(), 0);
}

asio::awaitable<void> read_or_write(async_shared_mutex* book, guarded_count* count,
                                    std::atomic<int>* readers, int times, unsigned seed) {
  std::mt19937 random{seed};
  auto const token = asio::as_tuple(asio::use_awaitable);
  for (int i = 0; i != times; ++i) {
    auto const patience = some_patience(random);
    if (random() % 4 == 0) {
      auto wait = book->async_lock().within(patience);
      auto [error, held] = co_await std::move(wait)(token);
      if (gave_up(error)) continue;
      EXPECT_EQ(readers->load(), 0);
      ++count->value;
      count->grants.fetch_add(1, std::memory_order_relaxed);
      if (random() % 2 == 0) auto reading = held.downgrade();
    } else {
      auto wait = book->async_lock_shared().within(patience);
      auto [error, held] = co_await std::move(wait)(token);
      if (gave_up(error)) continue;
      readers->fetch_add(1);
      EXPECT_LE(count->value, count->grants.load());
      if (random() % 4 == 0) co_await asio::post(asio::use_awaitable);
      readers->fetch_sub(1);
    }
  }
}

TEST_F(locks_on_threads, writers_are_alone_and_readers_are_not) {
  async_shared_mutex book(alone_);
  guarded_count count;
  std::atomic<int> readers{0};
  for (int i = 0; i != 8; ++i)
    spawn(i, read_or_write(&book, &count, &readers, scaled(10'000, 4), static_cast<unsigned>(i)));
  run();
  EXPECT_EQ(count.value, count.grants.load());
  EXPECT_TRUE(book.try_lock());
}

/// Takes two locks in whatever order; whoever is refused starts again.
asio::awaitable<void> dine(std::vector<std::unique_ptr<async_mutex>>* forks, int meals,
                           unsigned seed, std::atomic<int>* refusals) {
  std::mt19937 random{seed};
  auto const token = asio::as_tuple(asio::use_awaitable);
  for (int i = 0; i != meals;) {
    lock_owner const me("philosopher");
    auto const left = random() % forks->size();
    auto const right = (left + 1 + random() % (forks->size() - 1)) % forks->size();
    auto first = co_await (*forks)[left]->async_lock(me);
    if (random() % 2 == 0) co_await asio::post(asio::use_awaitable);
    auto [error, second] = co_await (*forks)[right]->async_lock(me, token);
    if (!error)
      ++i;
    else
      refusals->fetch_add(1);
  }
}

TEST_F(locks_on_threads, every_cycle_is_found_so_nobody_stands_still) {
  bool const were_on = lock_checks();
  set_lock_checks(true);
  set_lock_cycle_handler([](lock_cycle const& cycle) { EXPECT_GE(cycle.size(), 2u); });
  {
    std::vector<std::unique_ptr<async_mutex>> forks;
    for (int i = 0; i != 4; ++i) forks.push_back(std::make_unique<async_mutex>(alone_, "fork"));
    std::atomic<int> refusals{0};
    for (int i = 0; i != 6; ++i)
      spawn(i, dine(&forks, scaled(3'000, 4), static_cast<unsigned>(i), &refusals));
    run();
    EXPECT_GT(refusals.load(), 0) << "else this has tried nothing";
  }
  set_lock_cycle_handler(nullptr);
  set_lock_checks(were_on);
}

TEST_F(locks_on_threads, monitor_hands_every_item_to_one) {
  using queue = std::vector<int>;
  monitor<queue> items(alone_);
  int const count = scaled(20'000, 4);
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
  auto const take = [](monitor<queue>* items, std::vector<std::atomic<int>>* seen,
                       int each) -> asio::awaitable<void> {
    for (int i = 0; i != each; ++i) {
      auto held = co_await items->async_lock_when([](queue const& q) { return !q.empty(); });
      (*seen)[static_cast<std::size_t>(held->back())].fetch_add(1);
      held->pop_back();
    }
  };
  for (int i = 0; i != 4; ++i) spawn(i, take(&items, &seen, count / 4));
  std::jthread filling([&] {
    for (int i = 0; i != count; ++i) items.lock()->push_back(i);
  });
  run();
  filling.join();
  int doubled = 0;
  for (auto& each : seen) doubled += each.load() > 1 ? 1 : 0;
  EXPECT_EQ(doubled, 0);
  EXPECT_EQ(items.lock()->size(), static_cast<std::size_t>(count % 4));
}

struct message {
  int sender;
  int number;
};

asio::awaitable<void> send_all(broadcast<message>* news, int sender, int count,
                               std::atomic<int>* left) {
  std::mt19937 random{static_cast<unsigned>(sender)};
  auto const token = asio::as_tuple(asio::use_awaitable);
  for (int i = 0; i != count;) {
    message const next{sender, i};
    auto wait = news->async_send(next).within(some_patience(random));
    auto [error] = co_await std::move(wait)(token);
    if (!gave_up(error)) ++i;
  }
  if (left->fetch_sub(1) == 1) news->close();
}

asio::awaitable<void> read_all(broadcast<message>::reader* from, std::vector<int>* next,
                               std::uint64_t* received, unsigned seed) {
  std::mt19937 random{seed};
  auto const token = asio::as_tuple(asio::use_awaitable);
  for (;;) {
    auto wait = from->async_receive().within(some_patience(random));
    auto [error, item] = co_await std::move(wait)(token);
    if (!item) {
      try {
        std::rethrow_exception(error);
      } catch (boost::system::system_error const& caught) {
        if (caught.code() == error::closed) co_return;
      }
      continue;
    }
    auto& expected = (*next)[static_cast<std::size_t>(item->sender)];
    if (from->skipped() == 0)
      EXPECT_EQ(item->number, expected);
    else
      EXPECT_GE(item->number, expected);
    expected = item->number + 1;
    ++*received;
  }
}

TEST_F(locks_on_threads, broadcast_shows_all_to_all_in_order) {
  broadcast<message> news(alone_, 16);
  int const count = scaled(10'000, 4);
  std::atomic<int> left{3};
  std::vector<broadcast<message>::reader> readers;
  for (int i = 0; i != 5; ++i)
    readers.push_back(news.subscribe(i < 4 ? lag_policy::wait : lag_policy::skip));
  std::vector<std::vector<int>> next(readers.size(), std::vector<int>(3));
  std::vector<std::uint64_t> received(readers.size());
  for (std::size_t i = 0; i != readers.size(); ++i)
    spawn(static_cast<int>(i),
          read_all(&readers[i], &next[i], &received[i], static_cast<unsigned>(i)));
  for (int i = 0; i != 3; ++i) spawn(i, send_all(&news, i, count, &left));
  run();
  for (std::size_t i = 0; i != readers.size(); ++i)
    EXPECT_EQ(received[i] + readers[i].skipped(), 3u * static_cast<unsigned>(count)) << i;
}

TEST_F(locks_on_threads, watch_only_goes_forward_and_ends_with_the_last) {
  std::optional<watch<int>> price(std::in_place, alone_, 0);
  int const count = scaled(50'000, 4);
  std::vector<watch<int>::reader> readers;
  std::vector<int> last(4);
  auto const follow = [](watch<int>::reader* reader, int* last) -> asio::awaitable<void> {
    auto const token = asio::as_tuple(asio::use_awaitable);
    for (;;) {
      auto [error, value] = co_await reader->async_changed(token);
      if (error) co_return;
      EXPECT_GT(*value, *last);
      *last = *value;
    }
  };
  for (int i = 0; i != 4; ++i) readers.push_back(price->subscribe());
  for (int i = 0; i != 4; ++i)
    spawn(i, follow(&readers[static_cast<std::size_t>(i)], &last[static_cast<std::size_t>(i)]));
  std::jthread setting([&] {
    for (int i = 1; i <= count; ++i) price->set(i);
    price.reset();
  });
  run();
  setting.join();
  EXPECT_EQ(last, std::vector<int>(4, count));
}

TEST_F(locks_on_threads, barrier_keeps_threads_in_step) {
  async_barrier barrier(alone_, 4);
  int const rounds = scaled(5'000, 4);
  std::vector<std::atomic<int>> at(4);
  auto const go = [](async_barrier* barrier, std::vector<std::atomic<int>>* at, std::size_t me,
                     int rounds) -> asio::awaitable<void> {
    for (int i = 0; i != rounds; ++i) {
      (*at)[me].store(i);
      co_await barrier->async_arrive_and_wait();
      for (auto& other : *at) EXPECT_GE(other.load(), i);
    }
  };
  for (int i = 0; i != 4; ++i) spawn(i, go(&barrier, &at, static_cast<std::size_t>(i), rounds));
  run();
  EXPECT_EQ(barrier.phase(), static_cast<std::uint64_t>(rounds));
}

}  // namespace
}  // namespace tokengate
