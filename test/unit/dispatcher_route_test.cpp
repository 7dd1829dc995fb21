// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/dispatcher.hpp"

#include "unit/dispatcher_fixture.hpp"

// Which worker a token goes to, and what is moved to another one.

namespace tokengate::detail::test {
namespace {

TEST_F(dispatcher_by_value, child_goes_to_the_core_of_its_lead) {
  add_worker(0);
  auto& second = add_worker(1);
  dispatcher_.avoid_core(1);  // anything else would go to the first
  bare_token& child = make();
  child.with_extras().near_core = 1;
  dispatcher_.admit(child, 2);
  EXPECT_EQ(second.in_flight(), 1u);
}

TEST_F(dispatcher_by_value, token_goes_where_least_is_in_flight) {
  auto& first = add_worker(0);
  auto& second = add_worker(1);
  bare_token& a = make();
  bare_token& b = make();
  dispatcher_.admit(a, 1);
  dispatcher_.admit(b, 1);
  EXPECT_EQ(first.in_flight(), 1u);
  EXPECT_EQ(second.in_flight(), 1u);
  EXPECT_EQ(dispatcher_.busy_cores(), 2u);
}

TEST_F(dispatcher_by_value, light_function_goes_to_an_idle_core_or_beside_heavy_work) {
  auto& beside_medium = add_worker(0, weight::light);
  auto& beside_heavy = add_worker(1, weight::light);
  auto& alone = add_worker(2, weight::light);
  add_worker(0, weight::medium);
  add_worker(1, weight::heavy);
  dispatcher_.avoid_core(2);
  dispatcher_.admit(make(weight::medium), 1);
  dispatcher_.admit(make(weight::heavy), 1);
  dispatcher_.admit(make(weight::light), 1);
  EXPECT_EQ(alone.in_flight(), 1u);
  dispatcher_.admit(make(weight::light), 1);
  EXPECT_EQ(beside_heavy.in_flight(), 1u);
  dispatcher_.admit(make(weight::light), 1);
  EXPECT_EQ(beside_medium.in_flight(), 1u);
}

/// One worker is awake, the other sleeps, and the gate has seen some functions that took so long.
class dispatcher_with_a_sleeper : public dispatcher_by_value {
 protected:
  static constexpr std::uint32_t hand_over = 1000;

  dispatcher_with_a_sleeper() {
    EXPECT_TRUE(fronts_[1].parking.try_park());
    dispatcher_.set_hand_over(hand_over);
  }
  void learn(std::uint32_t ticks) {
    for (int i = 0; i != 8; ++i) {
      dispatcher_.admit(make(), 1);
      run_one(awake_, ticks);
    }
  }
  void admit_two() {
    for (int i = 0; i != 2; ++i) dispatcher_.admit(make(), 1);
  }

