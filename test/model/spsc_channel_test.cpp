// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The channel between one sender and one receiver: nothing is lost, nothing comes twice or out of
// order, nobody sleeps for ever, in whatever order the two, a closer and their cancellations run.
#include "tokengate/detail/channel_spsc.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "mc/explore.hpp"
#include "mc/sync.hpp"

namespace tokengate::mc {
namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto relaxed = std::memory_order_relaxed;
using detail::wait_outcome;

/// Slots in which the checker sees a race.
struct checked_slots {
  explicit checked_slots(std::size_t) {}
  void put(std::size_t index, int&& item) { items_.at(index % size) = item; }
  [[nodiscard]] int& at(std::size_t index) {
    read_ = items_.at(index % size);
    return read_;
  }
  void take_back(std::size_t index, int& to) { to = items_.at(index % size); }
  void drop(std::size_t index) { items_.at(index % size) = 0; }

  static constexpr std::size_t size = 2;
  std::array<var<int>, size> items_;
  int read_ = 0;
};

using core =
    detail::spsc_channel_core<int, mc_sync, detail::basic_short_mutex<mc_sync, 1>, checked_slots>;

/// Where a party sleeps until it is resumed.
struct bed {
  void sleep() {
    while (word.load(acquire) == 0)
      (void)mc_sync::futex_wait(word, 0, std::chrono::nanoseconds::max());
  }
  void wake() {
    word.store(1, release);
    mc_sync::futex_wake(word);
  }
  atomic<std::uint32_t> word{0};
};
struct sending : detail::send_waiter<int>, bed {
  explicit sending(int value) : send_waiter(&up, own), own(value) {}
  static void up(waiter& self) noexcept { static_cast<sending&>(self).wake(); }
  int own;
};
struct receiving : detail::receive_waiter<int>, bed {
  receiving() : receive_waiter(&up) {}
  static void up(waiter& self) noexcept { static_cast<receiving&>(self).wake(); }
};

struct channel_state {
  explicit channel_state(std::size_t capacity) : channel(capacity) {}

  wait_outcome send(int value) {
    auto& self = *sends.emplace_back(std::make_unique<sending>(value));
    if (!channel.try_send(self) && !channel.send(self)) self.sleep();
    return self.outcome;
  }
  /// 0: closed.
  int receive() {
    auto& self = *receives.emplace_back(std::make_unique<receiving>());
    if (!channel.try_receive(self) && !channel.receive(self)) self.sleep();
    return self.holds_item() ? self.item() : 0;
  }
  /// Gives up as soon as it would wait; 0 then.
  int receive_or_cancel() {
    auto& self = *receives.emplace_back(std::make_unique<receiving>());
    if (!channel.try_receive(self) && !channel.receive(self) && !channel.cancel(self)) self.sleep();
    return self.holds_item() ? self.item() : 0;
  }
  bool send_or_cancel(int value) {
    auto& self = *sends.emplace_back(std::make_unique<sending>(value));
    if (channel.try_send(self) || channel.send(self)) return true;
    if (channel.cancel(self)) {
      require(self.own == value, "who was cancelled still has the item");
      return false;
    }
    self.sleep();
    return true;
  }

