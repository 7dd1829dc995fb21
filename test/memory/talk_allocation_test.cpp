// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "memory/warm_allocations.hpp"
#include "support/gate_fixture.hpp"
#include "tokengate/actor.hpp"
#include "tokengate/async_barrier.hpp"
#include "tokengate/async_latch.hpp"
#include "tokengate/async_shared_mutex.hpp"
#include "tokengate/lock_checks.hpp"
#include "tokengate/pipeline.hpp"
#include "tokengate/promise.hpp"

// What messages, items of a pipeline, promises, readers and rounds cost in calls of operator new,
// on all threads together, once the pools are warm.

namespace tokengate::test {
namespace {

struct adder {
  void add(int x) { sum += x; }
  int get() { return sum; }
  int sum = 0;
};

class talk_allocation : public warm_allocations<gate_fixture> {
 public:
  auto done() {
    return [this](auto const&...) { ++done_; };
  }
  /// On the loop, as servers do it, until `count` operations of the round have completed.
  template <class Begin>
  auto round(int count, Begin begin) {
    return [this, count, begin] {
      done_ = 0;
      asio::post(loop_.context, begin);
      while (done_ != count) {
        loop_.context.run_one();
        if (loop_.context.stopped()) loop_.context.restart();
      }
    };
  }

  auto every_message_to(actor<adder>& one) {
    return round(3, [this, &one] {
      EXPECT_TRUE(one.tell(&adder::add, 1));
      one.async_tell(&adder::add, 1)(done());
      auto asked = one.ask(&adder::get);
      std::move(asked)(done());
      one.ask(&adder::get).within(std::chrono::hours(1))(done());
    });
  }

  int done_ = 0;
};

TEST_F(talk_allocation, message_to_an_actor_on_a_loop_takes_none) {
  actor<adder> one(loop_.executor());
  EXPECT_LE(per_thousand(every_message_to(one)), few);
}

TEST_F(talk_allocation, message_to_an_actor_on_a_lane_takes_none) {
  actor<adder> one(*gate_);
  EXPECT_LE(per_thousand(every_message_to(one)), few);
}

TEST_F(talk_allocation, message_from_outside_the_loop_takes_none) {
  actor<adder> one(loop_.executor());
  EXPECT_LE(per_thousand([&] {
              done_ = 0;
              EXPECT_TRUE(one.tell(&adder::add, 1));
              one.ask (&adder::get)(done());
              loop_.run_until([&] { return done_ == 1; });
            }),
            few);
}

TEST_F(talk_allocation, message_from_a_plain_thread_takes_none) {
  actor<adder> one(loop_.executor());
  std::uint64_t used = ~0ull;
  std::atomic<bool> quit{false};
  auto work = asio::make_work_guard(loop_.context);
  std::thread teller([&] {
    std::uint64_t told = 0;
    used = per_thousand([&] {
      EXPECT_TRUE(one.tell(&adder::add, 1));
      ++told;
      while (one.snapshot().handled != told) std::this_thread::yield();
    });
    quit = true;
  });
  loop_.run_until([&] { return quit.load(); });
  teller.join();
  work.reset();
  EXPECT_LE(used, few);
}

TEST_F(talk_allocation, item_of_a_pipeline_takes_none) {
  auto line = pipeline<int>(*gate_)
                  .stage(
                      {.parallel = 2}, +[](int x) { return x + 1; })
                  .stage(+[](int x) { return 2 * x; });
  EXPECT_LE(per_thousand(round(2,
                               [&] {
                                 line.async_push(1)(done());
                                 line.async_pull()(done());
                               })),
            few);
}

TEST_F(talk_allocation, promise_takes_its_stop_state) {
  EXPECT_LE(per_thousand(round(1,
                               [&] {
                                 promise<int> source(loop_.executor());
                                 auto variable = source.get_flow_var();
                                 variable(done());
                                 source.set_value(1);
                               })),
            1000 + few);
}

TEST_F(talk_allocation, readers_and_writers_take_none) {
  bool const were_on = lock_checks();
  set_lock_checks(false);
  async_shared_mutex mutex(loop_.context);
  set_lock_checks(were_on);
  EXPECT_LE(per_thousand(round(5,
                               [&] {
                                 mutex.async_lock(done());
                                 mutex.async_lock_shared(done());
                                 mutex.async_lock_shared(done());
                                 mutex.async_lock(done());
                                 mutex.async_lock_shared().within(std::chrono::hours(1))(done());
                               })),
            few);
}

TEST_F(talk_allocation, waiting_at_a_barrier_and_a_latch_takes_none) {
  async_barrier all(loop_.context, 3);
  async_latch open(loop_.context, 3000);
  EXPECT_LE(per_thousand(round(4,
                               [&] {
                                 for (int i = 0; i != 3; ++i) all.async_arrive_and_wait(done());
                                 // Opens with the last round; until then it is given up at once.
                                 open.async_wait(done());
                                 open.cancel();
                                 open.count_down();
                               })),
            few);
  EXPECT_EQ(open.count(), 0u);
}

}  // namespace
}  // namespace tokengate::test
