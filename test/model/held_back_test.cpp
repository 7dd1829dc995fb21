// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A worker holds a result back for company and takes the next token, whose function waits for the
// handler of the one before. Either it sees the drain parked and rings, or the drain, having
// parked, sees how far it has come. Slots, counts and the parking word are those of the library.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "mc/explore.hpp"
#include "mc/sync.hpp"
#include "tokengate/detail/mailbox.hpp"
#include "tokengate/detail/parking.hpp"

namespace tokengate::mc {
namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

enum class flaw : std::uint8_t {
  none,
  worker_does_not_look,
  worker_looks_before_it_takes,
  drain_does_not_look,
  drain_looks_before_it_parks
};

struct token {
  var<int> result{0};
};

struct link_state {
  using parking = detail::parking_word<mc_sync>;

  parking drain;
  std::array<token, 2> tokens;
  std::array<detail::basic_slot<token, mc_sync>, 2> slots;
  detail::basic_slot_count<mc_sync> returned;
  atomic<bool> delivered{false};
  flaw wrong;

  explicit link_state(flaw wrong) : wrong(wrong) {
    for (std::size_t i = 0; i != 2; ++i) slots[i].put(tokens[i], detail::run_length::brief);
  }

  void give_back(unsigned count) {
    returned.hand_over(count);
    if (drain.notify()) drain.wake();
  }
  void ring_where_parked() {
    if (drain.is_parked()) give_back(1);
  }

  void work() {
    slots[0].take()->result = 7;
    if (wrong == flaw::worker_looks_before_it_takes) ring_where_parked();
    token* const next = slots[1].take();
    if (wrong != flaw::worker_looks_before_it_takes && wrong != flaw::worker_does_not_look)
      ring_where_parked();
    while (!delivered.load(acquire)) mc_sync::spin_hint();
    next->result = 8;
    give_back(2);
  }

  /// What is there for the drain: 0, 1 or 2 results.
  [[nodiscard]] unsigned come_back(bool look) {
    auto const back = static_cast<unsigned>(returned.handed_over());
    return back == 0 && look && slots[1].was_taken() ? 1 : back;
  }

  void loop() {
    for (unsigned collected = 0; collected != 2;) {
      auto back = std::max(collected, come_back(wrong == flaw::drain_looks_before_it_parks));
      if (back == collected && drain.try_park()) {
        bool const look = wrong != flaw::drain_does_not_look &&
                          wrong != flaw::drain_looks_before_it_parks && collected == 0;
        back = std::max(collected, come_back(look));
        if (back == collected || !drain.claim()) {
          (void)drain.sleep();
          drain.unpark();
        }
      }
      for (; collected < back; ++collected) {
        require(tokens.at(collected).result == 7 + static_cast<int>(collected), "it is done");
        delivered.store(true, release);
      }
    }
  }
};

scenario held_back(flaw wrong) {
  return [wrong](run& r) {
    auto& s = r.make<link_state>(wrong);
    r.thread("worker", [&s] { s.work(); });
    r.thread("loop", [&s] { s.loop(); });
  };
}

TEST(held_back_model, result_comes_to_a_drain_that_parks) {
  expect_holds(held_back(flaw::none), {.limit = {.preemptions = 4}});
}

TEST(held_back_model, worker_and_drain_both_have_to_look) {
  for (flaw const wrong : {flaw::worker_does_not_look, flaw::worker_looks_before_it_takes,
                           flaw::drain_does_not_look, flaw::drain_looks_before_it_parks})
    EXPECT_NE(explore(held_back(wrong)).failure, "") << static_cast<int>(wrong);
}

// --- mutants of mailbox.hpp and parking.hpp ---

using act = mutant::action;
constexpr auto acq_rel = std::memory_order_acq_rel;

struct held_back_mutants : testing::TestWithParam<mutant> {};

TEST_P(held_back_mutants, are_killed) {
  expect_killed(held_back(flaw::none), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, held_back_mutants,
    testing::Values(mutant{"was_taken_acquire", in("was_taken", kind::load), act::reorder, acquire},
                    mutant{"is_parked_acquire", in("is_parked", kind::load), act::reorder, acquire},
                    mutant{"take_acq_rel", in("take", kind::exchange), act::reorder, acq_rel},
                    mutant{
                        "parked_acq_rel",
                        in_writing("try_park", kind::compare_exchange, link_state::parking::parked),
                        act::reorder, acq_rel}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
