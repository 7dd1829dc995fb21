// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The "cancel safety" that tokio's documentation states for its waits, one by one, as properties of
// ours: waits are begun and given up at random, in any order, and nothing is lost by it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "support/channel_flavours.hpp"
#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/tokengate.hpp"

namespace tokengate::test {
namespace {

constexpr int steps = 20000;

class cancel_safety : public testing::Test {
 public:
  void TearDown() override { loop_.run_out(); }
  [[nodiscard]] bool one_in(unsigned n) { return random_() % n == 0; }
  [[nodiscard]] std::size_t below(std::size_t n) { return random_() % n; }
  asio::cancellation_type some_type() {
    constexpr std::array types{asio::cancellation_type::terminal, asio::cancellation_type::partial,
                               asio::cancellation_type::total};
    return types[below(types.size())];
  }

  loop loop_;
  std::mt19937 random_{42};
};

/// Some waits of one kind under way, each begun, given up and begun again at random.
template <class T>
class waits {
 public:
  using handler = asio::cancellation_slot_binder<keep<T>, asio::cancellation_slot>;

  /// `begin` starts one. `ended` is called for each that was not given up.
  waits(cancel_safety& test, std::size_t most, std::function<void(handler)> begin,
        std::function<void(outcome<T>&)> ended)
      : test_(test), begin_(std::move(begin)), ended_(std::move(ended)), places_(most) {}
  ~waits() { give_up_all(); }

  void step() {
    auto& place = places_[test_.below(places_.size())];
    if (!place) {
      begin(place);
    } else if (place->got.done()) {
      settle(place);
    } else if (test_.one_in(3)) {
      place->signal.emit(test_.some_type());
      ++given_up_;
    }
  }
  void give_up_all() {
    for (auto& place : places_) {
      if (!place) continue;
      place->signal.emit(asio::cancellation_type::terminal);
      test_.loop_.run_until([&] { return place->got.done(); });
      settle(place);
    }
  }
  [[nodiscard]] int given_up() const noexcept { return given_up_; }
  [[nodiscard]] int succeeded() const noexcept { return succeeded_; }

 private:
  struct wait {
    asio::cancellation_signal signal;
    outcome<T> got;
  };
  void begin(std::unique_ptr<wait>& place) {
    place = std::make_unique<wait>();
    begin_(asio::bind_cancellation_slot(place->signal.slot(), keep<T>(place->got)));
  }
  void settle(std::unique_ptr<wait>& place) {
    EXPECT_EQ(place->got.calls, 1);
    if (place->got.error) {
      EXPECT_EQ(place->got.code(), error::cancelled);
    } else {
      ++succeeded_;
      ended_(place->got);
    }
    place.reset();
  }

