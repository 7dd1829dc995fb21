// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The cores of the channel's flavours by value: what is decided, for whom, and in what order.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tokengate/detail/channel_mpmc.hpp"
#include "tokengate/detail/channel_rendezvous.hpp"
#include "tokengate/detail/channel_spsc.hpp"

namespace tokengate::detail {
namespace {

using thing = std::unique_ptr<int>;

/// A party that notes that it was resumed.
struct test_send : send_waiter<thing> {
  explicit test_send(int value) : send_waiter(&note, own), own(std::make_unique<int>(value)) {}
  static void note(waiter& self) noexcept { ++static_cast<test_send&>(self).resumed; }
  thing own;
  int resumed = 0;
};
struct test_receive : receive_waiter<thing> {
  test_receive() : receive_waiter(&note) {}
  test_receive(std::vector<thing>& into, std::size_t max) : receive_waiter(&note, into, max) {}
  static void note(waiter& self) noexcept { ++static_cast<test_receive&>(self).resumed; }
  [[nodiscard]] int value() const { return one_ ? **one_ : 0; }
  int resumed = 0;
};

/// One call form for cores that are locked from outside and the one that locks itself.
template <class Core>
struct rig {
  template <class... Args>
  explicit rig(Args... args) : core(args...) {}
  template <class F>
  auto with(F f) {
    woken_list woken;
    auto const result = f(woken);
    resume_all(woken);
    return result;
  }
  bool try_send(test_send& x) {
    return with([&](auto& w) { return core.try_send(x, w); });
  }
  bool send(test_send& x) {
    return with([&](auto& w) { return core.send(x, w); });
  }
  bool try_receive(test_receive& x) {
    return with([&](auto& w) { return core.try_receive(x, w); });
  }
  bool receive(test_receive& x) {
    return with([&](auto& w) { return core.receive(x, w); });
  }
  template <class W>
  bool cancel(W& x) {
    return with([&](auto& w) { return core.cancel(x, w); });
  }
  void close() {
    with([&](auto& w) { return core.close(w), 0; });
  }
  void cancel_all() {
    with([&](auto& w) { return core.cancel_all(w), 0; });
  }
  Core core;
};
template <>
struct rig<spsc_channel_core<thing>> {
  explicit rig(std::size_t capacity) : core(capacity) {}
  bool try_send(test_send& x) { return core.try_send(x); }
  bool send(test_send& x) { return core.try_send(x) || core.send(x); }
  bool try_receive(test_receive& x) { return core.try_receive(x); }
  bool receive(test_receive& x) { return core.try_receive(x) || core.receive(x); }
  template <class W>
  bool cancel(W& x) {
    return core.cancel(x);
  }
  void close() { core.close(); }
  void cancel_all() { core.cancel_all(); }
  spsc_channel_core<thing> core;
};

template <class Core>
class channel_core : public testing::Test {
 public:
};
using buffered_cores = testing::Types<mpmc_channel_core<thing>, spsc_channel_core<thing>>;
TYPED_TEST_SUITE(channel_core, buffered_cores);

TYPED_TEST(channel_core, item_waits_in_the_buffer_until_it_is_received) {
  rig<TypeParam> channel(2);
  test_send one(1), two(2);
  EXPECT_TRUE(channel.send(one));
  EXPECT_TRUE(channel.send(two));
  EXPECT_EQ(one.own, nullptr);
  EXPECT_EQ(channel.core.size(), 2u);
  test_receive first, second, third;
  EXPECT_TRUE(channel.receive(first));
  EXPECT_TRUE(channel.receive(second));
  EXPECT_EQ(first.value(), 1);
  EXPECT_EQ(second.value(), 2);
  EXPECT_FALSE(channel.try_receive(third));
}

TYPED_TEST(channel_core, full_one_makes_senders_wait_in_order) {
  rig<TypeParam> channel(1);
  test_send one(1), two(2), three(3), four(4);
  EXPECT_TRUE(channel.send(one));
  EXPECT_FALSE(channel.send(two));
  EXPECT_FALSE(channel.send(three));
  EXPECT_FALSE(channel.try_send(four)) << "nobody is overtaken";
  for (int expected : {1, 2, 3}) {
    test_receive got;
    EXPECT_TRUE(channel.receive(got));
    EXPECT_EQ(got.value(), expected);
  }
  EXPECT_EQ(two.resumed, 1);
  EXPECT_EQ(three.resumed, 1);
  EXPECT_EQ(one.resumed + four.resumed, 0) << "decided at once, or not at all";
  EXPECT_NE(four.own, nullptr);
}

TYPED_TEST(channel_core, empty_one_makes_receivers_wait_in_order) {
  rig<TypeParam> channel(4);
  test_receive first, second, barging;
  EXPECT_FALSE(channel.receive(first));
  EXPECT_FALSE(channel.receive(second));
  test_send one(1), two(2);
  EXPECT_TRUE(channel.send(one));
  EXPECT_FALSE(channel.try_receive(barging));
  EXPECT_TRUE(channel.send(two));
  EXPECT_EQ(first.value(), 1);
  EXPECT_EQ(second.value(), 2);
  EXPECT_EQ(first.resumed, 1);
  EXPECT_EQ(channel.core.size(), 0u);
}

TYPED_TEST(channel_core, cancelled_send_keeps_its_item) {
  rig<TypeParam> channel(1);
  test_send one(1), two(2), three(3);
  channel.send(one);
  channel.send(two);
  channel.send(three);
  EXPECT_TRUE(channel.cancel(two));
  EXPECT_FALSE(channel.cancel(two)) << "only once";
  EXPECT_FALSE(channel.cancel(one)) << "its item is in the channel";
  ASSERT_NE(two.own, nullptr);
  EXPECT_EQ(two.resumed, 0);
  test_receive first, second;
  channel.receive(first);
  channel.receive(second);
  EXPECT_EQ(first.value(), 1);
  EXPECT_EQ(second.value(), 3);
}

TYPED_TEST(channel_core, cancelled_receive_takes_none) {
  rig<TypeParam> channel(2);
  test_receive gone, next;
  EXPECT_FALSE(channel.receive(gone));
  EXPECT_FALSE(channel.receive(next));
  EXPECT_TRUE(channel.cancel(gone));
  test_send one(1);
  EXPECT_TRUE(channel.send(one));
  EXPECT_EQ(gone.taken(), 0u);
  EXPECT_EQ(next.value(), 1);
  EXPECT_FALSE(channel.cancel(next)) << "it has its item";
}

TYPED_TEST(channel_core, all_receivers_cancelled_leaves_the_item_in_the_buffer) {
  rig<TypeParam> channel(2);
  test_receive gone;
  EXPECT_FALSE(channel.receive(gone));
  EXPECT_TRUE(channel.cancel(gone));
  test_send one(1);
  EXPECT_TRUE(channel.send(one));
  EXPECT_EQ(channel.core.size(), 1u);
  test_receive next;
  EXPECT_TRUE(channel.try_receive(next));
  EXPECT_EQ(next.value(), 1);
}

TYPED_TEST(channel_core, closed_one_gives_what_is_in_it_and_then_ends) {
  rig<TypeParam> channel(1);
  test_send one(1), two(2), three(3);
  channel.send(one);
  channel.send(two);
  channel.close();
  EXPECT_EQ(two.resumed, 1);
  EXPECT_EQ(two.outcome, wait_outcome::closed);
  EXPECT_NE(two.own, nullptr);
  EXPECT_TRUE(channel.send(three));
  EXPECT_EQ(three.outcome, wait_outcome::closed);
  EXPECT_NE(three.own, nullptr);
  test_receive last, none;
  EXPECT_TRUE(channel.receive(last));
  EXPECT_EQ(last.outcome, wait_outcome::done);
  EXPECT_EQ(last.value(), 1);
  EXPECT_TRUE(channel.receive(none));
  EXPECT_EQ(none.outcome, wait_outcome::closed);
  channel.close();
  EXPECT_TRUE(channel.core.closed());
}

TYPED_TEST(channel_core, close_wakes_waiting_receivers) {
  rig<TypeParam> channel(1);
  test_receive one, two;
  channel.receive(one);
  channel.receive(two);
  channel.close();
  EXPECT_EQ(one.outcome, wait_outcome::closed);
  EXPECT_EQ(two.resumed, 1);
}

TYPED_TEST(channel_core, cancel_all_leaves_it_open) {
  rig<TypeParam> channel(1);
  test_receive receiver;
  channel.receive(receiver);
  channel.cancel_all();
  EXPECT_EQ(receiver.resumed, 1);
  EXPECT_EQ(receiver.outcome, wait_outcome::cancelled);
  test_send one(1), two(2);
  EXPECT_TRUE(channel.send(one));
  EXPECT_EQ(one.outcome, wait_outcome::done);
  EXPECT_FALSE(channel.send(two));
  channel.cancel_all();
  EXPECT_EQ(two.outcome, wait_outcome::cancelled);
  EXPECT_NE(two.own, nullptr);
  EXPECT_EQ(channel.core.size(), 1u);
}

TYPED_TEST(channel_core, batch_takes_what_is_there_and_lets_senders_in) {
  rig<TypeParam> channel(2);
  test_send one(1), two(2), three(3);
  channel.send(one);
  channel.send(two);
  channel.send(three);
  std::vector<thing> got;
  test_receive batch(got, 2);
  EXPECT_TRUE(channel.receive(batch));
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(*got[0] + *got[1], 3);
  EXPECT_EQ(three.resumed, 1);
  EXPECT_EQ(channel.core.size(), 1u);
}

TYPED_TEST(channel_core, goes_round_its_buffer_many_times) {
  rig<TypeParam> channel(3);
  int next = 0, expected = 0;
  for (int round = 0; round != 50; ++round) {
    for (int i = 0; i != 1 + round % 3; ++i) {
      test_send one(next++);
      ASSERT_TRUE(channel.try_send(one));
    }
    for (int i = 0; i != 1 + round % 3; ++i) {
      test_receive got;
      ASSERT_TRUE(channel.try_receive(got));
      ASSERT_EQ(got.value(), expected++);
    }
  }
}

TYPED_TEST(channel_core, items_that_are_left_go_with_it) {
  auto const shared = std::make_shared<int>(0);
  {
    rig<TypeParam> channel(4);
    test_send one(1);
    channel.send(one);
  }
  SUCCEED() << "address sanitizer has looked";
}

TEST(channel_by_cost, keeps_within_its_cost) {
  rig<mpmc_channel_core<thing>> channel(std::size_t{10}, std::size_t{100});
  test_send big(1), small(2), huge(3);
  big.cost = 80;
  small.cost = 30;
  huge.cost = 500;
  EXPECT_TRUE(channel.send(big));
  EXPECT_FALSE(channel.try_send(small));
  EXPECT_FALSE(channel.send(huge));
  EXPECT_FALSE(channel.send(small)) << "it fits not, and it stands behind";
  EXPECT_EQ(channel.core.cost(), 80u);
  test_receive first, second, third;
  EXPECT_TRUE(channel.receive(first));
  EXPECT_EQ(huge.resumed, 1) << "alone it may pass";
  EXPECT_EQ(small.resumed, 0);
  EXPECT_TRUE(channel.receive(second));
  EXPECT_EQ(second.value(), 3);
  EXPECT_TRUE(channel.receive(third));
  EXPECT_EQ(third.value(), 2);
  EXPECT_EQ(channel.core.cost(), 0u);
}

TEST(channel_by_cost, cancelled_big_one_lets_the_small_one_pass) {
  rig<mpmc_channel_core<thing>> channel(std::size_t{10}, std::size_t{100});
  test_send first(1), big(2), small(3);
  first.cost = 50;
  big.cost = 60;
  small.cost = 50;
  channel.send(first);
  EXPECT_FALSE(channel.send(big));
  EXPECT_FALSE(channel.send(small));
  EXPECT_TRUE(channel.cancel(big));
  EXPECT_EQ(small.resumed, 1);
  EXPECT_EQ(channel.core.size(), 2u);
}

TEST(rendezvous_channel_core, send_ends_with_its_receive) {
  rig<rendezvous_channel_core<thing>> channel;
  test_send one(1), two(2), lone(3);
  EXPECT_FALSE(channel.try_send(lone));
  EXPECT_FALSE(channel.send(one));
  EXPECT_FALSE(channel.send(two));
  test_receive first;
  EXPECT_TRUE(channel.receive(first));
  EXPECT_EQ(first.value(), 1);
  EXPECT_EQ(one.resumed, 1);
  EXPECT_EQ(two.resumed, 0);
  EXPECT_TRUE(channel.cancel(two));
  test_receive second, third;
  EXPECT_FALSE(channel.try_receive(second));
  EXPECT_FALSE(channel.receive(second));
  EXPECT_FALSE(channel.receive(third));
  EXPECT_TRUE(channel.try_send(lone));
  EXPECT_EQ(second.value(), 3);
  channel.close();
  EXPECT_EQ(third.outcome, wait_outcome::closed);
  test_send late(4);
  EXPECT_TRUE(channel.send(late));
  EXPECT_EQ(late.outcome, wait_outcome::closed);
  EXPECT_NE(late.own, nullptr);
}

TEST(rendezvous_channel_core, batch_takes_from_all_senders) {
  rig<rendezvous_channel_core<thing>> channel;
  test_send one(1), two(2), three(3);
  for (auto* each : {&one, &two, &three}) EXPECT_FALSE(channel.send(*each));
  std::vector<thing> got;
  test_receive batch(got, 2);
  EXPECT_TRUE(channel.receive(batch));
  EXPECT_EQ(got.size(), 2u);
  EXPECT_EQ(one.resumed + two.resumed, 2);
  channel.cancel_all();
  EXPECT_EQ(three.outcome, wait_outcome::cancelled);
}

}  // namespace
}  // namespace tokengate::detail
