// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <thread>

#include "stress/scaled.hpp"
#include "tokengate/fwd.hpp"

/// @file
/// Waits that begin in a known order, on one loop or on two threads; some of them are cancelled or
/// limited, and some only try, which is not to get them in before those who wait.

namespace tokengate::test {

inline unsigned fairness_rounds() {
  return scaled(300U);
}

/// One wait, in the order in which they began.
struct wait {
  std::size_t weight = 0;  ///< of capacity: two that exceed it together exclude each other
  unsigned loop = 0;
  std::optional<std::chrono::nanoseconds> limit;
  bool cancelled = false;
  bool tries = false;  ///< begins in its place as the others, and does not wait
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
      each.tries = fate == 2;
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

  /// From a handler, or from one that has tried.
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

inline void expect_ended(wait const& of) {
  EXPECT_EQ(of.ended, 1);
  EXPECT_TRUE(of.served || of.limit || of.cancelled || of.tries) << "was given up";
}

}  // namespace tokengate::test
