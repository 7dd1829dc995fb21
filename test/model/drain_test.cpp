// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The parking word as a gate uses it for its drain: workers push results and start the drain when
// it was parked; a thread that issues may claim the parked drain and start it itself. The drain may
// run on any thread of its executor, one after the other.
#include <gtest/gtest.h>

#include "mc/explore.hpp"
#include "mc/sync.hpp"
#include "model/test_ring.hpp"
#include "tokengate/detail/parking.hpp"

namespace tokengate::mc {
namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto relaxed = std::memory_order_relaxed;

using parking = detail::parking_word<mc_sync>;

/// What the scenarios do wrong on purpose.
enum class flaw : std::uint8_t {
  none,
  results_left,        ///< the drain ends at its budget without running again
  no_scan_after_park,  ///< the drain looks, does not find, and forgets that try_park() failed
  claim_ignored,       ///< the issuer starts the drain whether or not it got the claim
};

struct gate_state {
  parking bell{parking::parked};
  std::array<test_ring, 2> returns;
  atomic<unsigned> posted{0U};  ///< the executor's queue: drains that were started
  atomic<bool> all_done{false};
  var<int> delivered{0};  ///< the drain's own; races when two of them run
  unsigned starts = 0;
  int expected;
  unsigned budget;
  flaw wrong;

  gate_state(int expected, unsigned budget, flaw wrong)
      : expected(expected), budget(budget), wrong(wrong) {}

  void start_drain() {
    ++starts;
    require(posted.fetch_add(1, release) == 0, "at most one drain is started");
  }
  void finish(unsigned ring) {
    returns[ring].push(1);
    if (bell.notify()) start_drain();
  }
  void issue() {
    if (bell.claim() || wrong == flaw::claim_ignored) start_drain();
  }

  void drain() {
    bell.unpark();
    for (;;) {
      unsigned left = budget;
      for (test_ring& ring : returns)
        left -= ring.consume(left, [this](int) { delivered = delivered + 1; });
      if (delivered == expected) all_done.store(true, release);
      if (left == 0) {
        // The budget is used up: let the loop do something else, and come back. Not parked.
        if (wrong != flaw::results_left) start_drain();
        return;
      }
      if (bell.try_park() || wrong == flaw::no_scan_after_park) return;
    }
  }

  /// One thread of the executor.
  void run() {
    while (!all_done.load(acquire)) {
      unsigned one = 1;
      if (posted.load(relaxed) == 1 && posted.compare_exchange_strong(one, 0, acquire, relaxed))
        drain();
      else
        mc_sync::spin_hint();
    }
  }
};

struct shape {
  unsigned workers;
  int each;
  bool issuer;
  unsigned loops;
  unsigned budget;
};

scenario drain_scenario(shape what, flaw wrong = flaw::none) {
  return [=](run& r) {
    auto& s = r.make<gate_state>(static_cast<int>(what.workers) * what.each, what.budget, wrong);
    for (unsigned w = 0; w < what.workers; ++w)
      r.thread("worker " + std::to_string(w), [&s, w, what] {
        for (int i = 0; i < what.each; ++i) s.finish(w);
      });
    if (what.issuer) r.thread("issuer", [&s] { s.issue(); });
    for (unsigned l = 0; l < what.loops; ++l)
      r.thread("loop " + std::to_string(l), [&s] { s.run(); });
    r.finally([&s] { require(s.delivered == s.expected, "every result is delivered"); });
  };
}

constexpr shape one_worker{.workers = 1, .each = 3, .issuer = false, .loops = 1, .budget = 4};
constexpr shape two_workers{.workers = 2, .each = 1, .issuer = false, .loops = 2, .budget = 4};
constexpr shape with_issuer{.workers = 1, .each = 2, .issuer = true, .loops = 1, .budget = 4};
constexpr shape everybody{.workers = 1, .each = 2, .issuer = true, .loops = 2, .budget = 4};
constexpr shape small_budget{.workers = 2, .each = 2, .issuer = false, .loops = 1, .budget = 1};

TEST(drain_model, results_of_one_worker_are_delivered) {
  expect_holds(drain_scenario(one_worker));
}
TEST(drain_model, results_of_two_workers_on_a_pool_of_loops_are_delivered) {
  expect_holds(drain_scenario(two_workers));
}
TEST(drain_model, claim_by_the_issuer_starts_one_drain) {
  expect_holds(drain_scenario(with_issuer));
}
TEST(drain_model, claim_by_the_issuer_on_a_pool_of_loops_starts_one_drain) {
  expect_holds(drain_scenario(everybody));
}
TEST(drain_model, budget_used_up_comes_back) {
  expect_holds(drain_scenario(small_budget));
}

TEST(drain_model, budget_used_up_without_coming_back_is_found) {
  EXPECT_NE(explore(drain_scenario(small_budget, flaw::results_left)).failure, "");
}
TEST(drain_model, leaving_unparked_is_found) {
  EXPECT_NE(explore(drain_scenario(one_worker, flaw::no_scan_after_park)).failure, "");
}
TEST(drain_model, starting_without_the_claim_is_found) {
  EXPECT_NE(explore(drain_scenario(with_issuer, flaw::claim_ignored)).failure, "");
}

// --- mutants of parking.hpp that matter for a drain ---

using act = mutant::action;

auto in_one_of(std::string one, std::string other) {
  return [=](const operation& op) { return op.in(one) || op.in(other); };
}

struct drain_mutants : testing::TestWithParam<mutant> {};

TEST_P(drain_mutants, are_killed) {
  expect_killed(
      [](run& r) {
        switch (engine::current()->choose.choose(3, choices::about::schedule)) {
          case 0:
            return drain_scenario(everybody)(r);
          case 1:
            return drain_scenario(two_workers)(r);
          default:
            return drain_scenario(one_worker)(r);
        }
      },
      GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, drain_mutants,
    testing::Values(
        mutant{"notify_without_release", in("notify", kind::exchange), act::reorder, acquire},
        mutant{"notify_skipped_after_plain_load", in("notify", kind::exchange), act::load_first,
               relaxed, parking::parked},
        mutant{"parked_without_release",
               in_writing("try_park", kind::compare_exchange, parking::parked), act::reorder,
               acquire},
        mutant{"parked_by_plain_store",
               in_writing("try_park", kind::compare_exchange, parking::parked), act::store_blind,
               release},
        mutant{"notified_consumed_relaxed", in_writing("try_park", kind::compare_exchange, 0),
               act::reorder, relaxed},
        mutant{"unpark_relaxed", in("unpark", kind::exchange), act::reorder, relaxed},
        mutant{"unpark_by_plain_store", in("unpark", kind::exchange), act::store_blind, release},
        mutant{"claim_split", in("claim", kind::compare_exchange), act::split},
        // One acquire is enough between the end of a drain and the begin of the next: that of who
        // starts it, or its own in unpark(). Without both the drain's state is not handed over.
        mutant{"neither_notify_nor_unpark_acquires", in_one_of("notify", "unpark"), act::reorder,
               release},
        mutant{"neither_claim_nor_unpark_acquires", in_one_of("claim", "unpark"), act::reorder,
               release},
        mutant{"claim_by_plain_store", in("claim", kind::compare_exchange), act::store_blind,
               release}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
