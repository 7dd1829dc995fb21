// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/broadcast_core.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace tokengate::detail {
namespace {

using core_type = broadcast_core<int>;
using reader = core_type::reader;

struct sender : core_type::send_waiter {
  explicit sender(int what) : send_waiter([](waiter&) noexcept {}, what) {}
};
struct receiver : core_type::receive_waiter {
  receiver() : receive_waiter([](waiter&) noexcept {}) {}
};

using order = std::vector<waiter*>;
order take(woken_list& list) {
  order all;
  while (waiter* each = list.pop_front()) all.push_back(each);
  return all;
}

class broadcasting : public testing::Test {
 protected:
  void TearDown() override {
    core_.close(woken_);
    for (auto* each : {&loyal_, &hasty_}) core_.leave(*each, woken_);
    take(woken_);
  }
  bool send(int what) { return core_.try_send(what, woken_); }
  /// The next item, less than 0 for none.
  int next(reader& who) {
    int item = -1;
    return core_.try_receive(who, item, skipped_, woken_) ? item : -1;
  }

  core_type core_{3};
  woken_list woken_;
  reader loyal_{true};
  reader hasty_{false};
  std::uint64_t skipped_ = 0;
};

TEST_F(broadcasting, every_reader_gets_every_item_in_order) {
  core_.join(loyal_, false);
  core_.join(hasty_, false);
  for (int i = 0; i != 3; ++i) EXPECT_TRUE(send(i));
  for (auto* who : {&loyal_, &hasty_})
    for (int i = 0; i != 3; ++i) EXPECT_EQ(next(*who), i);
  EXPECT_EQ(next(loyal_), -1);
}

TEST_F(broadcasting, reader_that_is_waited_for_holds_the_sender_back) {
  core_.join(loyal_, false);
  for (int i = 0; i != 3; ++i) EXPECT_TRUE(send(i));
  EXPECT_FALSE(send(3));
  sender third(3), fourth(4);
  EXPECT_FALSE(core_.send(third, woken_));
  EXPECT_FALSE(core_.send(fourth, woken_));
  EXPECT_EQ(next(loyal_), 0);
  EXPECT_EQ(take(woken_), order{&third});
  EXPECT_FALSE(send(9)) << "one waits";
  EXPECT_EQ(next(loyal_), 1);
  EXPECT_EQ(take(woken_), order{&fourth});
  for (int i = 2; i != 5; ++i) EXPECT_EQ(next(loyal_), i);
}

TEST_F(broadcasting, reader_that_is_not_waited_for_skips_with_a_count) {
  core_.join(hasty_, false);
  for (int i = 0; i != 8; ++i) EXPECT_TRUE(send(i));
  EXPECT_EQ(next(hasty_), 5);
  EXPECT_EQ(skipped_, 5u);
  EXPECT_EQ(next(hasty_), 6);
  EXPECT_EQ(skipped_, 0u);
  EXPECT_EQ(hasty_.skipped(), 5u);
}

TEST_F(broadcasting, late_reader_starts_with_the_next_or_with_what_is_kept) {
  for (int i = 0; i != 5; ++i) EXPECT_TRUE(send(i));
  core_.join(hasty_, false);
  core_.join(loyal_, true);
  EXPECT_EQ(next(hasty_), -1);
  EXPECT_FALSE(send(5)) << "the one that reads what is kept is waited for at once";
  for (int i = 2; i != 5; ++i) EXPECT_EQ(next(loyal_), i);
  EXPECT_TRUE(send(5));
  EXPECT_EQ(next(hasty_), 5);
}

TEST_F(broadcasting, waiting_receives_are_given_the_item_directly) {
  core_.join(loyal_, false);
  receiver first, second;
  EXPECT_FALSE(core_.receive(loyal_, first, woken_));
  EXPECT_FALSE(core_.receive(loyal_, second, woken_));
  EXPECT_TRUE(send(7));
  EXPECT_EQ(take(woken_), order{&first});
  EXPECT_EQ(first.item, 7);
  EXPECT_TRUE(core_.cancel(loyal_, second));
  EXPECT_FALSE(core_.cancel(loyal_, second));
  EXPECT_TRUE(send(8));
  EXPECT_EQ(next(loyal_), 8) << "a cancelled receive takes none";
}

TEST_F(broadcasting, reader_that_leaves_lets_the_sender_go) {
  core_.join(loyal_, false);
  for (int i = 0; i != 3; ++i) EXPECT_TRUE(send(i));
  sender waiting(3);
  EXPECT_FALSE(core_.send(waiting, woken_));
  core_.leave(loyal_, woken_);
  EXPECT_EQ(take(woken_), order{&waiting});
  EXPECT_EQ(waiting.item, 0) << "it carries away what it replaced";
}

TEST_F(broadcasting, close_refuses_sends_and_leaves_what_was_sent) {
  core_.join(loyal_, false);
  core_.join(hasty_, false);
  EXPECT_TRUE(send(1));
  EXPECT_EQ(next(hasty_), 1);
  receiver hungry, late;
  EXPECT_FALSE(core_.receive(hasty_, hungry, woken_));
  core_.close(woken_);
  EXPECT_EQ(take(woken_), order{&hungry});
  EXPECT_EQ(hungry.outcome, wait_outcome::closed);
  EXPECT_FALSE(send(2));
  EXPECT_EQ(next(loyal_), 1);
  EXPECT_TRUE(core_.receive(loyal_, late, woken_));
  EXPECT_EQ(late.outcome, wait_outcome::closed);
}

/// In plain words: everything that was ever sent, and per reader where it is.
struct model {
  struct taken {
    std::size_t number = 0;
    std::size_t skipped = 0;
  };
  struct position {
    bool waited_for;
    std::size_t next;
    std::deque<receiver*> receives;
    std::map<std::size_t, taken> returned{};  ///< by number
    [[nodiscard]] std::size_t lag(std::size_t sent) const { return sent - next + returned.size(); }
  };
  [[nodiscard]] bool has_room() const {
    for (auto const& [who, at] : readers)
      if (at.waited_for && at.lag(sent.size()) >= capacity) return false;
    return true;
  }
  /// What becomes possible by what has just happened.
  void settle() {
    while (!senders.empty() && has_room()) {
      sent.push_back(senders.front()->item);
      expected.push_back(senders.front());
      senders.pop_front();
      feed();
    }
  }
  void feed() {
    for (auto& [who, at] : readers) {
      if (at.receives.empty() || at.next == sent.size()) continue;
      hand_over(who, at, {at.next++, 0});
    }
  }
  void hand_over(reader* who, position& at, taken what) {
    given[at.receives.front()] = sent[what.number];
    under_way[at.receives.front()] = {who, what};
    expected.push_back(at.receives.front());
    at.receives.pop_front();
  }
  /// What the reader gets now; there is something.
  taken take(position& at) {
    if (!at.returned.empty()) {
      auto const first = at.returned.extract(at.returned.begin());
      return first.mapped();
    }
    auto const behind = sent.size() - at.next;
    auto const skipped = behind > capacity ? behind - capacity : 0;
    at.next += skipped + 1;
    return {at.next - 1, skipped};
  }
  void give_back(receiver* from) {
    auto const [who, what] = under_way.extract(from).mapped();
    auto& at = readers[who];
    if (!at.receives.empty()) return hand_over(who, at, what);
    at.returned[what.number] = what;
  }
  std::size_t capacity;
  std::vector<int> sent{};
  std::map<reader*, position> readers{};
  std::deque<sender*> senders{};
  std::map<waiter*, int> given{};
  std::map<receiver*, std::pair<reader*, taken>> under_way{};  ///< decided, and not told
  order expected{};
};

void random_sequence(unsigned seed) {
  std::mt19937 random{seed};
  auto const pick = [&](std::size_t below) { return random() % below; };
  model plain{1 + pick(4)};
  core_type core(plain.capacity);
  std::vector<std::unique_ptr<reader>> readers;
  std::deque<sender> sends;
  std::deque<receiver> receives;
  std::map<receiver*, reader*> of;
  int number = 0;
  woken_list woken;
  for (int step = 0; step != 150; ++step) {
    plain.expected.clear();
    auto* who = readers.empty() ? nullptr : readers[pick(readers.size())].get();
    switch (pick(10)) {
      case 0:
        if (readers.size() < 4) {
          bool const waited_for = pick(2) == 0, oldest = pick(2) == 0;
          core.join(*readers.emplace_back(std::make_unique<reader>(waited_for)), oldest);
          auto const all = plain.sent.size();
          plain.readers[readers.back().get()] = {
              waited_for, oldest ? all - std::min(all, plain.capacity) : all, {}};
        }
        break;
      case 1:
        if (who != nullptr && pick(3) == 0) {
          for (auto* each : plain.readers[who].receives) plain.expected.push_back(each);
          plain.readers.erase(who);
          plain.settle();
          core.leave(*who, woken);
          std::erase_if(readers, [&](auto const& each) { return each.get() == who; });
          std::erase_if(of, [&](auto const& each) { return each.second == who; });
          std::erase_if(plain.under_way,
                        [&](auto const& each) { return each.second.first == who; });
        }
        break;
      case 2:
      case 3: {
        auto& one = sends.emplace_back(++number);
        plain.senders.push_back(&one);
        plain.settle();
        bool const at_once = plain.senders.empty() || plain.senders.back() != &one;
        ASSERT_EQ(core.send(one, woken), at_once) << "seed " << seed << " step " << step;
        if (at_once) std::erase(plain.expected, static_cast<waiter*>(&one));
        break;
      }
      case 4:
        if (!sends.empty()) {
          auto& one = sends[pick(sends.size())];
          bool const waits = std::erase(plain.senders, &one) != 0;
          ASSERT_EQ(core.cancel(one), waits) << "seed " << seed << " step " << step;
        }
        break;
      case 5:
        if (!of.empty()) {
          auto at = of.begin();
          std::advance(at, static_cast<std::ptrdiff_t>(pick(of.size())));
          bool const waits = std::erase(plain.readers[at->second].receives, at->first) != 0;
          ASSERT_EQ(core.cancel(*at->second, *at->first), waits) << "seed " << seed << " " << step;
        }
        break;
      case 6:
      case 7:
        if (!plain.under_way.empty()) {
          auto at = plain.under_way.begin();
          std::advance(at, static_cast<std::ptrdiff_t>(pick(plain.under_way.size())));
          if (pick(3) == 0) {  // its handler runs
            plain.under_way.erase(at);
            break;
          }
          auto& one = *at->first;
          auto& its = *at->second.first;
          plain.give_back(&one);
          ASSERT_TRUE(core.retract(its, one, woken)) << "seed " << seed << " step " << step;
          one.outcome = wait_outcome::cancelled;
        }
        break;
      default:
        if (who != nullptr) {
          auto& at = plain.readers[who];
          auto& one = receives.emplace_back();
          bool const at_once = at.lag(plain.sent.size()) != 0;
          std::size_t skipped = 0;
          int item = 0;
          if (at_once) {
            auto const got = plain.take(at);
            skipped = got.skipped;
            item = plain.sent[got.number];
            plain.under_way[&one] = {who, got};
            plain.settle();
          } else {
            at.receives.push_back(&one);
          }
          ASSERT_EQ(core.receive(*who, one, woken), at_once) << "seed " << seed << " " << step;
          ASSERT_EQ(one.item, item) << "seed " << seed << " step " << step;
          ASSERT_EQ(one.skipped, skipped) << "seed " << seed << " step " << step;
          if (!at_once) of[&one] = who;
        }
    }
    // Among readers it is of no matter who is told first; the order of items shows that of senders.
    auto told = take(woken);
    std::sort(told.begin(), told.end());
    std::sort(plain.expected.begin(), plain.expected.end());
    ASSERT_EQ(told, plain.expected) << "seed " << seed << " step " << step;
    for (auto const& [one, item] : plain.given)
      ASSERT_EQ(static_cast<receiver*>(one)->item, item) << "seed " << seed << " step " << step;
    plain.given.clear();
    ASSERT_EQ(core.sent(), plain.sent.size()) << "seed " << seed << " step " << step;
    ASSERT_EQ(core.waiting_senders(), plain.senders.size());
    for (auto const& [each, at] : plain.readers)
      ASSERT_EQ(core.lag(*each), at.lag(plain.sent.size())) << "seed " << seed << " step " << step;
  }
  core.close(woken);
  for (auto& each : readers) core.leave(*each, woken);
  take(woken);
}

TEST(broadcast_core, random_sequences_match_the_model) {
  for (unsigned seed = 0; seed != 4000 && !testing::Test::HasFatalFailure(); ++seed)
    random_sequence(seed);
}

}  // namespace
}  // namespace tokengate::detail
