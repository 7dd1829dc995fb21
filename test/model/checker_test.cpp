// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The model checker itself: what the C++ memory model allows must be found, what it forbids must
// not, and a failure must be reported so that it can be replayed.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "mc/explore.hpp"
#include "mc/sync.hpp"

namespace tokengate::mc {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;
constexpr auto forever = std::chrono::nanoseconds::max();

struct litmus {
  atomic<int> x, y;
  var<int> data{0};
  int a = -1, b = -1, c = -1, d = -1;
};

/// All outcomes of a scenario, each as the text that `shown` makes of the state at the end.
template <class Threads, class Shown>
std::set<std::string> outcomes(Threads threads, Shown shown) {
  std::set<std::string> all;
  const verdict v = explore(
      [&](run& r) {
        auto& s = r.make<litmus>();
        threads(r, s);
        r.finally([&all, &s, shown] { all.insert(shown(s)); });
      },
      {.searched = 100'000, .random = 2'000, .limit = {.preemptions = 3}});
  EXPECT_EQ(v.failure, "") << v.trace;
  EXPECT_TRUE(v.complete);
  return all;
}

std::string two(const litmus& s) {
  return std::to_string(s.a) + std::to_string(s.b);
}
std::string four(const litmus& s) {
  return two(s) + std::to_string(s.c) + std::to_string(s.d);
}

auto store_buffering(std::memory_order st, std::memory_order ld) {
  return outcomes(
      [=](run& r, litmus& s) {
        r.thread("one", [=, &s] { s.x.store(1, st), s.a = s.y.load(ld); });
        r.thread("two", [=, &s] { s.y.store(1, st), s.b = s.x.load(ld); });
      },
      two);
}

auto message_passing(std::memory_order st, std::memory_order ld) {
  return outcomes(
      [=](run& r, litmus& s) {
        r.thread("one", [=, &s] { s.x.store(1, relaxed), s.y.store(1, st); });
        r.thread("two", [=, &s] { s.a = s.y.load(ld), s.b = s.x.load(relaxed); });
      },
      two);
}

TEST(checker, store_buffering_is_seen_unless_seq_cst) {
  EXPECT_TRUE(store_buffering(release, acquire).contains("00"));
  EXPECT_EQ(store_buffering(seq_cst, seq_cst), (std::set<std::string>{"01", "10", "11"}));
}

TEST(checker, message_is_whole_only_with_release_and_acquire) {
  EXPECT_TRUE(message_passing(relaxed, acquire).contains("10"));
  EXPECT_TRUE(message_passing(release, relaxed).contains("10"));
  EXPECT_EQ(message_passing(release, acquire), (std::set<std::string>{"00", "01", "11"}));
}

TEST(checker, one_atomic_never_goes_back_in_time) {
  const auto seen = outcomes(
      [](run& r, litmus& s) {
        r.thread("one", [&s] { s.x.store(1, relaxed), s.x.store(2, relaxed); });
        r.thread("two", [&s] { s.a = s.x.load(relaxed), s.b = s.x.load(relaxed); });
      },
      two);
  EXPECT_EQ(seen, (std::set<std::string>{"00", "01", "02", "11", "12", "22"}));
}

TEST(checker, independent_writers_are_seen_in_either_order_unless_seq_cst) {
  const auto seen = [](std::memory_order st, std::memory_order ld) {
    return outcomes(
        [=](run& r, litmus& s) {
          r.thread("x", [=, &s] { s.x.store(1, st); });
          r.thread("y", [=, &s] { s.y.store(1, st); });
          r.thread("xy", [=, &s] { s.a = s.x.load(ld), s.b = s.y.load(ld); });
          r.thread("yx", [=, &s] { s.c = s.y.load(ld), s.d = s.x.load(ld); });
        },
        four);
  };
  EXPECT_TRUE(seen(release, acquire).contains("1010"));
  EXPECT_FALSE(seen(seq_cst, seq_cst).contains("1010"));
}

TEST(checker, read_modify_write_continues_a_release_sequence) {
  const auto seen = outcomes(
      [](run& r, litmus& s) {
        r.thread("one", [&s] { s.x.store(1, relaxed), s.y.store(1, release); });
        r.thread("two", [&s] { s.y.fetch_add(1, relaxed); });
        r.thread("three", [&s] { s.a = s.y.load(acquire), s.b = s.x.load(relaxed); });
      },
      two);
  EXPECT_FALSE(seen.contains("20"));
  EXPECT_TRUE(seen.contains("21"));
}

TEST(checker, read_modify_writes_are_never_lost) {
  const auto seen = outcomes(
      [](run& r, litmus& s) {
        for (const char* name : {"one", "two"}) r.thread(name, [&s] { s.x.fetch_add(1, relaxed); });
        r.thread("three", [&s] {
          int expected = s.x.load(relaxed);
          while (!s.x.compare_exchange_weak(expected, expected + 1, relaxed, relaxed)) {
          }
        });
      },
      [](litmus& s) { return std::to_string(s.x.load(relaxed)); });
  EXPECT_EQ(seen, (std::set<std::string>{"3"}));
}

void handed_over(run& r, std::memory_order st, std::memory_order ld) {
  auto& s = r.make<litmus>();
  r.thread("one", [=, &s] { s.data = 1, s.y.store(1, st); });
  r.thread("two", [=, &s] {
    while (s.y.load(ld) == 0) mc_sync::spin_hint();
    require(s.data == 1, "value was handed over");
    s.data = 2;
  });
}

TEST(checker, plain_variable_handed_over_with_release_and_acquire_is_no_race) {
  expect_holds([](run& r) { handed_over(r, release, acquire); });
}

TEST(checker, plain_variable_handed_over_with_less_is_a_race) {
  const auto result = [](std::memory_order st, std::memory_order ld) {
    return explore([=](run& r) { handed_over(r, st, ld); }).failure;
  };
  EXPECT_EQ(result(relaxed, acquire), "data race: read of a plain variable");
  EXPECT_EQ(result(release, relaxed), "data race: read of a plain variable");
}

TEST(checker, polling_for_what_nobody_stores_is_a_deadlock) {
  const verdict v = explore([](run& r) {
    auto& s = r.make<litmus>();
    r.thread("one", [&s] {
      while (s.y.load(relaxed) == 0) mc_sync::spin_hint();
    });
  });
  EXPECT_EQ(v.failure, "deadlock: one(polling)");
}

TEST(checker, loop_without_end_is_a_livelock) {
  const verdict v = explore([](run& r) {
    auto& s = r.make<litmus>();
    r.thread("one", [&s] {
      while (s.y.load(relaxed) == 0) {
      }
    });
  });
  EXPECT_EQ(v.failure, "livelock: bound of steps passed");
}

/// A wake-up that comes before the sleeper sleeps is lost unless the word changed first.
void one_sleeper(run& r, bool change_word, std::chrono::nanoseconds timeout) {
  auto& word = r.make<atomic<std::uint32_t>>(0U);
  r.thread("sleeper", [&word, timeout] { (void)mc_sync::futex_wait(word, 0, timeout); });
  r.thread("waker", [&word, change_word] {
    if (change_word) word.store(1, relaxed);
    mc_sync::futex_wake(word);
  });
}

TEST(checker, futex_compares_and_sleeps_in_one_step) {
  expect_holds([](run& r) { one_sleeper(r, true, forever); });
  EXPECT_EQ(explore([](run& r) { one_sleeper(r, false, forever); }).failure,
            "deadlock: sleeper(asleep)");
}

TEST(checker, sleeper_that_only_its_timeout_saves_is_reported) {
  const auto v = explore([](run& r) { one_sleeper(r, false, std::chrono::milliseconds(1)); });
  EXPECT_EQ(v.failure, "only a timeout goes on: sleeper(asleep)");
}

TEST(checker, futex_may_wake_early_and_may_time_out) {
  std::set<std::string> seen;
  explore([&seen](run& r) {
    auto& word = r.make<atomic<std::uint32_t>>(0U);
    r.thread("sleeper", [&] {
      const bool woken = mc_sync::futex_wait(word, 0, std::chrono::milliseconds(1));
      seen.insert(woken ? (word.load(relaxed) == 0 ? "spurious" : "woken") : "timeout");
    });
    r.thread("waker", [&] {
      word.store(1, relaxed);
      mc_sync::futex_wake(word);
    });
  });
  EXPECT_EQ(seen, (std::set<std::string>{"spurious", "timeout", "woken"}));
}

/// The canary: two increments as load and store, which lose one of them in a few schedules.
void canary(run& r) {
  auto& s = r.make<litmus>();
  for (const char* name : {"one", "two"})
    r.thread(name, [&s] { s.x.store(s.x.load(acquire) + 1, release); });
  r.finally([&s] { require(s.x.load(relaxed) == 2, "both increments are there"); });
}

TEST(checker, canary_is_found_by_search_and_by_chance) {
  const verdict searched = explore(canary, {.searched = 1'000, .random = 0});
  EXPECT_EQ(searched.failure, "both increments are there");
  EXPECT_EQ(searched.seed, 0U);
  const verdict random = explore(canary, {.searched = 0, .random = 1'000});
  EXPECT_EQ(random.failure, "both increments are there");
  EXPECT_NE(random.seed, 0U);
}

TEST(checker, canary_is_replayed_from_its_choices) {
  for (const std::uint64_t searched : {0U, 1'000U}) {
    const verdict found = explore(canary, {.searched = searched, .random = 1'000});
    const verdict again = explorer(canary, {}).replay(found.replay);
    EXPECT_EQ(again.failure, found.failure);
    EXPECT_EQ(again.trace, found.trace);
    EXPECT_NE(found.trace.find("checker_test.cpp:"), std::string::npos) << found.trace;
  }
}

TEST(checker, canary_without_preemption_is_found_by_a_stale_read) {
  const verdict v = explore(canary, {.searched = 1'000, .random = 0, .limit = {.preemptions = 0}});
  EXPECT_EQ(v.failure, "both increments are there");
}

TEST(checker, fault_is_put_where_it_was_asked_for) {
  struct two_functions {
    atomic<int> x;
    void right() { x.fetch_add(1, acq_rel); }
    void wrong() { x.fetch_add(1, acq_rel); }
  };
  const auto what = [](run& r) {
    auto& s = r.make<two_functions>();
    r.thread("one", [&s] { s.right(); });
    r.thread("two", [&s] { s.wrong(); });
    r.finally([&s] { require(s.x.load(relaxed) == 2, "both increments are there"); });
  };
  expect_holds(what);
  expect_killed(what, {"lost", in("wrong", kind::fetch), mutant::action::split});
  mutant never{"never", in("elsewhere", kind::fetch), mutant::action::split};
  const verdict v = explore(what, {}, &never);
  EXPECT_EQ(v.failure, "");
  EXPECT_EQ(v.faults_hit, 0U);
}

}  // namespace
}  // namespace tokengate::mc
