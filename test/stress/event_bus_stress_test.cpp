// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "stress/scaled.hpp"
#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/event_bus.hpp"

// Real threads: publishers that give up, subscribers of every kind and policy that come, go and
// throw. Counted, not timed: TOKENGATE_STRESS scales the number of events.

namespace tokengate::test {
namespace {

constexpr int publishers = 4;

struct numbered {
  numbered(int publisher, int number) : publisher(publisher), number(number) { ++live; }
  numbered(numbered&& other) noexcept : numbered(other.publisher, other.number) {}
  ~numbered() { --live; }
  int publisher;
  int number;
  static inline std::atomic<int> live{0};
};

/// What a handler checks: order per publisher, one call at a time, and none after its end.
struct checks {
  std::array<int, publishers> last{-1, -1, -1, -1};  // without a lock
  std::atomic<int> inside{0};
  std::atomic<bool> over{false};
  std::atomic<int>* wrong;
  unsigned calls = 0;

  explicit checks(std::atomic<int>& wrong) : wrong(&wrong) {}
  void operator()(numbered const& value, bool throws) {
    if (inside.fetch_add(1) != 0 || over) ++*wrong;
    int& before = last[static_cast<std::size_t>(value.publisher)];
    if (std::exchange(before, value.number) >= value.number) ++*wrong;
    ++calls;
    inside.fetch_sub(1);
    if (throws && calls % 64 == 0) throw std::runtime_error("as it should");
  }
};

class threads_of {
 public:
  threads_of(asio::io_context& loop, int count) : work_(asio::make_work_guard(loop)) {
    for (int i = 0; i != count; ++i) threads_.emplace_back([&loop] { loop.run(); });
  }
  void join() {
    work_.reset();
    for (auto& each : threads_) each.join();
  }

 private:
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
};

struct setting {
  asio::io_context one{1};
  asio::io_context several;
  worker_pool workers{small_pool(2)};
  gate through{one.get_executor(), workers};
  event_bus bus{several};
  std::atomic<int> wrong{0};

  static void ignore(std::exception_ptr) {}

  subscription add(unsigned kind, subscription_options const& options,
                   std::shared_ptr<checks> const& to) {
    auto plain = [to](numbered const& value) { (*to)(value, true); };
    auto coroutine = [to](numbered const& value) -> asio::awaitable<void> {
      (*to)(value, true);
      co_return;
    };
    switch (kind % 5) {
      case 0:
        return bus.subscribe<numbered>(">", one, options, plain, ignore);
      case 1:
        return bus.subscribe<numbered>("a.*", several, options, plain, ignore);
      case 2:
        return bus.subscribe<numbered>("a.>", several, options, coroutine, ignore);
      case 3:
        return bus.subscribe<numbered>("*.b", asio::make_strand(several), options, plain, ignore);
      default:
        return bus.subscribe<numbered>("a.b", through, options, plain, ignore);
    }
  }

  void publish_many(int publisher, int count) {
    std::mt19937 random(static_cast<unsigned>(publisher) + 1);
    auto const topic = bus.topic<numbered>("a.b");
    auto out = std::make_shared<std::atomic<int>>(0);
    auto const ended = [out](std::exception_ptr, auto const&) { out->fetch_sub(1); };
    for (int i = 0; i != count; ++i) {
      while (*out > 32) std::this_thread::yield();
      unsigned const dice = random() % 16;
      if (dice < 6) {
        (void)topic.try_publish(numbered(publisher, i));
        continue;
      }
      ++*out;
      if (dice < 12)
        topic.async_publish(numbered(publisher, i), ended);
      else if (dice < 14)
        topic.async_publish_and_wait(numbered(publisher, i), ended);
      else
        bus.async_publish("a.b", numbered(publisher, i))
            .within(std::chrono::microseconds(random() % 100))(ended);
    }
    while (*out != 0) std::this_thread::yield();
  }

  /// Comes and goes; after async_unsubscribe() no call may come.
  void come_and_go(std::atomic<bool> const& quit) {
    std::mt19937 random(99);
    std::vector<std::shared_ptr<checks>> all;
    while (!quit) {
      auto const to = all.emplace_back(std::make_shared<checks>(wrong));
      subscription_options options;
      options.when_full = static_cast<full_policy>(random() % 5);
      options.capacity = 1 + random() % 16;
      auto const kind = static_cast<unsigned>(random());
      auto const here = add(kind, options, to);
      for (unsigned i = random() % 50; i != 0; --i) std::this_thread::yield();
      here.async_unsubscribe(asio::use_future).get();
      to->over = true;
      expect_balanced(here.snapshot());
      if (all.size() > 64) all.clear();
    }
  }

  void expect_balanced(subscription_snapshot const& seen) {
    if (seen.offered != seen.handled + seen.failed + seen.dropped + seen.undelivered) ++wrong;
    if (seen.queued + seen.held_back + seen.running != 0) ++wrong;
  }
};

TEST(event_bus_stress, everything_offered_is_accounted_for) {
  quiet_log quiet;
  int const each = scaled(40'000, 8);
  {
    setting all;
    std::vector<subscription> steady;
    for (unsigned kind = 0; kind != 5; ++kind)
      for (auto policy : {full_policy::wait, full_policy::drop_oldest, full_policy::drop_newest,
                          full_policy::latest}) {
        subscription_options options;
        options.when_full = policy;
        options.capacity = 32;
        steady.push_back(all.add(kind, options, std::make_shared<checks>(all.wrong)));
      }
    auto const from = all.bus.stream<numbered>("a.b", all.one.get_executor());
    std::atomic<int> read{0};
    std::function<void()> next = [&] {
      from.async_next([&](std::exception_ptr error, event<numbered> const& got) {
        if (error) return;
        if (got->publisher < 0) ++all.wrong;
        ++read;
        next();
      });
    };
    next();

    threads_of one(all.one, 1), several(all.several, 2);
    std::atomic<bool> quit{false};
    std::thread guests([&] { all.come_and_go(quit); });
    std::thread observer([&] {
      while (!quit) {
        if (to_json(all.bus.snapshot()).empty()) ++all.wrong;
        std::this_thread::yield();
      }
    });
    std::vector<std::thread> threads;
    for (int i = 0; i != publishers; ++i)
      threads.emplace_back([&, i] { all.publish_many(i, each); });
    for (auto& thread : threads) thread.join();
    quit = true;
    guests.join();
    observer.join();

    auto const published = all.bus.snapshot().topics.at(0).published;
    EXPECT_GE(published, static_cast<std::uint64_t>(publishers * each / 2));
    auto const still = [](subscription_snapshot const& seen) {
      return seen.queued + seen.held_back + seen.running;
    };
    for (auto const& subscribed : steady) {
      EXPECT_TRUE(poll_until([&] { return still(subscribed.snapshot()) == 0; }));
      EXPECT_EQ(subscribed.snapshot().offered, published);
      all.expect_balanced(subscribed.snapshot());
    }
    EXPECT_TRUE(poll_until([&] { return still(from.snapshot()) == 0; }));
    EXPECT_EQ(from.snapshot().offered, published);
    EXPECT_TRUE(poll_until(
        [&] { return static_cast<std::uint64_t>(read.load()) == from.snapshot().handled; }));
    all.bus.close();
    steady.clear();
    one.join();
    several.join();
    expect_conserved(all.through);
    EXPECT_EQ(all.wrong, 0);
  }
  EXPECT_EQ(numbered::live, 0) << "events were lost";
}

}  // namespace
}  // namespace tokengate::test
