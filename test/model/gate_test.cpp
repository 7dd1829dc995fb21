// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Combiner and drain together, as gate_core uses them: issue() and drain() both enter or leave a
// note, whoever is the holder works it off, and whoever takes the parking word out of `parked`
// posts the drain. Every token is delivered, and at most one drain is posted at a time.
#include <gtest/gtest.h>

#include "mc/explore.hpp"
#include "mc/sync.hpp"
#include "model/test_ring.hpp"
#include "tokengate/detail/combiner.hpp"
#include "tokengate/detail/parking.hpp"

namespace tokengate::mc {
namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto relaxed = std::memory_order_relaxed;

using parking = detail::parking_word<mc_sync>;
using note = detail::basic_note<mc_sync>;

enum class flaw : std::uint8_t {
  none,
  parked_outside,    ///< the drain parks after it has left the combiner
  refill_forgotten,  ///< who works off the drain's note does not post it
  ready_not_seen,    ///< the holder leaves without looking for what became ready
  post_lost,         ///< the first post fails for want of memory, and the word stays as it is
};

struct gate_state {
  static constexpr unsigned nothing = 0, fresh = 1, continued = 2;

  parking bell{parking::parked};
  detail::combiner<mc_sync> door;
  test_ring mailbox;
  test_ring returns;
  std::array<note, 2> tokens;
  note refill;
  var<int> ready{0};        ///< combiner
  var<int> in_flight{0};    ///< combiner
  var<bool> repost{false};  ///< combiner
  var<int> hot_turns{0};    ///< combiner
  atomic<unsigned> posted{nothing};
  atomic<int> delivered{0};
  flaw wrong;
  bool post_failed = false;

  explicit gate_state(flaw wrong) : wrong(wrong) { refill.set(note::kind::refill, nullptr); }

  void post(unsigned how) {
    if (wrong == flaw::post_lost && !std::exchange(post_failed, true)) return;
    require(posted.exchange(how, std::memory_order_acq_rel) == nothing,
            "at most one drain is posted");
  }

  /// Token 0 is refused and ready at once, token 1 goes to the worker.
  void admit(const note& token) {
    if (&token == &tokens[0]) {
      ready = ready + 1;
    } else {
      in_flight = in_flight + 1;
      mailbox.push(1);
    }
  }
  void work_off(note* left) {
    while (left != nullptr) {
      note& one = *left;
      left = one.next;
      if (one.what() == note::kind::refill)
        repost = wrong != flaw::refill_forgotten;
      else
        admit(one);
    }
  }
  void issue(unsigned number) {
    tokens.at(number).set(note::kind::issue, nullptr);
    if (!door.enter_or_leave(tokens.at(number))) return;
    admit(tokens.at(number));
    leave();
  }
  void leave() {
    bool start = false;
    unsigned how = fresh;
    do {
      work_off(door.take());
      if (repost) {
        repost = false;
        start = true;
        how = continued;
      } else if (!start && bell.looks_parked() && ready != 0 && wrong != flaw::ready_not_seen &&
                 bell.claim()) {
        start = true;
      }
    } while (!door.try_leave());
    if (start) post(how);
  }

  void drain(unsigned how) {
    if (how == fresh) bell.unpark();
    if (!door.enter_or_leave(refill)) return;
    work_off(door.take());
    returns.consume(4, [this](int) {
      in_flight = in_flight - 1;
      ready = ready + 1;
    });
    // A budget of one handler.
    const int batch = ready != 0 ? 1 : 0;
    ready = ready - batch;
    const bool more = ready != 0;
    const bool hot = !more && in_flight != 0 && hot_turns < 1 &&
                     engine::current()->choose.choose(2, choices::about::event) == 1;
    if (hot) hot_turns = hot_turns + 1;
    bool again = more || hot;
    if (wrong != flaw::parked_outside) again = again || !bell.try_park();
    leave();
    if (wrong == flaw::parked_outside) again = again || !bell.try_park();
    if (again) post(continued);
    if (batch != 0) delivered.fetch_add(batch, release);
  }

  void worker() {
    while (mailbox.consume(1, [](int) {}) == 0) mc_sync::spin_hint();
    returns.push(1);
    if (bell.notify()) post(fresh);
  }
  void loop(int all) {
    while (delivered.load(acquire) != all) {
      if (posted.load(relaxed) != nothing) {
        if (const unsigned how = posted.exchange(nothing, acquire); how != nothing) drain(how);
      } else {
        mc_sync::spin_hint();
      }
    }
  }
};

/// `issuers`: which tokens each issuing thread issues.
scenario gate(std::vector<std::vector<unsigned>> issuers, unsigned loops, flaw wrong = flaw::none) {
  return [=](run& r) {
    auto& s = r.make<gate_state>(wrong);
    int all = 0;
    for (const auto& numbers : issuers) {
      all += static_cast<int>(numbers.size());
      r.thread("issuer " + std::to_string(numbers.front()), [&s, numbers] {
        for (unsigned number : numbers) s.issue(number);
      });
    }
    r.thread("worker", [&s] { s.worker(); });
    for (unsigned l = 0; l < loops; ++l)
      r.thread("loop " + std::to_string(l), [&s, all] { s.loop(all); });
  };
}

TEST(gate_model, refused_and_run_tokens_are_delivered_by_one_loop) {
  expect_holds(gate({{1, 0}}, 1), {.limit = {.preemptions = 3}});
}
TEST(gate_model, two_issuers_and_one_loop) {
  expect_holds(gate({{1}, {0}}, 1));
}
TEST(gate_model, one_issuer_and_a_pool_of_loops) {
  expect_holds(gate({{1, 0}}, 2));
}
TEST(gate_model, two_issuers_and_a_pool_of_loops) {
  expect_holds(gate({{1}, {0}}, 2));
}

struct gate_flaws : testing::TestWithParam<flaw> {};
TEST_P(gate_flaws, are_found) {
  const verdict v =
      explore(gate({{1}, {0}}, 2, GetParam()), {.searched = 20'000, .random = 200'000});
  EXPECT_NE(v.failure, "");
  if (verbose()) std::cout << report(v) << "\n";
}
INSTANTIATE_TEST_SUITE_P(each, gate_flaws,
                         testing::Values(flaw::parked_outside, flaw::refill_forgotten,
                                         flaw::ready_not_seen, flaw::post_lost));

using act = mutant::action;

struct gate_mutants : testing::TestWithParam<mutant> {};
TEST_P(gate_mutants, are_killed) {
  expect_killed(gate({{1}, {0}}, 2), GetParam());
}
INSTANTIATE_TEST_SUITE_P(
    each, gate_mutants,
    testing::Values(mutant{"leave_relaxed", in("try_leave", kind::compare_exchange), act::reorder,
                           relaxed},
                    mutant{"claim_split", in("claim", kind::compare_exchange), act::split},
                    mutant{"claim_by_plain_store", in("claim", kind::compare_exchange),
                           act::store_blind, release},
                    mutant{"parked_by_plain_store",
                           in_writing("try_park", kind::compare_exchange, parking::parked),
                           act::store_blind, release},
                    mutant{"notify_skipped_after_plain_load", in("notify", kind::exchange),
                           act::load_first, relaxed, parking::parked}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
