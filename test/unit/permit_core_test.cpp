// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/permit_core.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <vector>

namespace tokengate::detail {
namespace {

class party : public permit_waiter {
 public:
  explicit party(std::size_t wanted, condition when = nullptr)
      : permit_waiter([](waiter&) noexcept {}, wanted, when) {}
  int number = 0;
};

std::vector<waiter*> contents(wait_list const& list) {
  std::vector<waiter*> all;
  list.for_each([&](waiter& each) { all.push_back(&each); });
  return all;
}
using order = std::vector<waiter*>;

/// Those that were decided by another's call.
struct told {
  void push_back(permit_waiter& one) {
    EXPECT_FALSE(one.linked());
    all.push_back(&one);
  }
  order take() { return std::exchange(all, {}); }
  order all{};
};

TEST(permit_core, free_permits_are_taken_at_once) {
  permit_core core(3);
  EXPECT_TRUE(core.try_take(2));
  party one(1);
  EXPECT_TRUE(core.take(one));
  EXPECT_EQ(one.outcome, wait_outcome::done);
  EXPECT_EQ(one.granted(), 1u);
  EXPECT_FALSE(core.try_take(1));
  EXPECT_EQ(core.free(), 0u);
}

TEST(permit_core, waiters_are_served_in_their_order) {
  permit_core core(0);
  party first(1), second(1), third(1);
  for (auto* each : {&first, &second, &third}) EXPECT_FALSE(core.take(*each));
  told woken;
  core.put(2, woken);
  EXPECT_EQ(woken.take(), (order{&first, &second}));
  EXPECT_EQ(contents(core.waiting()), order{&third});
  core.put(1, woken);
  EXPECT_EQ(woken.take(), order{&third});
}

TEST(permit_core, small_wish_does_not_overtake_a_large_one) {
  permit_core core(0);
  party large(3), small(1);
  EXPECT_FALSE(core.take(large));
  EXPECT_FALSE(core.take(small));
  told woken;
  core.put(2, woken);
  EXPECT_EQ(woken.take(), order{});
  EXPECT_FALSE(core.try_take(1)) << "two are free, but somebody waits for them";
  core.put(2, woken);
  EXPECT_EQ(woken.take(), (order{&large, &small}));
}

TEST(permit_core, cancelled_wait_takes_nothing_and_lets_those_behind_it_through) {
  permit_core core(1);
  party large(3), small(1);
  EXPECT_FALSE(core.take(large));
  EXPECT_FALSE(core.take(small));
  told woken;
  EXPECT_TRUE(core.cancel(large, woken));
  EXPECT_EQ(large.granted(), 0u);
  EXPECT_EQ(woken.take(), order{&small});
  EXPECT_FALSE(core.cancel(small, woken)) << "granted, though not resumed yet";
  EXPECT_EQ(small.granted(), 1u);
  EXPECT_FALSE(core.cancel(large, woken));
}

TEST(permit_core, close_ends_all_waits_and_refuses_later_ones) {
  permit_core core(1);
  EXPECT_TRUE(core.try_take(1));
  party waiting(1), late(1);
  EXPECT_FALSE(core.take(waiting));
  told woken;
  core.close(woken);
  EXPECT_EQ(woken.take(), order{&waiting});
  EXPECT_EQ(waiting.outcome, wait_outcome::closed);
  core.put(1, woken);
  EXPECT_EQ(core.free(), 1u);
  EXPECT_FALSE(core.try_take(1));
  EXPECT_TRUE(core.take(late));
  EXPECT_EQ(late.outcome, wait_outcome::closed);
  EXPECT_EQ(late.granted(), 0u);
}

TEST(permit_core, cancel_all_leaves_the_core_usable) {
  permit_core core(0);
  party first(1), second(1), next(1);
  EXPECT_FALSE(core.take(first));
  EXPECT_FALSE(core.take(second));
  told woken;
  core.cancel_all(woken);
  EXPECT_EQ(first.outcome, wait_outcome::cancelled);
  EXPECT_EQ(woken.take(), (order{&first, &second}));
  core.put(1, woken);
  EXPECT_TRUE(core.take(next));
}

class conditional : public party {
 public:
  explicit conditional(readiness const& when) : party(1, &ask), when_(&when) {}