  lane_link& awake_ = add_worker(0);
  lane_link& asleep_ = add_worker(1);
};

TEST_F(dispatcher_with_a_sleeper, brief_functions_wait_for_the_worker_that_is_awake) {
  learn(9);
  admit_two();
  EXPECT_EQ(awake_.in_flight(), 2u);
  while (asleep_.in_flight() == 0) dispatcher_.admit(make(), 1);
  EXPECT_EQ(awake_.in_flight(), awake_.credits() - 1) << "as many as end while a worker wakes up";
}

TEST_F(dispatcher_with_a_sleeper, functions_of_unknown_length_do_not_wait) {
  admit_two();
  EXPECT_EQ(asleep_.in_flight(), 1u);
}

TEST_F(dispatcher_with_a_sleeper, long_functions_do_not_wait) {
  learn(hand_over);
  admit_two();
  EXPECT_EQ(asleep_.in_flight(), 1u);
}

TEST_F(dispatcher_with_a_sleeper, functions_do_not_wait_where_one_of_them_was_long) {
  learn(9);
  dispatcher_.admit(make(), 1);
  run_one(awake_, hand_over * 2);
  for (int i = 0; i != 100; ++i) {
    dispatcher_.admit(make(), 1);
    run_one(awake_, 9);
  }
  ASSERT_LT(dispatcher_.estimate(lane_index(weight::medium)).mean(), 20u);
  admit_two();
  EXPECT_EQ(asleep_.in_flight(), 1u);
}

TEST_F(dispatcher_with_a_sleeper, brief_functions_do_not_wait_behind_one_that_nobody_knows) {
  learn(9);
  operation_record another("never seen", token_options{});
  bare_token& unknown = tokens_.emplace_back(another);
  dispatcher_.admit(unknown, 1);
  EXPECT_EQ(awake_.in_flight(), 1u);
  dispatcher_.admit(make(), 1);
  EXPECT_EQ(asleep_.in_flight(), 1u);
  run_one(awake_, 9);
  run_one(asleep_, 9);
  while (!fronts_[1].parking.try_park()) {
  }
  admit_two();
  EXPECT_EQ(awake_.in_flight(), 2u) << "it has come back";
}

TEST_F(dispatcher_with_a_sleeper, brief_functions_wait_behind_one_that_took_long_only_once) {
  operation_record another("preempted once", token_options{});
  auto const run_another = [&](std::uint32_t ticks) {
    dispatcher_.admit(tokens_.emplace_back(another), 1);
    run_one(awake_, ticks);
  };
  run_another(2 * hand_over);
  for (int i = 0; i != 32; ++i) run_another(9);
  ASSERT_GE(another.estimate.recent_peak(), hand_over);
  for (int i = 0; i != 40; ++i) learn(9);
  dispatcher_.admit(tokens_.emplace_back(another), 1);
  dispatcher_.admit(make(), 1);
  EXPECT_EQ(awake_.in_flight(), 2u);
  for (int i = 0; i != 2; ++i) run_one(awake_, 9);
}

TEST_F(dispatcher_with_a_sleeper, children_do_not_wait_behind_their_lead) {
  learn(9);
  dispatcher_.admit(make(), 1);
  ASSERT_EQ(awake_.in_flight(), 1u);
  bare_token& child = make();
  child.with_extras().near_core = 0;
  dispatcher_.admit(child, 1);
  EXPECT_EQ(asleep_.in_flight(), 1u);
}

TEST_F(dispatcher_with_a_sleeper, brief_functions_do_not_wait_behind_one_that_is_stuck) {
  learn(9);
  dispatcher_.admit(make(), 1);
  dispatcher_.admit(make(), hand_over);
  EXPECT_EQ(asleep_.in_flight(), 0u);
  dispatcher_.admit(make(), hand_over + 1);
  EXPECT_EQ(asleep_.in_flight(), 1u);
}

TEST_F(dispatcher_by_value, nothing_goes_behind_what_another_gate_runs_for_long) {
  auto& taken = add_worker(0);
  auto& other = add_worker(1);
  fronts_[0].occupied = true;
  while (other.has_credit()) dispatcher_.admit(make(), 1);
  dispatcher_.admit(make(), 1);
  EXPECT_EQ(taken.in_flight(), 0u);
  EXPECT_EQ(dispatcher_.waiting(lane_index(weight::medium)), 1u) << "for a result of the other";
  dispatcher_.set_hand_over(1);
  dispatcher_.balance(1'000'000);
  EXPECT_EQ(taken.in_flight(), 0u);
}

TEST_F(dispatcher_by_value, behind_what_another_gate_runs_is_better_than_nowhere) {
  auto& taken = add_worker(0);
  fronts_[0].occupied = true;
  auto& taken_too = add_worker(1);
  fronts_[1].occupied = true;
  dispatcher_.admit(make(), 1);
  EXPECT_EQ(taken.in_flight() + taken_too.in_flight(), 1u);
}

TEST_F(dispatcher_by_value,
       looking_around_moves_what_lies_behind_one_that_is_stuck_to_who_gets_on) {
  dispatcher_.set_hand_over(100);
  auto& stuck = add_worker(0);
  for (int i = 0; i != 2; ++i) dispatcher_.admit(make(), 1);
  dispatcher_.flush([](parking_word<>&) {});
  token_base* const blocks = stuck.shared().at(0).take();
  auto& busy = add_worker(1);
  dispatcher_.admit(make(), 801);
  EXPECT_EQ(busy.in_flight(), 1u);
  dispatcher_.look_around(801);
  EXPECT_EQ(busy.in_flight(), 2u);
  EXPECT_EQ(stuck.in_flight(), 2u) << "one of them a husk";
  dispatcher_.look_around(2000);
  EXPECT_EQ(busy.in_flight(), 2u);
  blocks->outcome = token_state::completed;
  blocks->ran = 1;
  (void)stuck.shared().at(1).take();
  stuck.shared().returned.hand_over(2);
  for (int i = 0; i != 2; ++i) dispatcher_.give_back(stuck);
}

TEST_F(dispatcher_by_value, husks_and_what_has_a_key_need_no_look) {
  dispatcher_.set_hand_over(100);
  auto& bound = add_worker(0);
  bare_token& first = make();
  bare_token& second = make();
  for (bare_token* each : {&first, &second}) each->with_extras().has_key = true;
  for (bare_token* each : {&first, &second}) dispatcher_.admit(*each, 1);
  ASSERT_EQ(bound.in_flight(), 2u);
  add_worker(1);
  EXPECT_TRUE(dispatcher_.lopsided(false));
  dispatcher_.look_around(1'000'000);
  EXPECT_EQ(bound.in_flight(), 2u);
  EXPECT_FALSE(dispatcher_.lopsided(true));
  for (int i = 0; i != 2; ++i) run_one(bound, 1);
}

TEST_F(dispatcher_by_value, looking_around_moves_what_is_not_picked_up) {
  dispatcher_.set_hand_over(100);
  auto& taken = add_worker(0);
  dispatcher_.admit(make(), 1);
  run_one(taken, 50'000);  // how long its own take says nothing of those of others
  dispatcher_.admit(make(), 1);
  auto& idle = add_worker(1);
  EXPECT_TRUE(dispatcher_.lopsided(true));
  EXPECT_FALSE(dispatcher_.lopsided(false));
  dispatcher_.look_around(800);
  EXPECT_EQ(idle.in_flight(), 0u) << "its worker may be about to wake up";
  EXPECT_TRUE(dispatcher_.lopsided(true));
  fronts_[1].occupied = true;
  dispatcher_.look_around(801);
  EXPECT_EQ(idle.in_flight(), 0u) << "that would be no better";
  fronts_[1].occupied = false;
  dispatcher_.look_around(801);
  EXPECT_EQ(idle.in_flight(), 1u);
  run_one(taken, 1);  // a husk
}

TEST_F(dispatcher_by_value, looking_around_leaves_alone_what_has_been_started) {
  auto& worker = add_worker(0);
  add_worker(1);
  dispatcher_.admit(make(), 1);
  dispatcher_.flush([](parking_word<>&) {});
  token_base* const started = worker.shared().at(0).take();
  dispatcher_.look_around(1'000'000);
  EXPECT_FALSE(dispatcher_.lopsided(true)) << "no need to look again";
  started->outcome = token_state::completed;
  started->ran = 1;
  worker.shared().returned.hand_over(1);
  dispatcher_.give_back(worker);
}

TEST_F(dispatcher_by_value, core_of_the_loop_is_avoided) {
  add_worker(0);
  auto& second = add_worker(1);
  dispatcher_.avoid_core(0);
  bare_token& token = make();
  dispatcher_.admit(token, 1);
  EXPECT_EQ(second.in_flight(), 1u);
}

TEST_F(dispatcher_by_value, brief_functions_go_to_the_core_of_the_loop_last) {
  add_worker(0);
  auto& second = add_worker(1);
  dispatcher_.avoid_core(0);
  dispatcher_.set_hand_over(1000);
  dispatcher_.admit(make(), 1);
  run_one(second, 99);
  while (second.has_credit()) dispatcher_.admit(make(), 1);
  EXPECT_EQ(dispatcher_.busy_cores(), 1u);
  EXPECT_FALSE(dispatcher_.only_on_avoided_core());
  dispatcher_.admit(make(), 1);
  EXPECT_EQ(dispatcher_.busy_cores(), 2u) << "rather there than nowhere";
}

TEST_F(dispatcher_by_value, brief_functions_do_not_queue_behind_one_that_is_stuck) {
  auto& first = add_worker(0);
  auto& second = add_worker(1);
  dispatcher_.avoid_core(0);
  dispatcher_.set_hand_over(1000);
  dispatcher_.admit(make(), 1);
  run_one(second, 99);
  dispatcher_.admit(make(), 10);
  dispatcher_.admit(make(), 900);
  EXPECT_EQ(second.in_flight(), 2u);
  dispatcher_.admit(make(), 2000);
  EXPECT_EQ(first.in_flight(), 1u);
}

TEST_F(dispatcher_by_value, long_functions_go_to_every_core) {
  auto& first = add_worker(0);
  auto& second = add_worker(1);
  dispatcher_.avoid_core(0);
  dispatcher_.set_hand_over(1000);
  dispatcher_.admit(make(), 1);
  run_one(second, 5000);
  dispatcher_.admit(make(), 1);
  dispatcher_.admit(make(), 1);
  EXPECT_EQ(first.in_flight(), 1u);
  EXPECT_EQ(second.in_flight(), 1u);
  run_one(second, 5000);
  EXPECT_TRUE(dispatcher_.only_on_avoided_core());
}

TEST_F(dispatcher_by_value, lane_is_crowded_when_all_of_its_workers_are) {
  auto const medium = lane_index(weight::medium);
  auto& first = add_worker(0);
  auto& second = add_worker(1);
  EXPECT_FALSE(dispatcher_.crowded(medium));
  first.shared().crowded = true;
  EXPECT_FALSE(dispatcher_.crowded(medium));
  second.shared().crowded = true;
  EXPECT_TRUE(dispatcher_.crowded(medium));
}

}  // namespace
}  // namespace tokengate::detail::test
