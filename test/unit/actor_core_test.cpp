// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/actor_core.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace tokengate::detail {
namespace {

struct message : actor_message {
  explicit message(bool tell = true) : actor_message(tell) {}
};
using entry = actor_core::entry;
using after = actor_core::after;

actor_options bounded(std::size_t mailbox, full_mailbox when_full = full_mailbox::wait) {
  actor_options options;
  options.mailbox = mailbox;
  options.when_full = when_full;
  return options;
}

actor_snapshot books(actor_core const& core) {
  actor_snapshot now;
  core.report(now);
  EXPECT_EQ(now.accepted,
            now.handled + now.dropped + now.withdrawn + now.queued + (now.running ? 1 : 0));
  return now;
}

/// Takes the next message and handles it.
actor_message* handle(actor_core& core) {
  actor_message* admitted = nullptr;
  actor_message* const next = core.take(admitted);
  if (next != nullptr) core.handled();
  return next;
}

TEST(actor_core, first_message_starts_a_turn_and_the_rest_ride_on_it) {
  actor_core core(bounded(8));
  message a, b;
  EXPECT_TRUE(core.offer(a, false).start_turn);
  EXPECT_FALSE(core.offer(b, false).start_turn);
  EXPECT_EQ(handle(core), &a);
  EXPECT_TRUE(core.end_turn()) << "one is left";
  EXPECT_EQ(handle(core), &b);
  EXPECT_EQ(handle(core), nullptr);
  EXPECT_FALSE(core.end_turn());
  message c;
  EXPECT_TRUE(core.offer(c, false).start_turn);
  handle(core);
  EXPECT_EQ(books(core).handled, 3u);
}

TEST(actor_core, full_mailbox_lets_messages_wait_in_order) {
  actor_core core(bounded(1));
  message a, b, c, d;
  core.offer(a, true);
  EXPECT_EQ(core.offer(b, true).how, entry::waits);
  EXPECT_EQ(core.offer(c, false).how, entry::full) << "this one cannot wait";
  EXPECT_EQ(core.offer(d, true).how, entry::waits);
  actor_message* admitted = nullptr;
  EXPECT_EQ(core.take(admitted), &a);
  EXPECT_EQ(admitted, &b);
  core.handled();
  message late;
  EXPECT_EQ(core.offer(late, false).how, entry::full) << "d was here before";
  EXPECT_EQ(core.take(admitted), &b);
  EXPECT_EQ(admitted, &d);
  core.handled();
  EXPECT_EQ(handle(core), &d);
  EXPECT_EQ(books(core).rejected, 2u);
}

TEST(actor_core, rejecting_mailbox_refuses_at_once) {
  actor_core core(bounded(1, full_mailbox::reject));
  message a, b;
  core.offer(a, true);
  EXPECT_EQ(core.offer(b, true).how, entry::full);
  handle(core);
  EXPECT_EQ(books(core).rejected, 1u);
}

TEST(actor_core, dropping_mailbox_gives_up_the_oldest_tell_and_no_ask) {
  actor_core core(bounded(2, full_mailbox::drop_oldest));
  message ask(false), tell, newer, refused_by(false);
  core.offer(ask, true);
  core.offer(tell, true);
  auto const result = core.offer(newer, true);
  EXPECT_EQ(result.how, entry::accepted);
  EXPECT_EQ(result.dropped, &tell);
  EXPECT_EQ(handle(core), &ask);
  EXPECT_EQ(handle(core), &newer);
  message ask2(false), ask3(false);
  core.offer(ask2, true);
  core.offer(ask3, true);
  EXPECT_EQ(core.offer(refused_by, true).how, entry::full) << "only asks to drop";
  handle(core), handle(core);
  EXPECT_EQ(books(core).dropped, 1u);
}

TEST(actor_core, withdrawn_message_makes_room_for_one_that_waits) {
  actor_core core(bounded(1));
  message a(false), b, c;
  core.offer(a, true);
  core.offer(b, true);
  core.offer(c, true);
  actor_message* admitted = nullptr;
  EXPECT_TRUE(core.withdraw(c, admitted));
  EXPECT_EQ(admitted, nullptr);
  EXPECT_TRUE(core.withdraw(a, admitted));
  EXPECT_EQ(admitted, &b);
  EXPECT_EQ(core.take(admitted), &b);
  EXPECT_FALSE(core.withdraw(b, admitted)) << "it runs";
  core.handled();
  EXPECT_EQ(books(core).withdrawn, 1u);
}

TEST(actor_core, close_drains_and_then_asks_for_the_end) {
  actor_core core(bounded(8));
  message a, late;
  core.offer(a, false);
  EXPECT_FALSE(core.close()) << "a turn is out already";
  EXPECT_EQ(core.offer(late, true).how, entry::closed);
  EXPECT_FALSE(core.to_be_ended());
  handle(core);
  EXPECT_TRUE(core.to_be_ended());
  core.ended();
  EXPECT_FALSE(core.end_turn());
  EXPECT_FALSE(core.close());
}

TEST(actor_core, close_of_an_idle_one_needs_a_turn_for_the_end) {
  actor_core core(bounded(8));
  EXPECT_TRUE(core.close());
  EXPECT_TRUE(core.to_be_ended());
  core.ended();
  EXPECT_FALSE(core.end_turn());
}

TEST(actor_core, cleared_one_counts_what_it_gives_back) {
  actor_core core(bounded(1));
  message a, b, c;
  core.offer(a, true);
  core.offer(b, true);
  core.offer(c, true);
  message_list left;
  core.clear(left);
  EXPECT_EQ(left.pop_front(), &a);
  EXPECT_EQ(left.pop_front(), &b);
  EXPECT_EQ(left.pop_front(), &c);
  EXPECT_EQ(books(core).dropped, 1u);
  EXPECT_EQ(books(core).rejected, 2u);
  actor_message* admitted = nullptr;
  EXPECT_FALSE(core.withdraw(a, admitted));
}

TEST(actor_core, failures_restart_until_there_were_too_many_in_the_period) {
  actor_options options;
  options.max_restarts = 2;
  options.restart_period = std::chrono::nanoseconds(100);
  actor_core core(options);
  EXPECT_EQ(core.failed(0), after::restart);
  EXPECT_EQ(core.failed(50), after::restart);
  EXPECT_EQ(core.failed(100), after::restart) << "the first one is out of the period";
  EXPECT_EQ(core.failed(120), after::escalate);
  EXPECT_EQ(core.failed(500), after::restart);
  EXPECT_EQ(books(core).restarts, 4u);
  EXPECT_EQ(books(core).failed, 5u);
}

TEST(actor_core, huge_number_of_restarts_is_for_ever_and_takes_no_memory) {
  actor_options options;
  options.max_restarts = static_cast<std::size_t>(-1);
  actor_core core(options);
  for (int i = 0; i != 5000; ++i) ASSERT_EQ(core.failed(0), after::restart);
  EXPECT_EQ(books(core).restarts, 5000u);
}

TEST(actor_core, other_policies_say_what_they_are_called) {
  actor_options options;
  options.on_failure = on_actor_failure::resume;
  EXPECT_EQ(actor_core(options).failed(0), after::go_on);
  options.on_failure = on_actor_failure::stop;
  EXPECT_EQ(actor_core(options).failed(0), after::stop);
  options.on_failure = on_actor_failure::escalate;
  EXPECT_EQ(actor_core(options).failed(0), after::escalate);
}

// Random traffic: the books add up after every step, and messages are handled in the order in which
// they came.
TEST(actor_core, random_traffic_is_handled_in_order_and_accounted_for) {
  std::mt19937 random(17);
  for (int round = 0; round != 1000; ++round) {
    actor_core core(bounded(1 + random() % 4, static_cast<full_mailbox>(random() % 3)));
    std::deque<message> messages;  // address is age
    std::deque<actor_message*> model;
    bool turn = false;
    auto gone = [&](actor_message* one) { std::erase(model, one); };
    for (int step = 0; step != 60; ++step) {
      switch (random() % 4) {
        case 0:
        case 1: {
          message& next = messages.emplace_back(random() % 3 != 0);
          auto const result = core.offer(next, random() % 2 == 0);
          if (result.dropped != nullptr) gone(result.dropped);
          if (result.how == entry::accepted || result.how == entry::waits) model.push_back(&next);
          ASSERT_EQ(result.start_turn, result.how == entry::accepted && !turn);
          turn = turn || result.start_turn;
          break;
        }
        case 2:
          if (turn) {
            if (!model.empty()) {
              ASSERT_EQ(handle(core), model.front());
              model.pop_front();
            }
            turn = core.end_turn();
            ASSERT_EQ(turn, !model.empty());
          }
          break;
        default:
          if (!messages.empty()) {
            message& one = messages[random() % messages.size()];
            bool const inside = std::find(model.begin(), model.end(), &one) != model.end();
            actor_message* admitted = nullptr;
            ASSERT_EQ(core.withdraw(one, admitted), inside);
            gone(&one);
          }
      }
      ASSERT_EQ(core.queued() + core.waiting(), model.size());
      books(core);
    }
    message_list left;
    core.clear(left);
    for (actor_message* each : model) ASSERT_EQ(left.pop_front(), each);
    books(core);
  }
}

}  // namespace
}  // namespace tokengate::detail
