// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <random>
#include <thread>
#include <vector>

#include "stress/scaled.hpp"
#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/actor.hpp"
#include "tokengate/pipeline.hpp"
#include "tokengate/with_scope.hpp"

// Scopes, actors and pipelines on a loop that several threads run, cancelled from outside at any
// moment. Counted, not timed: TOKENGATE_STRESS scales the counts.

namespace tokengate::test {
namespace {

class scope_stress : public testing::Test {
 public:
  void SetUp() override {
    for (int i = 0; i != 3; ++i) threads.emplace_back([this] { context.run(); });
  }
  void TearDown() override {
    work.reset();
    for (auto& each : threads) each.join();
    expect_conserved(through);
  }

  asio::io_context context;
  worker_pool workers{small_pool(2)};
  gate through{context.get_executor(), workers};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::vector<std::thread> threads;
};

/// Children that are inside their scope now. One that is left when the scope has ended is an
/// orphan.
struct family {
  std::atomic<int> inside{0};
  std::atomic<int> began{0};
  std::atomic<int> ended{0};
};
struct presence {
  explicit presence(family* of) : of_(of) {
    ++of_->inside;
    ++of_->began;
  }
  presence(presence const&) = delete;
  presence& operator=(presence const&) = delete;
  ~presence() {
    --of_->inside;
    ++of_->ended;
  }
  family* of_;
};

asio::awaitable<int> child(family* of, unsigned seed) {
  presence here(of);
  std::minstd_rand random(seed + 1);
  auto const executor = co_await asio::this_coro::executor;
  for (int turns = random() % 4; turns != 0; --turns)
    co_await asio::post(executor, asio::use_awaitable);
  if (random() % 4 == 0) {
    asio::steady_timer timer(executor, std::chrono::microseconds(random() % 200));
    co_await timer.async_wait(asio::use_awaitable);
  }
  if (random() % 16 == 0) throw std::runtime_error("child");
  co_return 1;
}

asio::awaitable<int> parent(family* of, gate* through, unsigned seed) {
  auto body = [of, through, seed](task_scope<int>& scope) -> asio::awaitable<void> {
    std::minstd_rand random(seed + 1);
    for (int i = random() % 8; i != 0; --i) {
      if (random() % 4 == 0)
        scope.spawn(through->async_run([of] {
          presence here(of);
          return 1;
        }));
      else
        scope.spawn(child(of, random()));
    }
    if (random() % 4 == 0) co_await child(of, random());
    if (random() % 8 == 0) throw std::runtime_error("body");
    // The scope cancels: the failure of a child ends this.
    if (seed % 7 == 0 && seed % 3 != 0) {
      scope.spawn(through->async_run([]() -> int { throw std::runtime_error("token"); }));
      asio::steady_timer never(co_await asio::this_coro::executor, std::chrono::hours(1));
      co_await never.async_wait(asio::use_awaitable);
    }
  };
  scope_options options;
  options.max_concurrency = seed % 4;
  if (seed % 3 == 0) options.on_error = on_child_error::collect;
  if (seed % 5 == 0) options.deadline = std::chrono::microseconds(seed % 300);
  int sum = 0;
  std::exception_ptr failed;
  try {
    auto const values = co_await with_scope<int>(options, body);
    for (int each : values) sum += each;
  } catch (...) {
    failed = std::current_exception();
  }
  if (failed) std::rethrow_exception(failed);
  co_return sum;
}

TEST_F(scope_stress, no_child_outlives_its_scope) {
  for (int round = 0, rounds = scaled(2000); round != rounds; ++round) {
    family all;
    std::atomic<bool> joined{false};
    {
      task_scope<int> outer(context.get_executor(), {.on_error = on_child_error::collect});
      for (unsigned i = 0; i != 8; ++i)
        outer.spawn(parent(&all, &through, static_cast<unsigned>(round) * 8 + i));
      outer.async_collect([&](std::vector<scope_result<int>> results) {
        EXPECT_EQ(results.size(), 8u);
        EXPECT_EQ(all.inside, 0) << "an orphan";
        joined = true;
      });
      // From a thread that runs no loop, at any moment.
      if (round % 2 == 0) {
        for (int spin = (round * 37) % 400; spin != 0; --spin) std::this_thread::yield();
        outer.request_cancel();
      }
      ASSERT_TRUE(poll_until([&] { return joined.load(); }));
      EXPECT_EQ(outer.snapshot().live, 0u);
    }
    EXPECT_EQ(all.inside, 0);
    EXPECT_EQ(all.began, all.ended);
  }
}

TEST_F(scope_stress, every_accepted_tell_is_handled_once_or_counted) {
  quiet_log quiet;
  for (int round = 0, rounds = scaled(100); round != rounds; ++round) {
    actor_options options;
    options.mailbox = 64;
    options.when_full = static_cast<full_mailbox>(round % 3);
    options.max_restarts = 1'000'000;
    struct state {
      long handled = 0;
    };
    std::atomic<long> handled{0}, answers{0}, asked{0};
    std::atomic<bool> ended{false};
    std::atomic<int> inside{0};
    auto note = [&](state& of) {
      EXPECT_EQ(inside.fetch_add(1), 0) << "one message at a time";
      ++of.handled;
      ++handled;
      --inside;
      if (of.handled == 100) throw std::runtime_error("restart");
    };
    auto on_loop = asio::any_io_executor(context.get_executor());
    actor<state> one =
        round % 2 == 0 ? actor<state>(through, options) : actor<state>(on_loop, options);
    std::atomic<long> accepted{0};
    {
      std::vector<std::jthread> tellers;
      for (int t = 0; t != 3; ++t)
        tellers.emplace_back([&] {
          for (int i = 0; i != 500; ++i) {
            if (one.tell(note)) ++accepted;
            if (i % 50 == 0) {
              ++asked;
              one.ask(note).within(std::chrono::milliseconds(i))(
                  [&](std::exception_ptr) { ++answers; });
            }
            if (i == 400 && round % 4 == 3) one.stop();
          }
        });
    }
    one.close();
    one.async_join([&](std::exception_ptr failed) {
      EXPECT_FALSE(failed);
      ended = true;
    });
    ASSERT_TRUE(poll_until([&] { return ended.load() && answers == asked; }));
    auto const now = one.snapshot();
    EXPECT_EQ(static_cast<long>(now.handled), handled);
    EXPECT_EQ(now.accepted, now.handled + now.dropped + now.withdrawn);
    EXPECT_GE(static_cast<long>(now.accepted), accepted);
    EXPECT_TRUE(now.ended);
  }
}

TEST_F(scope_stress, pipeline_conserves_items_and_order) {
  for (int round = 0, rounds = scaled(45); round != rounds; ++round) {
    bool const fails = round % 3 == 2;
    bool const cancelled = round % 3 == 1;
    auto twice = [fails](int x) {
      if (fails && x == 700) throw std::runtime_error("stage");
      return 2 * x;
    };
    auto loopback = [](int x) -> asio::awaitable<int> {
      if (x % 5 == 0) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      co_return x + 1;
    };
    auto p = pipeline<int>(through)
                 .stage({.parallel = 4}, twice)
                 .stage({.parallel = 3}, loopback)
                 .stage({.weight = weight::light, .parallel = 2}, [](int x) { return x; });
    std::atomic<bool> drained{false}, ended{false};
    std::atomic<long> pulled{0};
    asio::co_spawn(
        asio::make_strand(context),
        [&p, &pulled]() -> asio::awaitable<void> {
          for (auto x = co_await p.async_pull(); x; x = co_await p.async_pull()) {
            EXPECT_EQ(*x, 2 * pulled + 1);
            ++pulled;
          }
        },
        [&](std::exception_ptr) { drained = true; });
    std::jthread feeder([&] {
      for (int i = 0; i != 1000 && !ended; ++i)
        while (!p.try_push(int(i)) && !ended) std::this_thread::yield();
      p.close();
    });
    p.async_join([&](std::exception_ptr) { ended = true; });
    if (cancelled) {
      EXPECT_TRUE(poll_until([&] { return pulled > 100; }));
      p.cancel();
    }
    ASSERT_TRUE(poll_until([&] { return drained && ended; }));
    feeder.join();
    auto const now = p.snapshot();
    EXPECT_EQ(now.pushed, now.completed + now.dropped);
    EXPECT_EQ(static_cast<long>(now.completed), pulled);
    if (!fails && !cancelled) {
      EXPECT_EQ(pulled, 1000);
    }
  }
}

}  // namespace
}  // namespace tokengate::test
