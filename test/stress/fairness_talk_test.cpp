// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// As fairness_test.cpp, for those who wait for a place in a broadcast, in a queue of the event bus,
// or in the mailbox of an actor.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <vector>

#include "stress/queue_of_waits.hpp"
#include "tokengate/actor.hpp"
#include "tokengate/async_event.hpp"
#include "tokengate/broadcast.hpp"
#include "tokengate/event_bus.hpp"

namespace tokengate::test {
namespace {

using numbers_got = std::vector<int>;

/// `send(number)` and `try_send(number)` of one kind.
template <class Send, class Try, class Open, class Done>
void send_in_order(queue_of_waits& in, Send send, Try try_send, Open open, Done done) {
  in.run(
      [&in, send, try_send](wait& of, std::size_t at) {
        int const number = static_cast<int>(at);
        if (of.tries) {
          of.served = try_send(number);
          return in.ended(of);
        }
        start(send(number), of,
              on_its_loop(in, of, [&in, &of](std::exception_ptr failed, auto const&...) {
                of.served = !failed;
                in.ended(of);
              }));
      },
      open, done);
}

void expect_those_served(queue_of_waits& in, numbers_got const& got) {
  numbers_got expected;
  for (std::size_t i = 0; i != in.waits().size(); ++i) {
    expect_ended(in.waits()[i]);
    if (in.waits()[i].served) expected.push_back(static_cast<int>(i));
  }
  EXPECT_EQ(got, expected) << "those that were taken, in their order";
}

class fairness_of_talk : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(on, fairness_of_talk, testing::Bool(),
                         [](auto const& each) { return each.param ? "two_threads" : "one_loop"; });

asio::awaitable<void> read_news(broadcast<int>::reader* from, numbers_got* got) {
  for (;;) {
    auto [failed, item] = co_await from->async_receive(asio::as_tuple(asio::use_awaitable));
    if (failed) break;
    got->push_back(*item);
  }
}

TEST_P(fairness_of_talk, among_senders_of_a_broadcast) {
  for (unsigned round = 0; round != fairness_rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    broadcast<int> news(in.loop(0), 1 + round % 4);
    auto reader = news.subscribe();
    numbers_got got;
    send_in_order(
        in, [&](int number) { return news.async_send(number); },
        [&](int number) { return news.try_send(number); },
        [&] { asio::co_spawn(in.loop(1), read_news(&reader, &got), asio::detached); },
        [&] { news.close(); });
    while (auto item = reader.try_receive()) got.push_back(*item);
    expect_those_served(in, got);
  }
}

asio::awaitable<void> fetch_events(event_stream<int>* from, numbers_got* got) {
  for (;;) {
    auto [failed, item] = co_await from->async_next(asio::as_tuple(asio::use_awaitable));
    if (failed) break;
    got->push_back(*item);
  }
}

TEST_P(fairness_of_talk, among_publishers_that_are_held_back) {
  for (unsigned round = 0; round != fairness_rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    event_bus bus(in.loop(0));
    auto stream = bus.stream<int>(in.loop(1).get_executor(), {.capacity = 1 + round % 4});
    auto const quick = bus.stream<int>(in.loop(1).get_executor(), {.capacity = 100});
    auto const topic = bus.topic<int>();
    numbers_got got;
    send_in_order(
        in, [&](int number) { return topic.async_publish(number); },
        [&](int number) { return topic.try_publish(number).has_value(); },
        [&] { asio::co_spawn(in.loop(1), fetch_events(&stream, &got), asio::detached); },
        [&] { bus.close(); });
    while (auto item = stream.try_next()) got.push_back(*item);
    EXPECT_TRUE(std::ranges::is_sorted(got));
    // One may be taken at the very moment in which its publisher, on another thread, gives up.
    if (in.two())
      std::erase_if(got, [&](int number) {
        auto const& of = in.waits()[static_cast<std::size_t>(number)];
        return !of.served && (of.limit || of.cancelled);
      });
    expect_those_served(in, got);
    // Those who give up are not heard by the slow one alone; those who have only tried, by nobody.
    numbers_got heard;
    while (auto item = quick.try_next()) heard.push_back(*item);
    EXPECT_TRUE(std::ranges::is_sorted(heard));
    EXPECT_TRUE(std::ranges::includes(heard, got));
    for (int const each : heard) {
      auto const& of = in.waits()[static_cast<std::size_t>(each)];
      EXPECT_TRUE(of.served || !of.tries) << each;
    }
  }
}

struct note_keeper {
  void note(int number) { got->push_back(number); }
  numbers_got* got;
};
asio::awaitable<void> occupy(note_keeper&, async_event* open) {
  co_await open->async_wait(asio::use_awaitable);
}

TEST_P(fairness_of_talk, among_those_who_tell_an_actor) {
  for (unsigned round = 0; round != fairness_rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    numbers_got got;
    async_event open(in.loop(1));
    actor_options options;
    options.mailbox = 1 + round % 4;
    actor<note_keeper> keeper(in.loop(1).get_executor(), options,
                              [&got] { return note_keeper{&got}; });
    ASSERT_TRUE(keeper.tell(occupy, &open));
    send_in_order(
        in, [&](int number) { return keeper.async_tell(&note_keeper::note, number); },
        [&](int number) { return keeper.tell(&note_keeper::note, number); }, [&] { open.set(); },
        [&] {
          open.set();
          keeper.close();
        });
    expect_those_served(in, got);
  }
}

}  // namespace
}  // namespace tokengate::test
