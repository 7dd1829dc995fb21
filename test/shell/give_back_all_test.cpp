// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// As give_back_test.cpp, where more than one gets the same: readers of a broadcast and of a bus.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <optional>
#include <vector>

#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/tokengate.hpp"

namespace tokengate::test {
namespace {

using namespace asio::experimental::awaitable_operators;
using numbers = std::vector<int>;
constexpr auto never = asio::steady_timer::time_point::max();

class give_back_to_all : public testing::Test {
 public:
  void TearDown() override { loop_.run_out(); }
  /// What `step` decides is not delivered before it has returned.
  template <class F>
  void inside_the_loop(F step) {
    asio::post(loop_.context, std::move(step));
    loop_.poll();
  }
  loop loop_;
  asio::steady_timer timer_{loop_.context, never};
};

// --- broadcast ---

class given_back_broadcast : public give_back_to_all,
                             public testing::WithParamInterface<lag_policy> {
 public:
  struct receive {
    explicit receive(broadcast<int>::reader& from) {
      from.async_receive(asio::bind_cancellation_slot(signal.slot(), keep(got)));
    }
    void cancel() { signal.emit(asio::cancellation_type::terminal); }
    asio::cancellation_signal signal;
    outcome<broadcast_item<int>> got;
  };
  numbers rest() {
    numbers all;
    while (auto const item = reader_.try_receive()) all.push_back(*item);
    return all;
  }
  broadcast<int> news_{loop_.context, 1};
  broadcast<int>::reader reader_{news_.subscribe(GetParam())};
};

INSTANTIATE_TEST_SUITE_P(each, given_back_broadcast,
                         testing::Values(lag_policy::wait, lag_policy::skip), [](auto const& of) {
                           return of.param == lag_policy::wait ? "wait" : "skip";
                         });

TEST_P(given_back_broadcast, item_whose_place_a_waiting_sender_took_stays_with_the_reader) {
  outcome<void> second;
  std::optional<receive> gone;
  EXPECT_TRUE(news_.try_send(0));
  inside_the_loop([&] {
    gone.emplace(reader_);  // decided now
    news_.async_send(1, keep(second));
    gone->cancel();
    if (GetParam() == lag_policy::wait) {
      EXPECT_FALSE(news_.try_send(9)) << "one that is waited for is two behind";
    }
    EXPECT_EQ(reader_.lag(), 2u);
  });
  EXPECT_EQ(gone->got.code(), error::cancelled);
  EXPECT_TRUE(second.done());
  EXPECT_EQ(rest(), (numbers{0, 1}));
  EXPECT_EQ(reader_.skipped(), 0u);
  EXPECT_TRUE(news_.try_send(2));
}

TEST_P(given_back_broadcast, items_of_two_receives_are_received_in_their_order) {
  for (bool const first_first : {true, false}) {
    receive one(reader_), other(reader_);
    inside_the_loop([&] {
      EXPECT_TRUE(news_.try_send(0));
      EXPECT_TRUE(news_.try_send(1));
      (first_first ? one : other).cancel();
      (first_first ? other : one).cancel();
    });
    EXPECT_EQ(one.got.code(), error::cancelled);
    EXPECT_EQ(other.got.code(), error::cancelled);
    EXPECT_EQ(rest(), (numbers{0, 1}));
  }
}

TEST_P(given_back_broadcast, race_that_the_timer_wins_loses_no_item) {
  auto const race = [](broadcast<int>::reader* from,
                       asio::steady_timer* timer) -> asio::awaitable<void> {
    auto both = from->async_receive(asio::use_awaitable) ||
                timer->async_wait(asio::as_tuple(asio::use_awaitable));
    auto const first = co_await std::move(both);
    EXPECT_EQ(first.index(), 1u);
  };
  asio::co_spawn(loop_.context, race(&reader_, &timer_), asio::detached);
  loop_.poll();
  inside_the_loop([&] {
    timer_.cancel();
    EXPECT_TRUE(news_.try_send(0));
    EXPECT_TRUE(news_.try_send(1)) << "in the place of the other";
  });
  EXPECT_EQ(rest(), (numbers{0, 1}));
}

TEST_P(given_back_broadcast, closed_one_still_has_it) {
  receive gone(reader_);
  inside_the_loop([&] {
    EXPECT_TRUE(news_.try_send(0));
    news_.close();
    gone.cancel();
  });
  EXPECT_TRUE(reader_.closed());
  EXPECT_EQ(rest(), numbers{0});
  receive end(reader_);
  loop_.run_out();
  EXPECT_EQ(end.got.code(), error::closed);
}

// --- event_stream ---

class given_back_event : public give_back_to_all {
 public:
  struct next {
    explicit next(event_stream<int> const& from) {
      from.async_next(asio::bind_cancellation_slot(signal.slot(), keep(got)));
    }
    void cancel() { signal.emit(asio::cancellation_type::partial); }
    asio::cancellation_signal signal;
    outcome<event<int>> got;
  };
  event_stream<int> stream(full_policy policy, std::size_t capacity) {
    return bus_.stream<int>(loop_.executor(), {.capacity = capacity, .when_full = policy});
  }
  static numbers rest(event_stream<int> const& from) {
    numbers all;
    while (auto const each = from.try_next()) all.push_back(*each);
    return all;
  }
  void publish(int value) { static_cast<void>(bus_.topic<int>().try_publish(value)); }
  event_bus bus_{loop_.executor()};
};

TEST_F(given_back_event, race_that_the_timer_wins_loses_no_event_and_counts_none) {
  auto const from = stream(full_policy::wait, 4);
  auto const race = [](event_stream<int> const* from,
                       asio::steady_timer* timer) -> asio::awaitable<void> {
    auto both = from->async_next(asio::use_awaitable) ||
                timer->async_wait(asio::as_tuple(asio::use_awaitable));
    auto const first = co_await std::move(both);
    EXPECT_EQ(first.index(), 1u);
  };
  asio::co_spawn(loop_.context, race(&from, &timer_), asio::detached);
  loop_.poll();
  inside_the_loop([&] {
    timer_.cancel();
    publish(0);
    publish(1);
  });
  auto const books = from.snapshot();
  EXPECT_EQ(books.handled, 0u);
  EXPECT_EQ(books.queued, 2u);
  EXPECT_EQ(rest(from), (numbers{0, 1}));
  EXPECT_EQ(from.snapshot().handled, 2u);
}

TEST_F(given_back_event, events_of_two_readers_are_read_in_their_order_or_go_to_who_waits) {
  auto const from = stream(full_policy::wait, 1);
  next one(from), other(from);
  inside_the_loop([&] {
    publish(0);
    publish(1);
    other.cancel();
    one.cancel();
    EXPECT_FALSE(bus_.topic<int>().try_publish(9)) << "more than the capacity";
  });
  EXPECT_EQ(one.got.code(), error::cancelled);
  EXPECT_EQ(other.got.code(), error::cancelled);
  EXPECT_EQ(rest(from), (numbers{0, 1}));
  next gone(from), waits(from);
  inside_the_loop([&] {
    publish(2);
    gone.cancel();
  });
  EXPECT_EQ(gone.got.code(), error::cancelled);
  EXPECT_EQ(**waits.got.value, 2);
}

TEST_F(given_back_event, publisher_hears_of_it_when_it_is_read) {
  auto const from = stream(full_policy::wait, 1);
  next gone(from);
  outcome<publish_report> handled;
  inside_the_loop([&] {
    bus_.topic<int>().async_publish_and_wait(3)(keep(handled));
    gone.cancel();
  });
  EXPECT_FALSE(handled.done());
  EXPECT_EQ(rest(from), numbers{3});
  loop_.run_out();
  EXPECT_EQ(handled.value->handled, 1u);
}

TEST_F(given_back_event, policies_treat_it_as_if_it_had_not_been_taken) {
  auto const oldest = stream(full_policy::drop_oldest, 1);
  auto const latest = stream(full_policy::latest, 1);
  next from_oldest(oldest), from_latest(latest);
  inside_the_loop([&] {
    publish(0);
    publish(1);
    from_oldest.cancel();
    from_latest.cancel();
  });
  EXPECT_EQ(oldest.snapshot().queued, 2u);
  EXPECT_EQ(rest(latest), numbers{1}) << "there is a newer one";
  EXPECT_EQ(latest.snapshot().dropped, 1u);
  publish(2);
  EXPECT_EQ(rest(oldest), numbers{2});
  EXPECT_EQ(oldest.snapshot().dropped, 2u);
}

TEST_F(given_back_event, stream_that_has_ended_takes_nothing_back) {
  auto const from = stream(full_policy::wait, 1);
  next gone(from);
  outcome<publish_report> handled;
  inside_the_loop([&] {
    bus_.topic<int>().async_publish_and_wait(5)(keep(handled));
    from.unsubscribe();
    gone.cancel();
  });
  EXPECT_EQ(**gone.got.value, 5);
  EXPECT_EQ(handled.value->handled, 1u);
  EXPECT_EQ(from.snapshot().handled, 1u);
}

}  // namespace
}  // namespace tokengate::test
