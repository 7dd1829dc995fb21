// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Nobody is overtaken: waits that begin in a known order, on one loop or on two threads, some of
// them cancelled or limited, are served in that order. Counted, not timed.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "stress/scaled.hpp"
#include "tokengate/async_mutex.hpp"
#include "tokengate/async_semaphore.hpp"
#include "tokengate/async_shared_mutex.hpp"
#include "tokengate/channel.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

unsigned rounds() {
  return scaled(300U);
}

/// One wait, in the order in which they began.
struct wait {
  std::size_t weight = 0;  ///< of capacity: two that exceed it together exclude each other
  unsigned loop = 0;
  std::optional<std::chrono::nanoseconds> limit;
  bool cancelled = false;
  asio::cancellation_signal signal;
  bool served = false;
  int ended = 0;
  std::uint64_t entered = 0, left = 0;
  int value = -1;
};

/// Two loops, or one twice; waits begin one after another, each on its own.
class queue_of_waits {
 public:
  queue_of_waits(unsigned seed, bool two_threads, std::size_t capacity)
      : random_(seed), two_(two_threads), capacity_(capacity), waits_(2 + random_() % 24) {
    for (auto& each : waits_) {
      each.loop = two_ ? random_() % 2 : 0;
      each.weight = random_() % 4 == 0 ? capacity_ : 1 + random_() % capacity_;
      auto const fate = random_() % 6;
      if (fate == 0) each.limit = std::chrono::nanoseconds(random_() % 20'000);
      each.cancelled = fate == 1;
    }
    left_ = waits_.size();
    opens_ = random_() % (waits_.size() + 1);
  }

  /// `begin(wait, number)` begins one; `open()` lets the first one go on, somewhere among them or
  /// after all of them; `done()` is called when all have ended.
  template <class Begin, class Open, class Done>
  void run(Begin begin, Open open, Done done) {
    begin_ = [this, begin](std::size_t i) { begin(waits_[i], i); };
    open_ = open;
    done_ = done;
    asio::post(loop(0), [this] { next(0); });
    std::jthread other;
    if (two_) other = std::jthread([this] { loops_[1].run(); });
    loops_[0].run();
    if (!two_) guards_[1].reset();
  }

  /// From a handler.
  void ended(wait& of) {
    if (++of.ended == 1 && left_.fetch_sub(1) == 1) finish();
  }
  /// Nothing else is to be waited for.
  void finish() {
    done_();
    for (auto& each : guards_) each.reset();
  }
  std::uint64_t now() { return ++clock_; }
  asio::io_context& loop(unsigned i) { return loops_[two_ ? i : 0]; }
  std::deque<wait>& waits() { return waits_; }
  std::size_t capacity() const { return capacity_; }
  bool two() const { return two_; }

 private:
  void next(std::size_t i) {
    if (i == opens_) open_();
    if (i == waits_.size()) return;
    begin_(i);
    // A wait is cancelled on its own loop, at some moment from now on.
    if (waits_[i].cancelled)
      asio::post(loop(waits_[i].loop),
                 [of = &waits_[i]] { of->signal.emit(asio::cancellation_type::terminal); });
    auto const following = i + 1 == waits_.size() ? 0 : waits_[i + 1].loop;
    asio::post(loop(following), [this, i] { next(i + 1); });
  }

  std::minstd_rand random_;
  bool two_;
  std::size_t capacity_;
  std::size_t opens_;
  std::atomic<std::uint64_t> clock_{0};
  std::atomic<std::size_t> left_;
  std::function<void(std::size_t)> begin_;
  std::function<void()> open_, done_;
  std::array<asio::io_context, 2> loops_{asio::io_context(1), asio::io_context(1)};
  using guard = asio::executor_work_guard<asio::io_context::executor_type>;
  std::array<guard, 2> guards_{guard(loops_[0].get_executor()), guard(loops_[1].get_executor())};
  std::deque<wait> waits_;  // last: the signals go before the loops
};

/// As the handler of a wait: on its loop, with its cancellation slot.
template <class Handler>
auto on_its_loop(queue_of_waits& in, wait& of, Handler handler) {
  return asio::bind_executor(in.loop(of.loop),
                             asio::bind_cancellation_slot(of.signal.slot(), std::move(handler)));
}
template <class Lazy, class Handler>
void start(Lazy&& lazy, wait const& of, Handler handler) {
  if (of.limit)
    std::forward<Lazy>(lazy).within (*of.limit)(std::move(handler));
  else
    std::forward<Lazy>(lazy)(std::move(handler));
}

/// Holds what it was given for a while, or for no time.
template <class Guard>
void enter(queue_of_waits& in, wait& of, std::exception_ptr failed, Guard held) {
  if (failed) return in.ended(of);
  of.served = true;
  of.entered = in.now();
  auto leave = [&in, &of, held = std::make_shared<Guard>(std::move(held))]() mutable {
    of.left = in.now();
    held.reset();
    in.ended(of);
  };
  if (of.weight % 2 == 0) return leave();
  asio::post(in.loop(of.loop), std::move(leave));
}

void expect_in_order(queue_of_waits& in) {
  auto& all = in.waits();
  for (std::size_t j = 0; j != all.size(); ++j) {
    EXPECT_EQ(all[j].ended, 1) << j;
    EXPECT_TRUE(all[j].served || all[j].limit || all[j].cancelled) << j << " was given up";
    if (!all[j].served) continue;
    for (std::size_t i = 0; i != j; ++i) {
      if (!all[i].served) continue;
      if (all[i].weight + all[j].weight > in.capacity()) {
        EXPECT_LT(all[i].left, all[j].entered) << j << " has overtaken " << i;
      } else if (!in.two()) {
        // On two threads a handler may be called later than that of one who came behind it.
        EXPECT_LT(all[i].entered, all[j].entered) << j << " has overtaken " << i;
      }
    }
  }
}

/// `begin(wait, handler)` with the kind of lock that it is.
template <class Begin, class Open>
void queue_up(queue_of_waits& in, Begin begin, Open open) {
  in.run(
      [&in, begin](wait& of, std::size_t) {
        begin(of, [&in, &of](std::exception_ptr failed, auto held) {
          enter(in, of, std::move(failed), std::move(held));
        });
      },
      open, [] {});
  expect_in_order(in);
}

class fairness : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(on, fairness, testing::Bool(),
                         [](auto const& each) { return each.param ? "two_threads" : "one_loop"; });

TEST_P(fairness, of_a_mutex) {
  for (unsigned round = 0; round != rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    async_mutex mutex(in.loop(0));
    auto held = std::make_optional(mutex.try_lock());
    queue_up(
        in,
        [&](wait& of, auto handler) {
          start(mutex.async_lock(), of, on_its_loop(in, of, std::move(handler)));
        },
        [&] { held.reset(); });
  }
}

TEST_P(fairness, of_a_shared_mutex) {
  for (unsigned round = 0; round != rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    std::size_t const all = 1000;
    queue_of_waits in(round + 1, GetParam(), all);
    for (auto& each : in.waits()) each.weight = each.weight % 3 == 0 ? all : 1;
    async_shared_mutex mutex(in.loop(0));
    auto held = std::make_optional(mutex.try_lock());
    queue_up(
        in,
        [&](wait& of, auto handler) {
          if (of.weight == all)
            start(mutex.async_lock(), of, on_its_loop(in, of, std::move(handler)));
          else
            start(mutex.async_lock_shared(), of, on_its_loop(in, of, std::move(handler)));
        },
        [&] { held.reset(); });
  }
}

TEST_P(fairness, of_a_semaphore_with_weights) {
  for (unsigned round = 0; round != rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    std::size_t const permits = 1 + round % 5;
    queue_of_waits in(round + 1, GetParam(), permits);
    async_semaphore slots(in.loop(0), permits);
    auto held = std::make_optional(slots.try_acquire(permits));
    queue_up(
        in,
        [&](wait& of, auto handler) {
          start(slots.async_acquire(of.weight), of, on_its_loop(in, of, std::move(handler)));
        },
        [&] { held.reset(); });
  }
}

TEST_P(fairness, of_receivers) {
  for (unsigned round = 0; round != rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    // An item that a receive gives back is the next one's, who may come after others that have got
    // later ones: the order tells of the waits only where none gives up.
    bool const nobody_gives_up = round % 2 == 0;
    for (auto& each : in.waits()) {
      if (!nobody_gives_up) break;
      each.limit.reset();
      each.cancelled = false;
    }
    channel<int> items(in.loop(0).get_executor(), round / 2 % 4);
    in.run(
        [&](wait& of, std::size_t) {
          start(items.async_receive(), of,
                on_its_loop(in, of, [&in, &of](std::exception_ptr failed, int item) {
                  of.served = !failed;
                  of.value = item;
                  in.ended(of);
                }));
        },
        [&] {
          for (int i = 0; i != static_cast<int>(in.waits().size()); ++i)
            items.async_send(i, asio::bind_executor(in.loop(0), [](std::exception_ptr) {}));
        },
        [&] { items.close(); });
    int last = -1;
    std::set<int> got;
    for (auto& each : in.waits()) {
      EXPECT_EQ(each.ended, 1);
      EXPECT_TRUE(each.served || each.limit || each.cancelled);
      if (!each.served) continue;
      EXPECT_TRUE(got.insert(each.value).second) << "received twice: " << each.value;
      if (nobody_gives_up) {
        EXPECT_GT(each.value, last) << "overtaken";
      }
      last = each.value;
    }
  }
}

TEST_P(fairness, of_senders) {
  for (unsigned round = 0; round != rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    channel<int> items(in.loop(0).get_executor(), round % 4);
    std::vector<int> got;
    auto drain = [](channel<int>* from, std::vector<int>* got) -> asio::awaitable<void> {
      for (;;) {
        auto [failed, item] = co_await from->async_receive(asio::as_tuple(asio::use_awaitable));
        if (failed) break;
        got->push_back(item);
      }
    };
    in.run(
        [&](wait& of, std::size_t number) {
          start(items.async_send(static_cast<int>(number)), of,
                on_its_loop(in, of, [&in, &of](std::exception_ptr failed) {
                  of.served = !failed;
                  in.ended(of);
                }));
        },
        [&] { asio::co_spawn(in.loop(1), drain(&items, &got), asio::detached); },
        [&] { items.close(); });
    // Where all had ended before anybody received.
    while (auto item = items.try_receive()) got.push_back(*item);
    std::vector<int> expected;
    for (std::size_t i = 0; i != in.waits().size(); ++i) {
      EXPECT_EQ(in.waits()[i].ended, 1);
      EXPECT_TRUE(in.waits()[i].served || in.waits()[i].limit || in.waits()[i].cancelled);
      if (in.waits()[i].served) expected.push_back(static_cast<int>(i));
    }
    EXPECT_EQ(got, expected) << "those that were sent, in their order";
  }
}

}  // namespace
}  // namespace tokengate::test
