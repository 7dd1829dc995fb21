// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The parking word between producers (gates) and a worker that sleeps on it.
#include "tokengate/detail/parking.hpp"

#include <gtest/gtest.h>

#include "mc/explore.hpp"
#include "mc/sync.hpp"
#include "model/test_ring.hpp"

namespace tokengate::mc {
namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr std::chrono::nanoseconds forever = detail::wait_forever;
constexpr std::chrono::nanoseconds safety_net = std::chrono::seconds(1);

using parking = detail::parking_word<mc_sync>;

struct worker_state {
  parking word;
  std::array<test_ring, 2> mailboxes;
  atomic<bool> stop{false};
  int taken = 0;

  void scan() {
    for (test_ring& mailbox : mailboxes) mailbox.consume(4, [this](int) { ++taken; });
  }
  void wait(std::chrono::nanoseconds timeout) {
    if (!word.try_park()) return;
    (void)word.sleep(timeout);
    word.unpark();
  }
  void notify() {
    if (word.notify()) word.wake();
  }
  void publish(unsigned mailbox) {
    mailboxes[mailbox].push(1);
    notify();
  }
};

scenario park_against_publish(unsigned producers, int each, std::chrono::nanoseconds timeout) {
  return [=](run& r) {
    auto& s = r.make<worker_state>();
    const int all = static_cast<int>(producers) * each;
    r.thread("worker", [&s, all, timeout] {
      for (s.scan(); s.taken != all; s.scan()) s.wait(timeout);
    });
    for (unsigned p = 0; p < producers; ++p)
      r.thread("gate " + std::to_string(p), [&s, p, each] {
        for (int i = 0; i < each; ++i) s.publish(p);
      });
  };
}

/// As `publish` in two steps instead of the one batch: two entries, one notification.
void batch(run& r) {
  auto& s = r.make<worker_state>();
  r.thread("worker", [&s] {
    for (s.scan(); s.taken != 3; s.scan()) s.wait(forever);
  });
  r.thread("gate", [&s] {
    s.mailboxes[0].push(1);
    s.mailboxes[0].push(2);
    s.notify();
    s.publish(0);
  });
}

/// `careless`: notify() before the flag is set.
scenario park_against_stop(bool careless) {
  return [careless](run& r) {
    auto& s = r.make<worker_state>();
    r.thread("worker", [&s] {
      for (;;) {
        const bool stop = s.stop.load(acquire);  // before the scan: what was published is still run
        s.scan();
        if (stop) break;
        s.wait(forever);
      }
    });
    r.thread("gate", [&s] { s.publish(0); });
    r.thread("pool", [&s, careless] {
      if (careless) s.notify();
      s.stop.store(true, release);
      if (!careless) s.notify();
    });
  };
}

/// One producer that publishes and then stops the worker: everything is run before it ends.
void stop_after_publish(run& r) {
  auto& s = r.make<worker_state>();
  r.thread("worker", [&s] {
    for (;;) {
      const bool stop = s.stop.load(acquire);
      s.scan();
      if (stop) break;
      s.wait(safety_net);
    }
    require(s.taken == 2, "all that was published before the stop has run");
  });
  r.thread("gate", [&s] {
    s.publish(0);
    s.publish(0);
    s.stop.store(true, release);
    s.notify();
  });
}

TEST(parking_model, one_producer_wakes_the_worker) {
  expect_holds(park_against_publish(1, 3, forever), {.limit = {.preemptions = 3}});
}
TEST(parking_model, one_producer_with_timeouts_never_needs_them) {
  expect_holds(park_against_publish(1, 2, safety_net), {.limit = {.preemptions = 3}});
}
TEST(parking_model, two_producers_wake_the_worker) {
  expect_holds(park_against_publish(2, 2, forever));
}
TEST(parking_model, batch_needs_one_notification) {
  expect_holds(batch, {.limit = {.preemptions = 3}});
}
TEST(parking_model, stop_wakes_the_worker) {
  expect_holds(park_against_stop(false));
}
TEST(parking_model, stop_comes_after_what_was_published) {
  expect_holds(stop_after_publish, {.limit = {.preemptions = 3}});
}
TEST(parking_model, stop_flag_set_after_its_notification_is_missed) {
  EXPECT_NE(explore(park_against_stop(true)).failure, "");
}
TEST(parking_model, publishing_after_the_notification_is_missed) {
  const verdict v = explore([](run& r) {
    auto& s = r.make<worker_state>();
    r.thread("worker", [&s] {
      for (s.scan(); s.taken != 1; s.scan()) s.wait(forever);
    });
    r.thread("gate", [&s] {
      s.notify();
      s.mailboxes[0].push(1);
    });
  });
  EXPECT_EQ(v.failure, "deadlock: worker(asleep)");
}

// --- mutants of parking.hpp ---

using act = mutant::action;
constexpr auto relaxed = std::memory_order_relaxed;

struct parking_mutants : testing::TestWithParam<mutant> {};

TEST_P(parking_mutants, are_killed) {
  expect_killed(
      [](run& r) {
        // One of the scenarios, by a choice of its own.
        switch (engine::current()->choose.choose(3, choices::about::schedule)) {
          case 0:
            return park_against_publish(1, 2, safety_net)(r);
          case 1:
            return park_against_publish(2, 1, forever)(r);
          default:
            return park_against_stop(false)(r);
        }
      },
      GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, parking_mutants,
    testing::Values(
        mutant{"notify_relaxed", in("notify", kind::exchange), act::reorder, relaxed},
        mutant{"notify_acquire_only", in("notify", kind::exchange), act::reorder, acquire},
        mutant{"notify_skipped_after_plain_load", in("notify", kind::exchange), act::load_first,
               relaxed, parking::parked},
        mutant{"notify_split", in("notify", kind::exchange), act::split},
        mutant{"notified_never_consumed", in_writing("try_park", kind::compare_exchange, 0),
               act::drop},
        mutant{"notified_consumed_relaxed", in_writing("try_park", kind::compare_exchange, 0),
               act::reorder, relaxed},
        mutant{"parked_by_plain_store",
               in_writing("try_park", kind::compare_exchange, parking::parked), act::store_blind,
               release},
        mutant{"parked_split", in_writing("try_park", kind::compare_exchange, parking::parked),
               act::split},
        mutant{"unpark_by_plain_store", in("unpark", kind::exchange), act::store_blind, release},
        mutant{"unpark_relaxed", in("unpark", kind::exchange), act::reorder, relaxed},
        mutant{"unpark_split", in("unpark", kind::exchange), act::split},
        mutant{"unpark_skipped", in("unpark", kind::exchange), act::drop}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
