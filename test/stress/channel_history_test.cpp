// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Random histories of channels between real threads, against a plain queue.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "stress/scaled.hpp"
#include "support/linearizability.hpp"
#include "tokengate/channel.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;
using kind = channel_event::kind;

// --- the checker itself ---

TEST(linearizability_checker, knows_right_from_wrong) {
  using history = std::vector<channel_event>;
  // Two sends at once may come out either way; one after the other may not.
  history both{{kind::sent, 1, 1, 4},
               {kind::sent, 2, 2, 3},
               {kind::received, 1, 5, 6},
               {kind::received, 2, 7, 8}};
  EXPECT_TRUE(linearizability(both, 2).holds());
  std::swap(both[2].value, both[3].value);
  EXPECT_TRUE(linearizability(both, 2).holds());
  EXPECT_TRUE(linearizability::overlaps(both));
  both[0].returned = 1;
  EXPECT_FALSE(linearizability(both, 2).holds()) << "overtaken";
  EXPECT_FALSE(linearizability::overlaps(both));
  EXPECT_FALSE(linearizability({{kind::sent, 1, 1, 2}, {kind::nothing, 0, 3, 4}}, 2).holds())
      << "lost";
  EXPECT_FALSE(linearizability({{kind::received, 1, 1, 2}}, 2).holds()) << "invented";
  EXPECT_FALSE(linearizability({{kind::sent, 1, 1, 2}, {kind::sent, 2, 3, 4}}, 1).holds())
      << "more than fits";
  EXPECT_FALSE(linearizability({{kind::sent, 1, 1, 2}, {kind::refused, 2, 3, 4}}, 2).holds())
      << "refused with room";
  EXPECT_TRUE(linearizability({{kind::sent, 1, 1, 4}, {kind::refused, 2, 2, 3}}, 1).holds());
  EXPECT_FALSE(
      linearizability(
          {{kind::sent, 1, 1, 2}, {kind::closed, 0, 3, 4}, {kind::receive_closed, 0, 5, 6}}, 1)
          .holds())
      << "the end before the last item";
}

TEST(linearizability_checker, knows_that_a_rendezvous_is_one_moment_of_both) {
  EXPECT_TRUE(linearizability({{kind::sent, 1, 1, 3}, {kind::received, 1, 2, 4}}, 0).holds());
  EXPECT_FALSE(linearizability({{kind::sent, 1, 1, 2}, {kind::received, 1, 3, 4}}, 0).holds())
      << "the sender has not waited";
  EXPECT_FALSE(linearizability({{kind::sent, 1, 1, 2}}, 0).holds()) << "to nobody";
  EXPECT_FALSE(linearizability(
                   {{kind::closed, 0, 1, 2}, {kind::sent, 1, 3, 5}, {kind::received, 1, 4, 6}}, 0)
                   .holds())
      << "after the end";
  EXPECT_FALSE(linearizability({{kind::sent, 1, 1, 9},
                                {kind::received, 1, 2, 5},
                                {kind::sent, 2, 6, 8},
                                {kind::received, 2, 3, 4}},
                               0)
                   .holds());
}

// --- random histories ---

/// What one thread does, a few operations, noted with their moments.
void act(channel<int>& on, std::atomic<std::uint64_t>& clock, bool sends, bool closes,
         std::uint32_t seed, std::vector<channel_event>& notes) {
  std::minstd_rand random(seed);
  for (int i = 0; i != 4; ++i) {
    bool const tries = random() % 2 == 0;
    auto const patience = random() % 2 == 0 ? 0ns : 20us;
    channel_event note{kind::nothing, 0, clock++, 0, !tries};
    if (closes && i == 2) {
      on.close();
      note.what = kind::closed;
    } else if (sends) {
      note.value = static_cast<int>(seed * 10) + i;
      if (tries) {
        note.what = on.try_send(int{note.value}) ? kind::sent : kind::refused;
      } else {
        try {
          on.send(note.value, patience);
          note.what = kind::sent;
        } catch (not_sent<int> const& failed) {
          note.what = failed.code() == error::closed ? kind::send_closed : kind::refused;
        }
      }
    } else if (tries) {
      if (auto item = on.try_receive()) {
        note.what = kind::received;
        note.value = *item;
      }
    } else {
      try {
        note.value = on.receive(patience);
        note.what = kind::received;
      } catch (boost::system::system_error const& failed) {
        note.what = failed.code() == error::closed ? kind::receive_closed : kind::nothing;
      }
    }
    note.returned = clock++;
    notes.push_back(note);
  }
}

