// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Allocations that fail in the parts that talk to each other: a wait that cannot begin throws and
// has done nothing; what wakes others needs no memory.
#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <memory>
#include <vector>

#include "memory/faults.hpp"
#include "support/channel_flavours.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/tokengate.hpp"

namespace tokengate::test {
namespace {

using thing = std::unique_ptr<int>;

/// As faults::check(), for a wait that `wake` completes, also with no memory to be had: of the
/// two calls only the first may throw.
class talk_faults : public faults {
 public:
  template <class Begin, class Wake>
  void check_wait(Begin begin, Wake wake) {
    for_each_allocation([&](int n, bool from_then_on) {
      handled_ = 0;
      threw_ = false;
      bool const hit = attempt(n, from_then_on, begin);
      if (!threw_) {
        failing_allocations none(0, true);
        wake();
      }
      loop_.run_out();
      EXPECT_EQ(handled_, threw_ ? 0 : 1) << "allocation " << n;
      return hit;
    });
  }
  /// For what may throw and has no handler; `after` says what holds then.
  template <class Call, class After>
  void check_call(Call call, After after) {
    for_each_allocation([&](int n, bool from_then_on) {
      threw_ = false;
      bool const hit = attempt(n, from_then_on, call);
      after(threw_);
      loop_.run_out();
      return hit;
    });
  }
};

class channel_faults : public talk_faults, public testing::WithParamInterface<channel_kind> {
 public:
  channel<thing> it_{loop_.executor(), GetParam().options<thing>()};
};

INSTANTIATE_TEST_SUITE_P(each, channel_faults, every_channel_kind(), name_of_kind);

TEST_P(channel_faults, receive) {
  int sent = 0;
  std::vector<thing> items;
  for (int i = 0; i != 1000; ++i) items.push_back(std::make_unique<int>(i));
  auto next = items.begin();
  check_wait([&] { it_.async_receive(count()); },
             [&] {
               EXPECT_TRUE(it_.try_send(std::move(*next++)));
               ++sent;
             });
  EXPECT_FALSE(it_.try_receive());
  EXPECT_GT(sent, 0);
}

TEST_P(channel_faults, send) {
  thing mine;
  std::vector<thing> items;
  for (int i = 0; i != 1000; ++i) items.push_back(std::make_unique<int>(i));
  while (it_.try_send(std::make_unique<int>(-1))) {
  }
  auto next = items.begin();
  check_wait(
      [&] {
        mine = std::move(*next++);
        it_.async_send_from(mine, count());
      },
      [&] { EXPECT_TRUE(it_.try_receive()); });
}

TEST_P(channel_faults, item_that_cannot_be_sent_stays) {
  thing mine = std::make_unique<int>(5);
  while (it_.try_send(std::make_unique<int>(-1))) {
  }
  failing_allocations failing(0, true);
  try {
    it_.async_send_from(mine, count());
    it_.cancel();
  } catch (std::bad_alloc const&) {
    EXPECT_TRUE(mine);
  }
}

TEST_P(channel_faults, receive_some) {
  std::vector<thing> got, items;
  for (int i = 0; i != 1000; ++i) items.push_back(std::make_unique<int>(i));
  got.reserve(1000);
  auto next = items.begin();
  check_wait([&] { it_.async_receive_some(got, 4, count()); },
             [&] { EXPECT_TRUE(it_.try_send(std::move(*next++))); });
}

/// Two are on their way and both receives are cancelled, with no memory to be had: an item goes
/// back or its receive completes with it.
TEST_P(channel_faults, item_of_a_cancelled_receive_is_not_lost) {
  for (int round = 0; round != 3; ++round) {
    std::array<asio::cancellation_signal, 2> signals;
    std::array<outcome<thing>, 2> got;
    std::array<thing, 2> items{std::make_unique<int>(0), std::make_unique<int>(1)};
    for (std::size_t i = 0; i != 2; ++i)
      it_.async_receive(asio::bind_cancellation_slot(signals.at(i).slot(), keep(got.at(i))));
    {
      failing_allocations const none(0, true);
      for (auto& each : items) EXPECT_TRUE(it_.try_send(std::move(each)));
      for (auto& each : signals) each.emit(asio::cancellation_type::terminal);
    }
    loop_.run_out();
    EXPECT_EQ(got[0].code(), error::cancelled) << "the first needs no memory";
    EXPECT_EQ(**it_.try_receive(), 0);
    if (got[1].error)
      EXPECT_EQ(**it_.try_receive(), 1);
    else
      EXPECT_EQ(**got[1].value, 1);
    EXPECT_FALSE(it_.try_receive());
  }
}

TEST_P(channel_faults, construction) {
  std::optional<channel<thing>> made;
  check_call([&] { made.emplace(loop_.executor(), GetParam().options<thing>()); },
             [&](bool) { made.reset(); });
}

TEST_F(talk_faults, broadcast_receive_and_subscribe) {
  broadcast<int> news(loop_.context, 4);
  auto reader = news.subscribe();
  auto const item = std::make_shared<int const>(1);
  check_wait([&] { reader.async_receive(count()); }, [&] { EXPECT_TRUE(news.try_send(item)); });
  check_call([&] { auto const other = news.subscribe(); },
             [&](bool) { EXPECT_EQ(news.readers(), 1u); });
}

TEST_F(talk_faults, watch_changed) {
  watch<int> value(loop_.context, 0);
  auto reader = value.subscribe();
  auto const next = std::make_shared<int const>(1);
  check_wait([&] { reader.async_changed(count()); }, [&] { value.set(next); });
}

TEST_F(talk_faults, promise_and_flow_variable) {
  std::optional<promise<int>> source;
  std::optional<flow_var<int>> variable;
  check_call([&] { source.emplace(loop_.executor()); }, [&](bool) { source.reset(); });
  check_wait(
      [&] {
        variable.reset();
        source.emplace(loop_.executor());
        variable.emplace(source->get_flow_var());
        (*variable)(count());
      },
      [&] { source->set_value(1); });
}

TEST_F(talk_faults, event_latch_and_barrier) {
  async_event event(loop_.context);
  check_wait(
      [&] {
        event.reset();
        event.async_wait(count());
      },
      [&] { event.set(); });
  async_barrier barrier(loop_.context, 1);
  check_wait([&] { barrier.async_arrive_and_wait(count()); }, [] {});
}

TEST_F(talk_faults, mutex) {
  async_mutex mutex(loop_.context);
  async_mutex::guard held;
  check_wait(
      [&] {
        held = mutex.try_lock();
        mutex.async_lock(count());
      },
      [&] { held.unlock(); });
  held.unlock();
  EXPECT_TRUE(mutex.try_lock());
}

TEST_F(talk_faults, shared_mutex) {
  async_shared_mutex mutex(loop_.context);
  async_shared_mutex::guard held;
  check_wait(
      [&] {
        held = mutex.try_lock();
        mutex.async_lock_shared(count());
      },
      [&] { held.unlock(); });
  held.unlock();
  EXPECT_TRUE(mutex.try_lock());
}

TEST_F(talk_faults, semaphore) {
  async_semaphore slots(loop_.context, 2);
  async_semaphore::permit held;
  check_wait(
      [&] {
        held = slots.try_acquire(2);
        slots.async_acquire(1, count());
      },
      [&] { held.unlock(); });
  held.unlock();
  EXPECT_EQ(slots.available(), 2u);
}

TEST_F(talk_faults, monitor) {
  tokengate::monitor<int> number(loop_.context);
  check_wait([&] { number.async_lock(count()); }, [] {});
  EXPECT_TRUE(number.try_lock());
}

TEST_F(talk_faults, child_of_a_scope) {
  for_each_allocation([&](int n, bool from_then_on) {
    int ran = 0;
    threw_ = false;
    task_scope<> scope(loop_.context);
    bool const hit = attempt(n, from_then_on, [&] {
      scope.spawn([&ran]() -> asio::awaitable<void> {
        ++ran;
        co_return;
      });
    });
    outcome<void> joined;
    scope.async_join(keep(joined));
    run_until_done(joined);
    EXPECT_FALSE(joined.error);
    EXPECT_EQ(ran, threw_ ? 0 : 1) << "allocation " << n;
    return hit;
  });
}

TEST_F(talk_faults, join_of_a_scope) {
  std::optional<task_scope<>> scope;
  check_wait(
      [&] {
        scope.emplace(loop_.context);
        scope->async_join(count());
      },
      [] {});
}

TEST_F(talk_faults, actor) {
  struct counter {
    int value = 0;
  };
  tokengate::actor<counter> one(*gate_);
  check([&] { one.ask([](counter& c) { return ++c.value; })(count()); });
  int told = 0;
  check_call([&] { static_cast<void>(one.tell([](counter& c) { ++c.value; })); },
             [&](bool threw) { told += threw ? 0 : 1; });
  EXPECT_GT(told, 0);
}

TEST_F(talk_faults, bus) {
  event_bus bus(loop_.executor());
  int heard = 0;
  auto const listening = bus.subscribe<int>(loop_.executor(), [&](int) { ++heard; });
  auto const topic = bus.topic<int>();
  // A queue that cannot grow does not accept, and says so.
  std::size_t accepted = 0;
  check_call([&] { accepted += topic.try_publish(1).value_or(0); }, [](bool) {});
  EXPECT_GT(accepted, 0u);
  EXPECT_EQ(heard, static_cast<int>(accepted));
  check([&] { topic.async_publish(1, count()); });
  std::optional<subscription> other;
  check_call([&] { other.emplace(bus.subscribe<int>(loop_.executor(), [](int) {})); },
             [&](bool threw) {
               EXPECT_EQ(other.has_value(), !threw);
               other.reset();
             });
}

/// A token that could not be issued costs its event, never the subscription.
TEST_F(talk_faults, bus_on_a_lane) {
  event_bus bus(loop_.executor());
  for (std::uint32_t const concurrency : {1u, 3u}) {
    std::atomic<int> heard{0}, reported{0};
    subscription_options options;
    options.concurrency = concurrency;
    auto const listening = bus.subscribe<int>(
        "lane", *gate_, options, [&](int) { ++heard; }, [&](std::exception_ptr) { ++reported; });
    auto const topic = bus.topic<int>("lane");
    for_each_allocation([&](int n, bool from_then_on) {
      bool const hit = attempt(n, from_then_on, [&] { static_cast<void>(topic.try_publish(1)); });
      auto const quiet = [&] {
        auto const seen = listening.snapshot();
        return seen.queued + seen.held_back + seen.running == 0;
      };
      int const before = heard;
      EXPECT_EQ(topic.try_publish(2).value_or(0), 1u) << "allocation " << n;
      loop_.run_until([&] { return heard > before && quiet(); });
      auto const seen = listening.snapshot();
      EXPECT_EQ(seen.offered, seen.handled + seen.failed + seen.dropped + seen.undelivered);
      return hit;
    });
    listening.unsubscribe();
    loop_.run_out();
  }
}

}  // namespace
}  // namespace tokengate::test
