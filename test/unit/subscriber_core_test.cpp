// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/subscriber_core.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "unit/event_bus_sequence.hpp"

// The rules one by one; event_bus_random_test.cpp has them all at once.

namespace tokengate::detail::test {
namespace {

using taken = subscriber_core::taken;

class subscriber_core_test : public testing::Test {
 protected:
  void TearDown() override {
    after_.run();
    EXPECT_EQ(test_event::live(), 0);
  }

  /// Offers event `id`; gives back what the core says.
  taken offer(subscriber_core& to, int id) {
    auto* const event = new test_event(id);
    auto const result = to.offer(*event, false, after_);
    wakes_ += result.wake;
    if (result.what == taken::full) {
      held_.push_back(&event->make_held());
      to.hold(*held_.back());
    } else if (result.what != taken::accepted) {
      after_.release(*event);
    }
    return result.what;
  }
  /// Takes the next event and finishes it; its number, -1 for none.
  int handle(subscriber_core& of) {
    event_base* const event = of.take(after_);
    int const id = id_of(event);
    if (event != nullptr) wakes_ += of.finish(*event, true, nullptr, 1, 1, after_);
    return id;
  }

  aftermath after_;
  std::vector<held_delivery*> held_;
  int wakes_ = 0;
};

TEST_F(subscriber_core_test, first_event_of_an_idle_one_asks_for_a_runner_and_the_rest_do_not) {
  subscriber_core core(4, full_policy::wait, 1);
  for (int i = 0; i != 3; ++i) EXPECT_EQ(offer(core, i), taken::accepted);
  EXPECT_EQ(wakes_, 1);
  for (int i = 0; i != 3; ++i) EXPECT_EQ(handle(core), i);
  EXPECT_EQ(handle(core), -1);
  EXPECT_FALSE(core.scheduled());
  EXPECT_EQ(offer(core, 3), taken::accepted);
  EXPECT_EQ(wakes_, 2);
  core.end(after_);
}

TEST_F(subscriber_core_test, event_waits_while_as_many_run_as_may) {
  subscriber_core core(4, full_policy::wait, 2);
  for (int i = 0; i != 3; ++i) (void)offer(core, i);
  std::array<event_base*, 2> const both{core.take(after_), core.take(after_)};
  EXPECT_EQ(core.take(after_), nullptr);
  EXPECT_FALSE(core.scheduled());
  EXPECT_TRUE(core.finish(*both[1], true, nullptr, 1, 1, after_))
      << "somebody has to run the third";
  EXPECT_FALSE(core.finish(*both[0], true, nullptr, 1, 1, after_));
  EXPECT_EQ(handle(core), 2);
}

TEST_F(subscriber_core_test, publisher_that_is_held_back_is_never_overtaken) {
  subscriber_core core(1, full_policy::wait, 1);
  EXPECT_EQ(offer(core, 0), taken::accepted);
  EXPECT_EQ(offer(core, 1), taken::full);
  EXPECT_EQ(offer(core, 2), taken::full);
  EXPECT_EQ(core.reserve(), subscriber_core::reservation::full);
  EXPECT_EQ(handle(core), 0);
  EXPECT_EQ(core.held(), 1u);
  EXPECT_EQ(offer(core, 3), taken::full);
  for (int i = 1; i != 4; ++i) EXPECT_EQ(handle(core), i);
}

TEST_F(subscriber_core_test, reserved_place_is_kept_for_its_offer) {
  subscriber_core core(2, full_policy::wait, 1);
  EXPECT_EQ(core.reserve(), subscriber_core::reservation::made);
  EXPECT_EQ(offer(core, 0), taken::accepted);
  EXPECT_EQ(offer(core, 1), taken::full);
  auto* const event = new test_event(2);
  EXPECT_EQ(core.offer(*event, true, after_).what, taken::accepted);
  EXPECT_EQ(handle(core), 0);
  EXPECT_EQ(handle(core), 2);
  EXPECT_EQ(handle(core), 1);
}

TEST_F(subscriber_core_test, place_that_is_not_needed_goes_to_who_is_held_back) {
  subscriber_core core(1, full_policy::wait, 1);
  EXPECT_EQ(core.reserve(), subscriber_core::reservation::made);
  EXPECT_EQ(offer(core, 0), taken::full);
  EXPECT_TRUE(core.unreserve(after_)) << "there is something to run";
  EXPECT_EQ(core.held(), 0u);
  EXPECT_EQ(handle(core), 0);
}

TEST_F(subscriber_core_test, held_publisher_gives_up_once) {
  subscriber_core core(1, full_policy::wait, 1);
  (void)offer(core, 0);
  (void)offer(core, 1);
  EXPECT_TRUE(core.cancel(*held_[0], after_));
  EXPECT_EQ(core.counts().undelivered, 1u);
  EXPECT_EQ(handle(core), 0);
  EXPECT_EQ(handle(core), -1);
}

TEST_F(subscriber_core_test, closed_one_hands_on_what_it_has_and_an_ended_one_nothing) {
  subscriber_core closed(4, full_policy::wait, 1), ended(4, full_policy::wait, 1);
  for (auto* each : {&closed, &ended})
    for (int i = 0; i != 2; ++i) (void)offer(*each, i);
  closed.close(after_);
  EXPECT_EQ(offer(closed, 2), taken::closed);
  EXPECT_FALSE(closed.over());
  EXPECT_EQ(handle(closed), 0);
  EXPECT_EQ(handle(closed), 1);
  EXPECT_TRUE(closed.over());
  ended.end(after_);
  EXPECT_EQ(handle(ended), -1);
  EXPECT_EQ(ended.counts().undelivered, 2u);
}

TEST_F(subscriber_core_test, end_is_waited_for_until_the_last_handler_returned) {
  subscriber_core core(4, full_policy::wait, 1);
  (void)offer(core, 0);
  event_base* const running = core.take(after_);
  core.end(after_);
  test_waiter<waiter> wait;
  EXPECT_FALSE(core.when_idle(wait));
  (void)core.finish(*running, true, nullptr, 1, 1, after_);
  after_.run();
  EXPECT_EQ(wait.resumed, 1);
  test_waiter<waiter> late;
  EXPECT_TRUE(core.when_idle(late));
}

TEST_F(subscriber_core_test, reader_that_waits_gets_the_next_event_past_the_queue) {
  subscriber_core core(1, full_policy::drop_newest, subscriber_core::no_handler);
  test_waiter<stream_reader> first, second;
  EXPECT_FALSE(core.read(first, after_));
  EXPECT_FALSE(core.read(second, after_));
  EXPECT_TRUE(core.cancel(first));
  for (int i = 0; i != 3; ++i) (void)offer(core, i);
  after_.run();
  EXPECT_EQ(first.resumed, 0);
  EXPECT_EQ(id_of(second.event), 0);
  after_.release(*second.event);
  EXPECT_EQ(core.queued(), 1u);
  EXPECT_EQ(core.counts().dropped, 1u);
  core.end(after_);
}

TEST_F(subscriber_core_test,
       place_that_was_reserved_for_what_a_reader_took_goes_to_who_is_held_back) {
  subscriber_core core(1, full_policy::wait, subscriber_core::no_handler);
  ASSERT_EQ(core.reserve(), subscriber_core::reservation::made);
  EXPECT_EQ(offer(core, 1), taken::full);
  test_waiter<stream_reader> reader;
  EXPECT_FALSE(core.read(reader, after_));
  auto* const reserved = new test_event(0);
  EXPECT_EQ(core.offer(*reserved, true, after_).what, taken::accepted);
  after_.run();
  EXPECT_EQ(id_of(reader.event), 0);
  after_.release(*reader.event);
  EXPECT_EQ(core.held(), 0u);
  EXPECT_EQ(core.queued(), 1u);
  core.end(after_);
}

TEST_F(subscriber_core_test, one_without_a_runner_asks_for_one_with_the_next_offer) {
  subscriber_core core(1, full_policy::wait, 1);
  EXPECT_EQ(offer(core, 0), taken::accepted);
  core.unschedule();
  EXPECT_EQ(offer(core, 1), taken::full);
  EXPECT_EQ(wakes_, 2);
  EXPECT_EQ(handle(core), 0);
  EXPECT_EQ(handle(core), 1);
  core.end(after_);
}

TEST_F(subscriber_core_test, event_whose_handler_comes_after_the_end_is_given_up) {
  subscriber_core core(2, full_policy::wait, 2);
  (void)offer(core, 0);
  (void)offer(core, 1);
  event_base* const early = core.take(after_);
  event_base* const late = core.take(after_);
  EXPECT_TRUE(core.begin(*early, after_));
  core.end(after_);
  EXPECT_FALSE(core.begin(*late, after_));
  EXPECT_FALSE(core.over());
  (void)core.finish(*early, true, nullptr, 1, 1, after_);
  EXPECT_TRUE(core.over());
  EXPECT_EQ(core.counts().undelivered, 1u);
}

TEST_F(subscriber_core_test, disconnected_one_drops_the_last_straw_and_takes_no_more) {
  subscriber_core core(1, full_policy::disconnect, 1);
  EXPECT_EQ(offer(core, 0), taken::accepted);
  EXPECT_EQ(offer(core, 1), taken::disconnected);
  EXPECT_EQ(offer(core, 2), taken::closed);
  EXPECT_TRUE(core.disconnected());
  EXPECT_EQ(handle(core), 0);
  EXPECT_EQ(core.counts().offered, 2u);
}

}  // namespace
}  // namespace tokengate::detail::test