/// Threads that stay, and begin each round at the same moment, as far as there are cores.
class histories {
 public:
  histories(channel_flavour flavour, std::size_t senders, std::size_t receivers, bool rendezvous)
      : flavour_(flavour), senders_(senders), count_(senders + receivers), zero_(rendezvous) {}

  void check() {
    std::barrier between(static_cast<std::ptrdiff_t>(count_), [this]() noexcept { turn_over(); });
    {
      std::vector<std::jthread> threads;
      for (std::size_t t = 0; t != count_; ++t)
        threads.emplace_back([&, t] {
          for (;;) {
            between.arrive_and_wait();
            if (over_) return;
            ++here_;
            while (here_ != count_) std::this_thread::yield();
            act(*on_, clock_, t < senders_, round_ % 4 == 0 && t == 0,
                static_cast<std::uint32_t>(round_ * count_ + t + 1), notes_[t]);
          }
        });
    }
    report();
    EXPECT_GE(overlapping_, wanted()) << "of " << round_;
  }

 private:
  [[nodiscard]] static std::uint32_t rounds() { return scaled(5000U, 5U); }
  /// Histories in which threads have really met.
  [[nodiscard]] static std::uint32_t wanted() { return rounds() / 4; }
  void report() const {
    testing::Test::RecordProperty("overlapping", static_cast<int>(overlapping_));
    testing::Test::RecordProperty("refusals", static_cast<int>(refusals_));
  }
  /// While all others wait: judges the last round, prepares the next one.
  void turn_over() noexcept {
    if (on_) judge();
    // Where another process has one of the cores the threads meet more seldom: it takes longer.
    bool const enough = round_ >= rounds() && overlapping_ >= wanted();
    if (enough || ++round_ > 10 * rounds() || testing::Test::HasFailure()) {
      over_ = true;
      return;
    }
    on_.emplace(channel_options<int>{.capacity = capacity(), .flavour = flavour_});
    notes_.assign(count_, {});
    here_ = 0;
  }
  void judge() noexcept {
    std::vector<channel_event> history;
    for (auto const& each : notes_)
      for (auto const& note : each) history.push_back(note);
    if (linearizability::overlaps(history)) ++overlapping_;
    for (auto const& note : history)
      if (note.what == kind::refused || note.what == kind::nothing) ++refusals_;
    while (auto item = on_->try_receive())
      history.push_back({kind::received, *item, clock_++, clock_++});
    history.push_back({kind::nothing, 0, clock_++, clock_++});
    EXPECT_TRUE(linearizability(std::move(history), capacity()).holds()) << "round " << round_;
  }
  [[nodiscard]] std::size_t capacity() const { return zero_ ? 0 : 1 + round_ % 3; }

  channel_flavour const flavour_;
  std::size_t const senders_;
  std::size_t const count_;
  bool const zero_;
  std::optional<channel<int>> on_;
  std::vector<std::vector<channel_event>> notes_;
  std::atomic<std::uint64_t> clock_{0};
  std::atomic<std::size_t> here_{0};
  std::uint32_t round_ = 0;
  std::uint32_t overlapping_ = 0;
  std::uint32_t refusals_ = 0;
  bool over_ = false;
};

TEST(channel_histories, any_to_any_is_linearizable) {
  histories(channel_flavour::any_to_any, 2, 2, false).check();
}
TEST(channel_histories, any_to_any_of_two_threads_is_linearizable) {
  histories(channel_flavour::any_to_any, 1, 1, false).check();
}
TEST(channel_histories, one_to_one_is_linearizable) {
  histories(channel_flavour::one_to_one, 1, 1, false).check();
}
TEST(channel_histories, rendezvous_is_linearizable) {
  histories(channel_flavour::any_to_any, 2, 2, true).check();
}

}  // namespace
}  // namespace tokengate::test