 private:
  static readiness ask(permit_waiter& self) noexcept {
    return *static_cast<conditional&>(self).when_;
  }
  readiness const* when_;
};

TEST(permit_core, waiter_whose_condition_does_not_hold_is_passed_over) {
  permit_core core(1);
  auto when = readiness::no;
  conditional picky(when);
  EXPECT_FALSE(core.take(picky));
  EXPECT_TRUE(core.try_take(1)) << "nobody waits for the permit itself";
  party plain(1);
  EXPECT_FALSE(core.take(plain));
  told woken;
  core.put(1, woken);
  EXPECT_EQ(woken.take(), order{&plain});
  when = readiness::yes;
  party behind(1);
  EXPECT_FALSE(core.take(behind));
  core.put(1, woken);
  EXPECT_EQ(woken.take(), order{&picky}) << "older than the one behind it, and ready";
  core.put(1, woken);
  EXPECT_EQ(woken.take(), order{&behind});
}

TEST(permit_core, failed_condition_ends_the_wait_without_a_permit) {
  permit_core core(0);
  auto when = readiness::failed;
  conditional broken(when);
  party next(1);
  EXPECT_FALSE(core.take(broken));
  EXPECT_FALSE(core.take(next));
  told woken;
  core.put(1, woken);
  EXPECT_EQ(woken.take(), (order{&broken, &next}));
  EXPECT_EQ(broken.granted(), 0u);
  EXPECT_EQ(next.granted(), 1u);
  EXPECT_EQ(core.free(), 0u);
}

/// The same in plain words: a number and a queue of wishes.
struct model {
  struct wish {
    int number;
    std::size_t wanted;
  };
  std::vector<int> serve() {
    std::vector<int> served;
    while (!queue.empty() && queue.front().wanted <= free) {
      free -= queue.front().wanted;
      served.push_back(queue.front().number);
      queue.pop_front();
    }
    return served;
  }
  std::size_t free = 0;
  std::deque<wish> queue{};
};

void random_sequence(unsigned seed) {
  std::mt19937 random{seed};
  auto const pick = [&](std::size_t below) { return random() % below; };
  std::size_t const permits = 1 + pick(6);
  permit_core core(permits);
  model expected{permits};
  std::vector<std::unique_ptr<party>> parties;
  std::vector<std::size_t> held;  // what is out and can be put back
  for (int step = 0; step != 200; ++step) {
    told woken;
    std::vector<int> served;
    switch (pick(4)) {
      case 0: {
        auto const wanted = pick(permits + 1);
        auto& one = *parties.emplace_back(std::make_unique<party>(wanted));
        one.number = static_cast<int>(parties.size());
        expected.queue.push_back({one.number, wanted});
        auto const at_once = expected.serve();
        ASSERT_EQ(core.take(one), !at_once.empty()) << "seed " << seed << " step " << step;
        if (!at_once.empty()) held.push_back(one.granted());
        break;
      }
      case 1: {
        auto const wanted = pick(permits + 1);
        bool const allowed = expected.queue.empty() && expected.free >= wanted;
        ASSERT_EQ(core.try_take(wanted), allowed) << "seed " << seed << " step " << step;
        if (allowed) {
          expected.free -= wanted;
          held.push_back(wanted);
        }
        break;
      }
      case 2:
        if (!held.empty()) {
          auto const which = pick(held.size());
          auto const count = held[which];
          held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
          expected.free += count;
          served = expected.serve();
          core.put(count, woken);
        }
        break;
      default:
        if (!parties.empty()) {
          auto& one = *parties[pick(parties.size())];
          auto const number = one.number;
          auto const waits =
              std::erase_if(expected.queue, [&](auto const& w) { return w.number == number; }) != 0;
          if (waits) served = expected.serve();
          ASSERT_EQ(core.cancel(one, woken), waits) << "seed " << seed << " step " << step;
        }
    }
    std::vector<int> got;
    for (auto* each : woken.all) {
      auto& one = static_cast<party&>(*each);
      got.push_back(one.number);
      EXPECT_EQ(one.granted(), one.wanted());
      held.push_back(one.granted());
    }
    ASSERT_EQ(got, served) << "seed " << seed << " step " << step;
    ASSERT_EQ(core.free(), expected.free) << "seed " << seed << " step " << step;
    ASSERT_EQ(core.waiting().size(), expected.queue.size()) << "seed " << seed << " step " << step;
  }
  told rest;
  core.close(rest);
}

TEST(permit_core, random_sequences_match_the_model) {
  for (unsigned seed = 0; seed != 5000 && !testing::Test::HasFatalFailure(); ++seed)
    random_sequence(seed);
}

}  // namespace
}  // namespace tokengate::detail
