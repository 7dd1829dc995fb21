// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/actor.hpp"
#include "tokengate/event_bus.hpp"
#include "tokengate/pipeline.hpp"

// What is built on tokens lives beside a gate that is full, and operators who kill what waits.

namespace tokengate::test {
namespace {

using namespace asio::experimental::awaitable_operators;
using numbers = std::vector<int>;

numbers count_to(int end) {
  numbers all(static_cast<std::size_t>(end));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

class full_gate : public gate_fixture {
 public:
  full_gate() : gate_fixture({.backlog = 8, .waiting = 8}) {}
  void TearDown() override {
    gate_fixture::TearDown();
    EXPECT_EQ(ended_, issued_);
  }

  /// The light worker is busy, the backlog and the waiting room of its lane are full.
  void fill() {
    block(weight::light);
    int const before = refused_;
    while (refused_ == before) {
      ++issued_;
      gate_->async_run(
          {.weight = weight::light}, [] {},
          [this](std::exception_ptr const& error) {
            ++ended_;
            if (error) ++refused_;
          });
      loop_.poll();
    }
  }
  /// What an operator could do to the tokens of that name, none of which has started.
  int kill_all(std::string const& name) {
    int found = 0;
    for (live_token const& each : gate_->tokens()) {
      if (each.operation != name) continue;
      ++found;
      EXPECT_FALSE(gate_->kill(each.id));
    }
    return found;
  }

  event_bus bus_{loop_.context};

 private:
  int issued_ = 0, ended_ = 0, refused_ = 0;
};

struct tally {
  ~tally() { died_on = std::this_thread::get_id(); }
  int add(int amount) { return sum += amount; }
  int sum = 0;
  static inline std::thread::id died_on;
};

TEST_F(full_gate, actor_keeps_its_state_and_its_messages) {
  actor<tally> one(*gate_, {.name = "one", .weight = weight::light});
  outcome<int> before, after;
  one.ask(&tally::add, 1)(keep(before));
  run_until_done(before);
  fill();
  for (int i = 0; i != 10; ++i) EXPECT_TRUE(one.tell(&tally::add, 10));
  EXPECT_EQ(kill_all("one"), 1);
  one.ask(&tally::add, 0)(keep(after));
  busy_.release();
  run_until_done(after);
  EXPECT_EQ(after.value, 101);
  auto const seen = one.snapshot();
  EXPECT_EQ(seen.handled, 12u);
  EXPECT_EQ(seen.failed + seen.restarts + seen.dropped, 0u);
  one.close();
  outcome<void> joined;
  one.async_join(keep(joined));
  run_until_done(joined);
  EXPECT_FALSE(joined.error);
  EXPECT_NE(tally::died_on, std::this_thread::get_id());
}

TEST_F(full_gate, turn_that_waits_in_a_mailbox_is_not_killed) {
  actor<tally> one(*gate_, {.name = "one", .weight = weight::light});
  block(weight::light);
  EXPECT_TRUE(one.tell(&tally::add, 1));
  EXPECT_EQ(kill_all("one"), 1);
  outcome<int> sum;
  one.ask(&tally::add, 1)(keep(sum));
  busy_.release();
  run_until_done(sum);
  EXPECT_EQ(sum.value, 2);
}

TEST_F(full_gate, turn_that_runs_is_asked_to_stop_and_the_actor_lives) {
  actor<tally> one(*gate_, {.name = "one"});
  std::atomic<bool> inside{false}, asked{false};
  EXPECT_TRUE(one.tell([&](tally& to) {
    inside = true;
    asked = stay_until_stopped();
    to.add(5);
  }));
  EXPECT_TRUE(poll_until([&] { return inside.load(); }));
  ASSERT_EQ(gate_->tokens().size(), 1u);
  EXPECT_TRUE(gate_->kill(gate_->tokens().front().id));
  outcome<int> sum;
  one.ask(&tally::add, 1)(keep(sum));
  run_until_done(sum);
  EXPECT_TRUE(asked);
  EXPECT_EQ(sum.value, 6);
}

TEST_F(full_gate, closed_gate_ends_an_actor) {
  actor<tally> one(*gate_, {.name = "one"});
  gate_->close();
  EXPECT_TRUE(one.tell(&tally::add, 1));
  outcome<void> joined;
  one.async_join(keep(joined));
  run_until_done(joined);
  EXPECT_EQ(joined.code(), error::closed);
  EXPECT_EQ(one.snapshot().dropped, 1u);
}

TEST_F(full_gate, subscription_gets_every_event_in_order) {
  numbers got;
  auto const on_lane = bus_.subscribe<int>(
      *gate_, {.name = "all", .capacity = 4, .weight = weight::light},
      [&](int value) { got.push_back(value); },
      [](std::exception_ptr) { ADD_FAILURE() << "an event was lost"; });
  fill();
  int accepted = 0;
  auto const topic = bus_.topic<int>();
  for (int i = 0; i != 50; ++i)
    topic.async_publish(i, [&](std::exception_ptr const& error, std::size_t) {
      EXPECT_FALSE(error);
      ++accepted;
    });
  loop_.poll();
  EXPECT_LT(accepted, 50);
  EXPECT_EQ(kill_all("all"), 1);
  busy_.release();
  loop_.run_until([&] { return on_lane.snapshot().handled == 50 && accepted == 50; });
  EXPECT_EQ(got, count_to(50));
  EXPECT_EQ(on_lane.snapshot().failed, 0u);
}

TEST_F(full_gate, subscription_with_keys_gets_every_event_in_order) {
  std::array<numbers, 3> got;
  auto const on_lane = bus_.subscribe<int>(
      *gate_, {.name = "keys", .weight = weight::light},
      by_key([](int value) { return value % 3; },
             [&](int value) { got[static_cast<std::size_t>(value % 3)].push_back(value); }),
      [](std::exception_ptr) { ADD_FAILURE() << "an event was lost"; });
  fill();
  for (int i = 0; i != 30; ++i) EXPECT_EQ(bus_.topic<int>().try_publish(i), 1u);
  EXPECT_EQ(kill_all("keys"), 30);
  busy_.release();
  loop_.run_until([&] { return on_lane.snapshot().handled == 30; });
  for (numbers const& each : got) {
    EXPECT_EQ(each.size(), 10u);
    EXPECT_TRUE(std::is_sorted(each.begin(), each.end()));
  }
}

TEST_F(full_gate, pipeline_brings_every_item_in_order) {
  auto line = pipeline<int>(*gate_)
                  .stage({.name = "first", .weight = weight::light, .parallel = 4},
                         [](int of) { return of; })
                  .stage({.name = "second", .weight = weight::light}, [](int of) { return of; });
  fill();
  bool all_there = false;
  asio::co_spawn(
      loop_.context,
      [](pipeline<int, int>* to) -> asio::awaitable<void> {
        for (int i = 0; i != 50; ++i) co_await to->async_push(i);
        to->close();
      }(&line),
      asio::detached);
  numbers got;
  asio::co_spawn(
      loop_.context,
      [](pipeline<int, int>* from, numbers* to, bool* done) -> asio::awaitable<void> {
        for (auto x = co_await from->async_pull(); x; x = co_await from->async_pull())
          to->push_back(*x);
        *done = true;
      }(&line, &got, &all_there),
      asio::detached);
  for (int i = 0; i != 100; ++i) loop_.poll();
  EXPECT_EQ(kill_all("first"), 4);
  busy_.release();
  loop_.run_until([&] { return all_there; });
  EXPECT_EQ(got, count_to(50));
  outcome<void> joined;
  line.async_join(keep(joined));
  run_until_done(joined);
  EXPECT_FALSE(joined.error);
}

TEST_F(full_gate, keys_of_a_subscription_are_its_own) {
  struct order {
    int customer;
  };
  auto const customer = [](order const& of) { return of.customer; };
  std::atomic<int> billed{0}, cached{0};
  auto const billing = bus_.subscribe<order>("billing", *gate_, {.weight = weight::heavy},
                                             by_key(customer, [&](order const&) { ++billed; }));
  auto const cache = bus_.subscribe<order>("cache", *gate_, {.weight = weight::light},
                                           by_key(customer, [&](order const&) { ++cached; }));
  block(weight::heavy);
  EXPECT_EQ(bus_.try_publish("billing", order{7}), 1u);
  EXPECT_EQ(bus_.try_publish("cache", order{7}), 1u);
  outcome<void> mine;
  gate_->async_run({.weight = weight::light}, [] {}).keyed(7)(keep(mine));
  loop_.run_until([&] { return cached == 1 && mine.done(); });
  EXPECT_EQ(billed, 0);
  busy_.release();
  loop_.run_until([&] { return billed == 1; });
}

}  // namespace
}  // namespace tokengate::test
