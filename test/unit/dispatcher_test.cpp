// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/dispatcher.hpp"

#include "tokengate/detail/own_work.hpp"
#include "tokengate/detail/tick_clock.hpp"
#include "unit/dispatcher_fixture.hpp"

// What the random sequences do not reach: estimates, credits, chains.

namespace tokengate::detail::test {
namespace {

TEST_F(dispatcher_by_value, function_of_seconds_saturates_and_leaves_the_least_credits) {
  auto& worker = add_worker(0);
  dispatcher_.set_hand_over(50'000);
  bare_token& token = make();
  dispatcher_.admit(token, 1);
  run_one(worker, ~std::uint32_t{0});
  EXPECT_EQ(worker.credits(), 2u);
}

TEST_F(dispatcher_by_value, own_work_waits_beyond_the_bound_and_is_not_killed_before_its_start) {
  auto& worker = add_worker(0);
  for (int i = 0; i != 2 + 4 + 4; ++i) dispatcher_.admit(make(), 1);
  ASSERT_EQ(dispatcher_.waiting_room(1), 4u);
  bare_token& own = make();
  bare_token& other = make();
  own.policy = own_work;
  dispatcher_.admit(own, 1);
  dispatcher_.admit(other, 1);
  EXPECT_EQ(dispatcher_.waiting_room(1), 5u);
  EXPECT_EQ(other.outcome, token_state::rejected);
  EXPECT_FALSE(dispatcher_.kill(own.way.in.id));
  while (own.where != token_base::place::slot) {
    run_one(worker, 1);
    dispatcher_.pump(1);
  }
  EXPECT_FALSE(dispatcher_.kill(own.way.in.id)) << "its worker has not taken it";
  while (own.outcome == token_state::created) run_one(worker, 1);
  EXPECT_EQ(own.outcome, token_state::completed);
}

TEST_F(dispatcher_by_value, brief_functions_are_given_more_credits) {
  auto& worker = add_worker(0);
  dispatcher_.set_hand_over(1000);
  bare_token& token = make();
  dispatcher_.admit(token, 1);
  run_one(worker, 99);
  EXPECT_EQ(worker.credits(), 12u);
}

TEST_F(dispatcher_by_value, deadline_that_the_backlog_cannot_make_is_refused_at_once) {
  auto& worker = add_worker(0);
  auto const admit = [&] { dispatcher_.admit(make(), 1); };
  admit();
  run_one(worker, static_cast<std::uint32_t>(tick_clock::to_ticks(std::chrono::milliseconds(10))));
  for (int i = 0; i != 4; ++i) admit();
  ASSERT_EQ(dispatcher_.waiting(1), 2u);
  bare_token& late = make();
  bare_token& able = make();
  late.with_extras().deadline = constant_time() + std::chrono::milliseconds(5);
  able.with_extras().deadline = constant_time() + std::chrono::seconds(5);
  dispatcher_.admit(late, 1);
  EXPECT_EQ(late.outcome, token_state::rejected);
  EXPECT_EQ(late.way.in.why, error::overloaded);
  dispatcher_.admit(able, 1);
  EXPECT_EQ(able.where, token_base::place::backlog);
  EXPECT_EQ(dispatcher_.refused(), 1u);
}

TEST_F(dispatcher_by_value, tokens_of_a_key_in_the_waiting_room_keep_their_lane) {
  auto& medium = add_worker(0);
  auto& light = add_worker(0, weight::light);
  for (int i = 0; i != 6; ++i)  // two in the mailbox, four in the backlog
    dispatcher_.admit(make(), 1);
  bare_token& first = make();
  bare_token& second = make(weight::light);
  for (bare_token* each : {&first, &second}) {
    each->with_extras().has_key = true;
    each->more.key = 9;
    dispatcher_.admit(*each, 1);
  }
  EXPECT_EQ(first.where, token_base::place::waiting_room);
  EXPECT_EQ(second.where, token_base::place::waiting_room) << "it must not pass the first one";
  for (int i = 0; i != 8; ++i) {
    run_one(medium, 1);
    dispatcher_.pump(1);
  }
  EXPECT_EQ(first.outcome, token_state::completed);
  EXPECT_EQ(second.outcome, token_state::completed);
  EXPECT_EQ(light.in_flight(), 0u);
  EXPECT_EQ(dispatcher_.in_flight(0), 0u);
  EXPECT_EQ(dispatcher_.in_flight(1), 0u);
}

TEST_F(dispatcher_by_value, chain_ends_with_its_last_token) {
  auto& worker = add_worker(0);
  bare_token& lead = make();
  bare_token& child = make();
  dispatcher_.admit(lead, 1);
  child.with_extras().lead = lead.way.in.id;
  dispatcher_.admit(child, 1);
  EXPECT_EQ(dispatcher_.chains_open(), 1u);
  run_one(worker, 1);
  EXPECT_EQ(dispatcher_.chains_open(), 1u);
  run_one(worker, 1);
  EXPECT_EQ(dispatcher_.chains_open(), 0u);
  EXPECT_EQ(dispatcher_.chains_ended(), 1u);
}

}  // namespace
}  // namespace tokengate::detail::test