  cancel_safety& test_;
  std::function<void(handler)> begin_;
  std::function<void(outcome<T>&)> ended_;
  std::vector<std::unique_ptr<wait>> places_;
  int given_up_ = 0;
  int succeeded_ = 0;
};

// --- mpsc ---

class cancel_safety_of_channels : public cancel_safety,
                                  public testing::WithParamInterface<channel_kind> {
 protected:
  channel<std::unique_ptr<int>> it_{loop_.executor(), GetParam().options<std::unique_ptr<int>>()};
};

INSTANTIATE_TEST_SUITE_P(each, cancel_safety_of_channels, every_channel_kind(), name_of_kind);

TEST_P(cancel_safety_of_channels, receive_given_up_takes_no_item_and_send_given_up_sends_none) {
  int next = 1, last = 0;
  auto mine = std::make_unique<int>(next);
  waits<void> sends(
      *this, 1, [&](auto handler) { it_.async_send_from(mine, std::move(handler)); },
      [&](auto&) {
        EXPECT_EQ(mine, nullptr);
        mine = std::make_unique<int>(++next);
      });
  waits<std::unique_ptr<int>> receives(
      *this, 1, [&](auto handler) { it_.async_receive(std::move(handler)); },
      [&](auto& got) { EXPECT_EQ(**got.value, ++last) << "none lost, none twice, in order"; });
  for (int i = 0; i != steps; ++i) {
    if (one_in(2)) sends.step();
    if (one_in(2)) receives.step();
    if (one_in(2)) loop_.poll_one();
  }
  sends.give_up_all();
  receives.give_up_all();
  ASSERT_TRUE(mine) << "a send that failed has its item";
  EXPECT_EQ(*mine, next);
  while (auto rest = it_.try_receive()) EXPECT_EQ(**rest, ++last);
  EXPECT_EQ(last, next - 1);
  EXPECT_GT(last, 100);
  EXPECT_GT(receives.given_up(), 100);
}

TEST_P(cancel_safety_of_channels, receive_of_many_given_up_leaves_its_buffer_as_it_was) {
  std::vector<std::unique_ptr<int>> buffer;
  int next = 0;
  std::size_t taken = 0;
  waits<std::size_t> receives(
      *this, 1, [&](auto handler) { it_.async_receive_some(buffer, 3, std::move(handler)); },
      [&](auto& got) {
        EXPECT_GE(*got.value, 1u);
        taken += *got.value;
      });
  for (int i = 0; i != steps; ++i) {
    receives.step();
    if (one_in(2)) loop_.poll_one();
    if (one_in(3) && it_.try_send(std::make_unique<int>(next))) ++next;
  }
  receives.give_up_all();
  while (auto rest = it_.try_receive()) {
    buffer.push_back(std::move(*rest));
    ++taken;
  }
  EXPECT_EQ(taken, buffer.size());
  ASSERT_EQ(buffer.size(), static_cast<std::size_t>(next));
  for (int i = 0; i != next; ++i) EXPECT_EQ(*buffer[static_cast<std::size_t>(i)], i);
  EXPECT_GT(next, 100);
}

// --- broadcast, watch, oneshot, notify ---

TEST_F(cancel_safety, broadcast_receive_given_up_misses_no_item) {
  broadcast<int> news(loop_.context, 4);
  auto reader = news.subscribe();
  int next = 0, last = 0;
  waits<broadcast_item<int>> receives(
      *this, 1, [&](auto handler) { reader.async_receive(std::move(handler)); },
      [&](auto& got) { EXPECT_EQ(**got.value, last++); });
  for (int i = 0; i != steps; ++i) {
    receives.step();
    if (one_in(2)) loop_.poll_one();
    if (one_in(3) && news.try_send(next)) ++next;
  }
  receives.give_up_all();
  while (auto rest = reader.try_receive()) EXPECT_EQ(*rest, last++);
  EXPECT_EQ(last, next);
  EXPECT_GT(next, 100);
}

TEST_F(cancel_safety, broadcast_send_given_up_sends_none) {
  broadcast<int> news(loop_.context, 2);
  auto reader = news.subscribe();
  int sent = 0, received = 0;
  waits<void> sends(
      *this, 1, [&](auto handler) { news.async_send(1, std::move(handler)); },
      [&](auto&) { ++sent; });
  for (int i = 0; i != steps; ++i) {
    sends.step();
    if (one_in(2)) loop_.poll_one();
    if (one_in(4) && reader.try_receive()) ++received;
  }
  sends.give_up_all();
  while (reader.try_receive()) ++received;
  EXPECT_EQ(received, sent);
  EXPECT_GT(sent, 100);
}

TEST_F(cancel_safety, changed_given_up_marks_nothing_as_seen) {
  watch<int> value(loop_.context, 0);
  auto reader = value.subscribe();
  int now = 0, seen = 0;
  waits<std::shared_ptr<int const>> changes(
      *this, 1, [&](auto handler) { reader.async_changed(std::move(handler)); },
      [&](auto& got) {
        EXPECT_GE(**got.value, seen);
        seen = **got.value;
      });
  for (int i = 0; i != steps; ++i) {
    changes.step();
    if (one_in(2)) loop_.poll_one();
    if (one_in(8)) value.set(++now);
  }
  changes.give_up_all();
  value.set(++now);
  for (int i = 0; seen != now && i != 3; ++i) {  // that which is new now is not missed
    outcome<std::shared_ptr<int const>> got;
    reader.async_changed(keep(got));
    loop_.run_until([&] { return got.done(); });
    seen = **got.value;
  }
  EXPECT_EQ(seen, now);
  EXPECT_GT(changes.succeeded(), 100);
}

TEST_F(cancel_safety, flow_variable_keeps_its_value_for_who_waits_longer) {
  for (int round = 0; round != 500; ++round) {
    promise<int> source(loop_.executor());
    auto variable = source.get_flow_var();
    int got_it = 0;
    {
      waits<int> gets(
          *this, 1, [&](auto handler) { variable(std::move(handler)); },
          [&](auto& got) {
            EXPECT_EQ(got.value, round);
            ++got_it;
          });
      for (int i = 0; i != 30 && got_it == 0; ++i) {
        gets.step();
        if (one_in(2)) loop_.poll_one();
        if (i == 15) source.set_value(round);
      }
    }
    if (got_it == 0) {
      EXPECT_TRUE(variable.ready());
      EXPECT_EQ(variable.get(), round);
    } else {
      EXPECT_EQ(got_it, 1);
    }
  }
}

TEST_F(cancel_safety, event_and_latch_are_for_all_who_still_wait) {
  async_event event(loop_.context);
  int open = 0;
  waits<void> passing(
      *this, 4, [&](auto handler) { event.async_wait(std::move(handler)); },
      [&](auto&) { ++open; });
  for (int i = 0; i != steps; ++i) {
    passing.step();
    if (one_in(2)) loop_.poll_one();
    if (one_in(10)) event.set();
    if (one_in(10)) event.reset();
  }
  event.set();
  passing.give_up_all();
  EXPECT_GT(open, 100);
  async_latch latch(loop_.context, 1);
  waits<void> behind(
      *this, 4, [&](auto handler) { latch.async_wait(std::move(handler)); },
      [&](auto&) { EXPECT_TRUE(latch.try_wait()); });
  for (int i = 0; i != 1000; ++i) {
    behind.step();
    if (one_in(2)) loop_.poll_one();
    if (i == 500) latch.count_down();
  }
  behind.give_up_all();
  EXPECT_GT(behind.succeeded(), 10);
}

/// tokio's barrier is not cancel safe; ours takes the arrival back.
TEST_F(cancel_safety, arrival_given_up_is_taken_back) {
  async_barrier barrier(loop_.context, 3);
  std::vector<int> passed;
  waits<std::uint64_t> arrivals(
      *this, 4, [&](auto handler) { barrier.async_arrive_and_wait(std::move(handler)); },
      [&](auto& got) {
        passed.resize(std::max(passed.size(), static_cast<std::size_t>(*got.value) + 1));
        ++passed[static_cast<std::size_t>(*got.value)];
      });
  for (int i = 0; i != steps; ++i) {
    arrivals.step();
    if (one_in(2)) loop_.poll_one();
  }
  arrivals.give_up_all();
  for (int const parties : passed) EXPECT_EQ(parties, 3) << "of one phase";
  EXPECT_GT(passed.size(), 100u);
}

// --- Mutex, RwLock, Semaphore: a wait given up loses its place and nothing else ---

TEST_F(cancel_safety, mutex_is_held_by_one_and_free_in_the_end) {
  async_mutex mutex(loop_.context);
  std::optional<async_mutex::guard> held;
  waits<async_mutex::guard> locks(
      *this, 4, [&](auto handler) { mutex.async_lock(std::move(handler)); },
      [&](auto& got) {
        EXPECT_FALSE(held);
        held.emplace(std::move(*got.value));
      });
  for (int i = 0; i != steps; ++i) {
    locks.step();
    if (one_in(2)) loop_.poll_one();
    if (one_in(3)) held.reset();
  }
  held.reset();
  locks.give_up_all();
  EXPECT_GT(locks.succeeded(), 100);
  held.reset();
  EXPECT_TRUE(mutex.try_lock());
}

TEST_F(cancel_safety, shared_mutex_keeps_writers_alone) {
  async_shared_mutex mutex(loop_.context);
  std::vector<async_shared_mutex::shared_guard> readers;
  std::vector<async_shared_mutex::guard> writers;
  auto const expect_legal = [&] {
    EXPECT_LE(writers.size(), 1u);
    EXPECT_TRUE(writers.empty() || readers.empty());
  };
  {
    waits<async_shared_mutex::shared_guard> shared(
        *this, 3, [&](auto handler) { mutex.async_lock_shared(std::move(handler)); },
        [&](auto& got) {
          readers.push_back(std::move(*got.value));
          expect_legal();
        });
    waits<async_shared_mutex::guard> alone(
        *this, 2, [&](auto handler) { mutex.async_lock(std::move(handler)); },
        [&](auto& got) {
          writers.push_back(std::move(*got.value));
          expect_legal();
        });
    for (int i = 0; i != steps; ++i) {
      if (one_in(2)) shared.step();
      if (one_in(2)) alone.step();
      if (one_in(2)) loop_.poll_one();
      if (one_in(3) && !readers.empty()) readers.pop_back();
      if (one_in(3)) writers.clear();
    }
    EXPECT_GT(shared.succeeded(), 100);
    EXPECT_GT(alone.succeeded(), 100);
    readers.clear();
    writers.clear();
    alone.give_up_all();
    writers.clear();
    shared.give_up_all();
    readers.clear();
  }
  EXPECT_TRUE(mutex.try_lock());
}

TEST_F(cancel_safety, semaphore_has_all_its_permits_in_the_end) {
  constexpr std::size_t most = 4;
  async_semaphore slots(loop_.context, most);
  std::vector<async_semaphore::permit> held;
  waits<async_semaphore::permit> acquires(
      *this, 5, [&](auto handler) { slots.async_acquire(1 + below(3), std::move(handler)); },
      [&](auto& got) { held.push_back(std::move(*got.value)); });
  for (int i = 0; i != steps; ++i) {
    acquires.step();
    if (one_in(2)) loop_.poll_one();
    if (one_in(3) && !held.empty())
      held.erase(held.begin() + static_cast<long>(below(held.size())));
    ASSERT_LE(held.size(), most);
  }
  acquires.give_up_all();
  held.clear();
  EXPECT_EQ(slots.available(), most);
  EXPECT_GT(acquires.succeeded(), 100);
}

}  // namespace
}  // namespace tokengate::test
