// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// What the Go specification ("Channel types", "Receive operator", "Close", "Length and capacity")
// and the Go memory model ("Channel communication") say of channels, each rule as a property of
// ours. Where we differ, the name of the test says so: a misuse is an error here and not a panic.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <random>
#include <thread>
#include <vector>

#include "support/channel_flavours.hpp"
#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/channel.hpp"

namespace tokengate::test {
namespace {

class go_channel_rules : public testing::TestWithParam<channel_kind> {
 protected:
  [[nodiscard]] int capacity() const { return static_cast<int>(GetParam().capacity); }
  [[nodiscard]] bool offer(int value) { return it_.try_send(std::move(value)); }
  /// Receives until the channel says that there is no more.
  template <class Each>
  void receive_all(Each each) {
    for (;;) {
      int value = 0;
      try {
        value = it_.receive();
      } catch (boost::system::system_error const& ended) {
        EXPECT_EQ(ended.code(), error::closed);
        return;
      }
      each(value);
    }
  }
  channel<int> it_{GetParam().options<int>()};
};

INSTANTIATE_TEST_SUITE_P(each, go_channel_rules, every_channel_kind(), name_of_kind);

TEST_P(go_channel_rules, values_are_received_in_the_order_sent) {
  constexpr int count = 3000;
  std::jthread sender([&] {
    for (int i = 0; i != count; ++i) it_.send(i);
    it_.close();
  });
  int next = 0;
  receive_all([&](int value) { EXPECT_EQ(value, next++); });
  EXPECT_EQ(next, count);
}

TEST_P(go_channel_rules, each_value_has_one_receiver_and_keeps_its_senders_order) {
  constexpr int count = 1000;
  int const parties = GetParam().many() ? 3 : 1;
  std::vector<std::vector<int>> got(static_cast<std::size_t>(parties));
  {
    std::vector<std::jthread> receivers;
    for (auto& mine : got)
      receivers.emplace_back([&] { receive_all([&](int value) { mine.push_back(value); }); });
    std::vector<std::jthread> senders;
    for (int s = 0; s != parties; ++s)
      senders.emplace_back([&, s] {
        for (int i = 0; i != count; ++i) it_.send(s * count + i);
      });
    senders.clear();
    it_.close();
  }
  std::vector<int> times(static_cast<std::size_t>(parties * count));
  for (auto const& mine : got) {
    std::vector<int> last(static_cast<std::size_t>(parties), -1);
    for (int const value : mine) {
      ++times[static_cast<std::size_t>(value)];
      int& before = last[static_cast<std::size_t>(value / count)];
      EXPECT_LT(before, value % count) << "of one sender, at one receiver";
      before = value % count;
    }
  }
  EXPECT_EQ(std::ranges::count(times, 1), parties * count);
}

TEST_P(go_channel_rules,
       send_blocks_only_when_the_buffer_is_full_and_receive_only_when_it_is_empty) {
  EXPECT_FALSE(it_.try_receive());
  for (int i = 0; i != capacity(); ++i) EXPECT_TRUE(offer(i));
  EXPECT_FALSE(offer(-1));
  for (int i = 0; i != capacity(); ++i) EXPECT_EQ(it_.try_receive(), i);
  EXPECT_FALSE(it_.try_receive());
}

TEST_P(go_channel_rules, length_is_what_is_queued_and_capacity_never_changes) {
  std::mt19937 random(7);
  int queued = 0;
  for (int i = 0; i != 1000; ++i) {
    if (random() % 2 == 0)
      queued += offer(i) ? 1 : 0;
    else
      queued -= it_.try_receive() ? 1 : 0;
    ASSERT_EQ(it_.size(), static_cast<std::size_t>(queued));
    ASSERT_EQ(it_.capacity(), GetParam().capacity);
    ASSERT_LE(queued, capacity());
  }
}

TEST_P(go_channel_rules,
       what_was_buffered_is_received_after_close_and_then_the_end_again_and_again) {
  for (int i = 0; i != capacity(); ++i) EXPECT_TRUE(offer(i));
  it_.close();
  for (int i = 0; i != capacity(); ++i) EXPECT_EQ(it_.receive(), i);
  for (int i = 0; i != 3; ++i)
    EXPECT_EQ(thrown_by([&] { static_cast<void>(it_.receive()); }), error::closed);
}

TEST_P(go_channel_rules, send_on_a_closed_channel_is_an_error_that_has_the_item) {
  it_.close();
  try {
    it_.send(5);
    ADD_FAILURE() << "nobody can receive it";
  } catch (not_sent<int> const& failed) {
    EXPECT_EQ(failed.code(), error::closed);
    EXPECT_EQ(failed.item(), 5);
  }
}

TEST_P(go_channel_rules, closing_a_closed_channel_does_nothing) {
  it_.close();
  it_.close();
  EXPECT_TRUE(it_.closed());
}

TEST_P(go_channel_rules, close_wakes_all_who_wait) {
  int const parties = GetParam().many() ? 3 : 1;
  std::atomic<int> ended{0};
  std::vector<std::jthread> receivers;
  for (int i = 0; i != parties; ++i)
    receivers.emplace_back([&] {
      EXPECT_EQ(thrown_by([&] { static_cast<void>(it_.receive()); }), error::closed);
      ++ended;
    });
  it_.close();
  receivers.clear();
  EXPECT_EQ(ended, parties);
}

// --- the memory model: plain variables, for the thread sanitizer to watch ---

TEST_P(go_channel_rules, send_happens_before_its_receive_completes) {
  constexpr int count = 1000;
  std::vector<int> plain(count);
  std::jthread sender([&] {
    for (int i = 0; i != count; ++i) {
      plain[static_cast<std::size_t>(i)] = i + 1;
      it_.send(i);
    }
    it_.close();
  });
  receive_all([&](int i) { EXPECT_EQ(plain[static_cast<std::size_t>(i)], i + 1); });
}

TEST_P(go_channel_rules, close_happens_before_a_receive_that_returns_because_of_it) {
  for (int round = 0; round != 100; ++round) {
    channel<int> it(GetParam().options<int>());
    int plain = 0;
    std::jthread closer([&] {
      plain = 1;
      it.close();
    });
    EXPECT_EQ(thrown_by([&] { static_cast<void>(it.receive()); }), error::closed);
    EXPECT_EQ(plain, 1);
  }
}

TEST_P(go_channel_rules, kth_receive_happens_before_the_send_k_plus_capacity_completes) {
  constexpr int count = 1000;
  // Written before the k-th receive begins, read after the send k + C has completed.
  std::vector<int> plain(count);
  std::jthread receiver([&] {
    for (int k = 0; k != count; ++k) {
      plain[static_cast<std::size_t>(k)] = k + 1;
      EXPECT_EQ(it_.receive(), k);
    }
  });
  for (int k = 0; k != count; ++k) {
    it_.send(k);
    int const received = k - capacity();
    if (received >= 0) {
      ASSERT_EQ(plain[static_cast<std::size_t>(received)], received + 1);
    }
  }
}

// --- select ---

TEST_P(go_channel_rules, of_a_choice_that_was_given_up_nothing_has_happened) {
  loop io;
  channel<int> first(io.executor(), GetParam().options<int>());
  channel<int> second(io.executor(), GetParam().options<int>());
  int sent = 0, received = 0;
  std::mt19937 random(11);
  for (int round = 0; round != 500; ++round) {
    // Receives from both; who comes first cancels the other, as a select does.
    asio::cancellation_signal give_up_first, give_up_second;
    outcome<int> one, other;
    first.async_receive(asio::bind_cancellation_slot(
        give_up_first.slot(), [&, to = keep(one)](std::exception_ptr e, int value) mutable {
          give_up_second.emit(asio::cancellation_type::total);
          to(e, value);
        }));
    second.async_receive(asio::bind_cancellation_slot(
        give_up_second.slot(), [&, to = keep(other)](std::exception_ptr e, int value) mutable {
          give_up_first.emit(asio::cancellation_type::total);
          to(e, value);
        }));
    if (random() % 2 == 0) io.poll();
    bool const both = random() % 3 == 0;
    bool const swap = random() % 2 == 0;
    if (both || !swap) sent += first.try_send(1) ? 1 : 0;
    if (both || swap) sent += second.try_send(1) ? 1 : 0;
    if (sent == received) {
      first.async_send(1, asio::detached);
      ++sent;
    }
    io.run_until([&] { return one.done() && other.done(); });
    EXPECT_NE(one.value.has_value(), other.value.has_value());
    received += one.value.has_value() ? 1 : 0;
    received += other.value.has_value() ? 1 : 0;
    for (auto* each : {&first, &second})
      while (each->try_receive()) ++received;
    ASSERT_EQ(sent, received) << "in round " << round;
  }
}

}  // namespace
}  // namespace tokengate::test
