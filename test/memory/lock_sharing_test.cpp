// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <iterator>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>

#include "gate_core.hpp"
#include "memory/lock_hooks.hpp"
#include "support/gate_fixture.hpp"
#include "support/patience.hpp"
#include "worker.hpp"

// Two loops that feed one pool share no lock: each mutex that any of the threads takes on the way
// of a token is of one io_context or of its gate. A worker takes these only to wake a sleeping
// loop.

namespace tokengate::test {
namespace {

constexpr std::uint64_t enough = 10'000;  // tokens of each loop, to get warm and then recorded

std::set<void const*> taken_by_both(std::set<void const*> const& one,
                                    std::set<void const*> const& other) {
  std::set<void const*> both;
  std::ranges::set_intersection(one, other, std::inserter(both, both.end()));
  return both;
}

/// An io_context run by a thread of its own, and a gate; so many tokens are out all the time.
class streaming_loop {
 public:
  streaming_loop(worker_pool& workers, hot_drain hot, std::size_t outstanding, std::mutex* extra)
      : gate_(context_.get_executor(), workers, {.hot = hot}),
        light_(gate_.define({.operation = "empty", .weight = weight::light})),
        extra_(extra),
        thread_([this, outstanding] { run(outstanding); }) {}
  ~streaming_loop() {
    quit();
    expect_conserved(gate_);
  }

  void quit() {
    quit_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::uint64_t handled() const noexcept { return handled_; }
  [[nodiscard]] std::thread::id thread() const noexcept { return id_; }

  /// Whether a lock is part of the io_context, or of the gate.
  [[nodiscard]] bool owns(void const* lock) {
    return is_in(lock, asio::use_service<asio::detail::scheduler>(context_)) ||
           is_in(lock, asio::use_service<asio::detail::reactor>(context_)) ||
           is_in(lock, *core_.load());
  }
  /// Whether it is one of a worker, which takes it when it hears of a new gate: late, maybe.
  [[nodiscard]] bool is_of_a_worker(void const* lock) {
    detail::pool_core& pool = core_.load()->pool();
    for (std::size_t at = 0; at != pool.size(); ++at)
      if (is_in(lock, pool.at(at))) return true;
    return false;
  }

 private:
  template <class T>
  static bool is_in(void const* at, T const& whole) noexcept {
    auto const* const begin = reinterpret_cast<char const*>(&whole);
    return at >= begin && at < begin + sizeof(T);
  }

  void run(std::size_t outstanding) {
    gate_.async_run(
        light_,
        [this] { core_ = static_cast<detail::gate_core*>(detail::this_worker.from->bell.get()); },
        [](std::exception_ptr) {});
    for (std::size_t i = 0; i != outstanding; ++i) issue();
    context_.run();
  }
  void issue() {
    gate_.async_run(
        light_, [] {}, [this](std::exception_ptr) { handle(); });
  }
  void handle() {
    if (extra_ != nullptr) std::lock_guard const hold(*extra_);
    ++handled_;
    if (!quit_) issue();
  }

  asio::io_context context_{1};
  gate gate_;
  operation light_;
  std::mutex* extra_;
  std::atomic<detail::gate_core*> core_{nullptr};
  std::atomic<std::uint64_t> handled_{0};
  std::atomic<bool> quit_{false};
  std::thread thread_;
  std::thread::id id_{thread_.get_id()};
};

/// Two such loops and their pool; what was locked while both streamed, warm.
class lock_sharing : public testing::Test {
 protected:
  void stream(hot_drain hot, std::size_t outstanding, std::mutex* extra = nullptr) {
    for (auto& each : loops_) each.emplace(workers_, hot, outstanding, extra);
    wait_for_more();
    lock_recording recording;
    wait_for_more();
    log_ = recording.stop();
    for (auto& each : loops_) each->quit();
  }

  [[nodiscard]] std::set<void const*> const& of_loop(std::size_t i) {
    return log_[loops_[i]->thread()];
  }

  /// Each lock taken is of one loop, and no other loop has taken it. Gives how often workers did.
  [[nodiscard]] std::size_t expect_each_lock_has_one_loop() {
    std::size_t of_workers = 0;
    for (auto const& [thread, locks] : log_)
      for (void const* lock : locks) {
        bool const first = loops_[0]->owns(lock);
        bool const second = loops_[1]->owns(lock);
        if (thread == loops_[0]->thread()) {
          EXPECT_TRUE(first) << lock;
        } else if (thread == loops_[1]->thread()) {
          EXPECT_TRUE(second) << lock;
        } else {
          EXPECT_TRUE(first || second || loops_[0]->is_of_a_worker(lock)) << lock;
          of_workers += first || second;
        }
        EXPECT_FALSE(first && second) << lock;
      }
    std::printf("[          ] locks taken: %zu and %zu by the loops, %zu by workers\n",
                of_loop(0).size(), of_loop(1).size(), of_workers);
    EXPECT_FALSE(of_loop(0).empty()) << "an io_context takes its own";
    EXPECT_FALSE(of_loop(1).empty());
    EXPECT_TRUE(taken_by_both(of_loop(0), of_loop(1)).empty());
    return of_workers;
  }

 private:
  void wait_for_more() {
    std::array const goals{loops_[0]->handled() + enough, loops_[1]->handled() + enough};
    ASSERT_TRUE(poll_until(
        [&] { return loops_[0]->handled() >= goals[0] && loops_[1]->handled() >= goals[1]; }));
  }

  worker_pool workers_{small_pool(2)};
  std::array<std::optional<streaming_loop>, 2> loops_;
  locks_by_thread log_;
};

TEST_F(lock_sharing, busy_loops_share_none) {
  stream(hot_drain::automatic, 64);
  (void)expect_each_lock_has_one_loop();
}

TEST_F(lock_sharing, loops_that_workers_wake_share_none) {
  stream(hot_drain::off, 1);
  EXPECT_GT(expect_each_lock_has_one_loop(), 0u) << "to post a turn to a loop that sleeps";
}

TEST_F(lock_sharing, lock_that_handlers_of_both_take_is_found) {
  std::mutex extra;
  stream(hot_drain::automatic, 64, &extra);
  EXPECT_EQ(taken_by_both(of_loop(0), of_loop(1)), std::set<void const*>{extra.native_handle()});
}

TEST(lock_recording, finds_every_kind_of_lock_by_thread) {
  std::mutex both;
  std::mutex tried;
  std::shared_mutex read;
  std::mutex before;
  { std::lock_guard const hold(before); }
  lock_recording recording;
  { std::lock_guard const hold(both); }
  { std::unique_lock const hold(tried, std::try_to_lock); }
  std::thread other([&] {
    std::lock_guard const hold(both);
    std::shared_lock const look(read);
  });
  auto const id = other.get_id();
  other.join();
  auto log = recording.stop();
  { std::lock_guard const hold(before); }
  auto const here = log[std::this_thread::get_id()];
  EXPECT_EQ(here, (std::set<void const*>{both.native_handle(), tried.native_handle()}));
  EXPECT_EQ(log[id], (std::set<void const*>{both.native_handle(), read.native_handle()}));
  EXPECT_TRUE(taken_by_both(here, log[id]).contains(both.native_handle()));
}

}  // namespace
}  // namespace tokengate::test