  // Kept to the end: a waiter may be touched by its waker until that has returned, and a
  // run that failed leaves it linked in the channel.
  std::vector<std::unique_ptr<sending>> sends;
  std::vector<std::unique_ptr<receiving>> receives;
  std::array<receiving, 2> pair;
  core channel;
  int accepted = 0;  ///< of the sender's thread
  int got = 0;       ///< of the receiver's thread
};

scenario transfer(std::size_t capacity, int count) {
  return [=](run& r) {
    auto& s = r.make<channel_state>(capacity);
    r.thread("sender", [&s, count] {
      for (int i = 1; i <= count; ++i) require(s.send(i) == wait_outcome::done, "taken");
    });
    r.thread("receiver", [&s, count] {
      for (int i = 1; i <= count; ++i) require(s.receive() == i, "each item, in order");
    });
  };
}

/// The receiver never waits: whoever waits for room is woken by what it takes alone.
scenario receiver_that_polls(int count) {
  return [=](run& r) {
    auto& s = r.make<channel_state>(1);
    r.thread("sender", [&s, count] {
      for (int i = 1; i <= count; ++i) require(s.send(i) == wait_outcome::done, "taken");
    });
    r.thread("receiver", [&s, count] {
      for (int i = 1; i <= count; ++i) {
        auto& self = *s.receives.emplace_back(std::make_unique<receiving>());
        while (!s.channel.try_receive(self)) mc_sync::spin_hint();
        require(self.item() == i, "each item, in order");
      }
    });
  };
}

/// A third thread closes: what was accepted is received, and then both see the end.
scenario close_between(std::size_t capacity, int count) {
  return [=](run& r) {
    auto& s = r.make<channel_state>(capacity);
    r.thread("sender", [&s, count] {
      while (s.accepted != count && s.send(s.accepted + 1) == wait_outcome::done) ++s.accepted;
    });
    r.thread("receiver", [&s] {
      for (int next = s.receive(); next != 0; next = s.receive())
        require(next == ++s.got, "each item, in order");
    });
    r.thread("closer", [&s] { s.channel.close(); });
    r.finally([&s] { require(s.accepted == s.got, "what was accepted was received"); });
  };
}

/// Either side gives up when it would have to wait, and comes again.
scenario cancel_and_retry(std::size_t capacity, int count) {
  return [=](run& r) {
    auto& s = r.make<channel_state>(capacity);
    r.thread("sender", [&s, count] {
      for (int i = 1; i <= count; ++i)
        while (!s.send_or_cancel(i)) mc_sync::spin_hint();
    });
    r.thread("receiver", [&s, count] {
      for (int i = 1; i <= count;) {
        int const next = i % 2 == 0 ? s.receive() : s.receive_or_cancel();
        if (next == 0) {
          mc_sync::spin_hint();
          continue;
        }
        require(next == i, "each item, in order");
        ++i;
      }
    });
  };
}

/// The receiver gives each item back once, as when it is cancelled before it is told; a third
/// thread asks how many there are.
scenario give_back(std::size_t capacity, int count) {
  return [=](run& r) {
    auto& s = r.make<channel_state>(capacity);
    r.thread("sender", [&s, count] {
      for (int i = 1; i <= count; ++i) require(s.send(i) == wait_outcome::done, "taken");
    });
    r.thread("receiver", [&s, count] {
      for (int i = 1; i <= 2 * count; ++i) {
        auto& self = *s.receives.emplace_back(std::make_unique<receiving>());
        if (!s.channel.try_receive(self) && !s.channel.receive(self)) self.sleep();
        require(self.item() == (i + 1) / 2, "each item twice, in order");
        if (i % 2 == 0) continue;
        require(s.channel.retract(self), "it is given back");
        require(s.channel.size() != 0, "and counted");
      }
    });
    r.thread("asker", [&s, capacity] {
      require(s.channel.size() <= capacity + 1, "no more than there can be");
    });
  };
}

/// Two receives wait at a time; they are served in order.
void two_pending_receives(run& r) {
  auto& s = r.make<channel_state>(1);
  r.thread("receiver", [&s] {
    auto& pair = s.pair;
    bool const first = s.channel.try_receive(pair[0]) || s.channel.receive(pair[0]);
    bool const second = s.channel.try_receive(pair[1]) || s.channel.receive(pair[1]);
    if (!first) pair[0].sleep();
    if (!second) pair[1].sleep();
    require(pair[0].item() == 1 && pair[1].item() == 2, "in order");
  });
  r.thread("sender", [&s] {
    for (int i : {1, 2}) require(s.send(i) == wait_outcome::done, "taken");
  });
}

/// Two sends wait at a time, and the sender goes on when the first of them has ended.
void two_pending_sends(run& r) {
  auto& s = r.make<channel_state>(1);
  r.thread("sender", [&s] {
    s.send(1);
    auto& first = *s.sends.emplace_back(std::make_unique<sending>(2));
    auto& second = *s.sends.emplace_back(std::make_unique<sending>(3));
    bool const first_done = s.channel.try_send(first) || s.channel.send(first);
    bool const second_done = s.channel.try_send(second) || s.channel.send(second);
    if (!first_done) first.sleep();
    s.send(4);
    if (!second_done) second.sleep();
  });
  r.thread("receiver", [&s] {
    for (int i = 1; i <= 4; ++i) require(s.receive() == i, "in order");
  });
}

TEST(spsc_channel_model, items_arrive_through_one_place) {
  expect_holds(transfer(1, 2), {.searched = 60'000, .random = 4'000});
}
TEST(spsc_channel_model, items_arrive_through_two_places) {
  expect_holds(transfer(2, 3), {.searched = 60'000, .random = 4'000});
}
TEST(spsc_channel_model, receiver_that_polls_wakes_the_sender) {
  expect_holds(receiver_that_polls(3), {.searched = 60'000, .random = 4'000});
}
TEST(spsc_channel_model, close_loses_nothing_that_was_accepted) {
  expect_holds(close_between(1, 2), {.searched = 60'000, .random = 4'000});
}
TEST(spsc_channel_model, cancelled_waits_lose_nothing) {
  expect_holds(cancel_and_retry(1, 2), {.searched = 60'000, .random = 4'000});
}
TEST(spsc_channel_model, item_that_was_given_back_is_received_next) {
  expect_holds(give_back(1, 2), {.searched = 60'000, .random = 4'000});
}
TEST(spsc_channel_model, two_sends_that_wait_are_served_in_order) {
  expect_holds(two_pending_sends, {.searched = 60'000, .random = 4'000});
}
TEST(spsc_channel_model, two_receives_that_wait_are_served_in_order) {
  expect_holds(two_pending_receives, {.searched = 60'000, .random = 4'000});
}

// --- mutants of spsc_ring.hpp and channel_spsc.hpp ---

using act = mutant::action;

struct spsc_channel_mutants : testing::TestWithParam<mutant> {};

TEST_P(spsc_channel_mutants, are_killed) {
  expect_killed(
      [](run& r) {
        switch (engine::current()->choose.choose(7, choices::about::schedule)) {
          case 0:
            return transfer(1, 2)(r);
          case 1:
            return transfer(2, 3)(r);
          case 2:
            return close_between(1, 2)(r);
          case 3:
            return two_pending_receives(r);
          case 4:
            return receiver_that_polls(3)(r);
          case 5:
            return two_pending_sends(r);
          default:
            return cancel_and_retry(1, 2)(r);
        }
      },
      GetParam(), {.searched = 60'000, .random = 20'000});
}

INSTANTIATE_TEST_SUITE_P(
    each, spsc_channel_mutants,
    testing::Values(
        mutant{"push_without_release", in("push", kind::compare_exchange), act::reorder, relaxed},
        mutant{"push_split", in("push", kind::compare_exchange), act::split},
        mutant{"push_by_plain_store", in("push", kind::compare_exchange), act::store_blind,
               release},
        mutant{"push_sees_old_pops", in("push", kind::load, acquire), act::reorder, relaxed},
        mutant{"pop_without_acquire", in("pop", kind::load), act::reorder, relaxed},
        mutant{"pop_without_release", in("pop", kind::fetch), act::reorder, relaxed},
        mutant{"pop_split", in("pop", kind::fetch), act::split},
        mutant{"consumer_announced_split", in("announce_consumer", kind::compare_exchange),
               act::split},
        mutant{"consumer_announced_blindly", in("announce_consumer", kind::compare_exchange),
               act::store_blind, release},
        mutant{"producer_announced_split", in("announce_producer", kind::compare_exchange),
               act::split},
        mutant{"producer_announced_blindly", in("announce_producer", kind::compare_exchange),
               act::store_blind, release},
        mutant{"close_split", in("close", kind::fetch), act::split},
        mutant{"sides_handed_back_relaxed", in("count", kind::store), act::reorder, relaxed},
        mutant{"sender_takes_its_side_relaxed", in("try_send", kind::load), act::reorder, relaxed},
        mutant{"receiver_takes_its_side_relaxed", in("try_receive", kind::load), act::reorder,
               relaxed},
        mutant{"lock_without_acquire", in("try_lock", kind::compare_exchange), act::reorder,
               relaxed},
        mutant{"slow_lock_without_acquire", in("lock_slowly", kind::exchange), act::reorder,
               relaxed},
        mutant{"slow_lock_split", in("lock_slowly", kind::exchange), act::split},
        mutant{"unlock_without_release", in("unlock", kind::exchange), act::reorder, relaxed},
        mutant{"unlock_split", in("unlock", kind::exchange), act::split}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
