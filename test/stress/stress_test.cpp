// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "stress/scaled.hpp"
#include "support/gate_fixture.hpp"
#include "tokengate/detail/fault_point.hpp"

// Real threads: more workers than cores, several issuing threads, a loop run by several threads,
// everything that can happen to a token at random. Counted, not timed: TOKENGATE_STRESS scales the
// number of tokens (1 is the default, 3 about three times as long).

namespace tokengate::test {
namespace {

/// Threads that run one io_context until it is out of work.
class loop_threads {
 public:
  loop_threads(asio::io_context& loop, int count) : work_(asio::make_work_guard(loop)) {
    for (int i = 0; i != count; ++i)
      threads_.emplace_back([&loop] {
        for (;;) try {
            loop.run();
            return;
          } catch (int) {
          }  // a handler threw: the others are delivered by the next run()
      });
  }
  void join() {
    work_.reset();
    for (auto& each : threads_) each.join();
    threads_.clear();
  }

 private:
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
};

/// What all tokens of a run add up to, and what must hold while they run.
struct books {
  std::atomic<int> handled{0};
  std::atomic<int> started{0};
  std::atomic<int> wrong{0};

  struct key_state {
    std::atomic<int> inside{0};
    std::atomic<int> last{-1};
  };
  std::array<key_state, 8> keys{};
};

void spin(unsigned rounds) {
  for (unsigned i = 0; i != rounds; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
}

#if defined(TOKENGATE_FAULT_POINTS)
/// Shakes the threads at the library's named points: now and then another one goes first, and
/// rarely this one stays behind for a while.
void shake(char const*) noexcept {
  static std::atomic<unsigned> threads{0};
  thread_local std::minstd_rand random(1 + threads.fetch_add(1, std::memory_order_relaxed));
  unsigned const drawn = random() % 256;
  if (drawn < 16) std::this_thread::yield();
  if (drawn == 255) spin(20'000);
}
bool const armed = [] {
  detail::at_fault_points.store(&shake, std::memory_order_release);
  return true;
}();
#endif

/// One thread that issues. Keys are its own, so that their order is the order of its calls.
void issue_many(gate& through, books& all, int count, unsigned seed, std::size_t first_key) {
  std::mt19937 random(seed);
  std::array<int, 2> next{};
  std::deque<std::stop_source> sources;
  token_options const limited{
      .operation = "limited", .weight = weight::light, .max_concurrency = 1};
  auto const of_limited = through.define(limited);
  auto const handler = [&all](std::exception_ptr) { ++all.handled; };
  for (int i = 0; i != count; ++i) {
    unsigned const dice = random() % 100;
    token_options options;
    options.weight = static_cast<weight>(random() % 3);
    auto const length = random() % 8 == 0 ? 20'000u : random() % 200;
    auto plain = [&all, length, fails = dice % 10 == 9] {
      ++all.started;
      spin(length);
      if (fails) throw std::runtime_error("as it should");
    };
    if (dice < 30) {
      through.async_run(options, plain, handler);
    } else if (dice < 50) {
      std::size_t const own = random() % 2;
      auto& key = all.keys[first_key + own];
      options.weight = weight::medium;
      int const turn = next[own]++;
      auto exclusive = [&all, &key, turn] {
        ++all.started;
        if (key.inside.fetch_add(1) != 0 || key.last.exchange(turn) >= turn) ++all.wrong;
        key.inside.fetch_sub(1);
      };
      through.async_run(options, exclusive).keyed(first_key + own)(handler);
    } else if (dice < 65) {
      auto const span = std::chrono::microseconds(random() % 2000);
      through.async_run(options, plain).within(span)(handler);
    } else if (dice < 80) {
      std::stop_source& source = sources.emplace_back();
      auto stoppable = [&all](std::stop_token stop) {
        ++all.started;
        for (int round = 0; round != 100 && !stop.stop_requested(); ++round) spin(100);
      };
      through.async_run(options, stoppable).stop_on(source.get_token())(handler);
    } else if (dice < 90) {
      through.async_run(of_limited, plain, handler);
    } else if (dice < 95) {
      through.async_run(options, plain).admit(admission::try_now)(handler);
    } else {
      auto variable = through.spawn(options, plain);
      if (dice % 2 == 0) variable.request_stop();
      std::move(variable)(handler);
    }
    if (sources.size() > 16 || (!sources.empty() && random() % 4 == 0)) {
      sources.front().request_stop();
      sources.pop_front();
    }
  }
}

struct stress_case {
  int loop_threads;
  std::size_t backlog;
  hot_drain hot;
};
class stress : public testing::TestWithParam<stress_case> {};

TEST_P(stress, everything_at_random_is_conserved) {
  constexpr int issuers = 4;
  int const per_thread = scaled(100'000);
  asio::io_context loop;
  worker_pool first(small_pool());
  worker_pool second(small_pool());
  gate_options options;
  options.backlog = GetParam().backlog;
  options.hot = GetParam().hot;
  std::array<books, 2> all{};
  std::optional<gate> a(std::in_place, loop.get_executor(), first, options);
  std::optional<gate> b(std::in_place, loop.get_executor(), second, options);
  std::array<gate*, 2> const gates{&*a, &*b};
  loop_threads run(loop, GetParam().loop_threads);

  std::atomic<bool> quit{false};
  std::thread observer([&] {
    std::mt19937 random(1);
    while (!quit) {
      for (gate* each : gates) {
        auto const seen = each->snapshot();
        if (seen.rescued_wakeups != 0) ++all[0].wrong;
        auto const out = each->tokens();
        if (!out.empty()) (void)each->kill(out[random() % out.size()].id);
      }
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (int i = 0; i != issuers; ++i)
    threads.emplace_back([&, i] {
      auto const at = static_cast<std::size_t>(i) % 2;
      issue_many(*gates[at], all[at], per_thread, static_cast<unsigned>(i) + 1,
                 static_cast<std::size_t>(i) / 2 * 2);
    });
  for (auto& each : threads) each.join();
  quit = true;
  observer.join();
  run.join();
  for (std::size_t at = 0; at != 2; ++at) {
    EXPECT_EQ(all[at].handled, 2 * per_thread);
    EXPECT_EQ(all[at].wrong, 0) << "order or exclusion of a key was broken";
    auto const seen = gates[at]->snapshot();
    expect_conserved(seen);
    std::uint64_t ran = 0;
    for (auto const& each : seen.operations) ran += each.completed + each.failed;
    EXPECT_EQ(static_cast<std::uint64_t>(all[at].started.load()), ran);
  }
  EXPECT_EQ(first.snapshot().rescued_wakeups, 0u);
  EXPECT_EQ(second.snapshot().rescued_wakeups, 0u);
}

INSTANTIATE_TEST_SUITE_P(all, stress,
                         testing::Values(stress_case{1, 4096, hot_drain::automatic},
                                         stress_case{3, 4096, hot_drain::off},
                                         stress_case{2, 2, hot_drain::always},
                                         stress_case{1, 1, hot_drain::off}),
                         [](auto const& info) {
                           return std::to_string(info.param.loop_threads) + "_threads_backlog_" +
                                  std::to_string(info.param.backlog) + "_hot_" +
                                  std::to_string(static_cast<int>(info.param.hot));
                         });

TEST(stress_ends, gates_close_stop_and_go_under_load) {
  worker_pool workers(small_pool(2));
  for (int round = 0; round != scaled(300); ++round) {
    asio::io_context loop;
    loop_threads run(loop, 2);
    std::atomic<int> handled{0};
    int const count = 200;
    {
      gate through(loop.get_executor(), workers);
      std::thread issuer([&] {
        for (int i = 0; i != count; ++i)
          through.async_run([] { spin(100); }, [&](std::exception_ptr) { ++handled; });
      });
      if (round % 3 == 0) through.close();
      if (round % 3 == 1) through.stop();
      issuer.join();
    }
    run.join();
    ASSERT_EQ(handled, count) << "round " << round;
  }
}

TEST(stress_ends, pools_go_under_load) {
  for (int round = 0; round != scaled(200); ++round) {
    asio::io_context loop;
    loop_threads run(loop, 2);
    std::atomic<int> handled{0};
    int const count = 200;
    std::optional<worker_pool> workers(std::in_place, small_pool());
    gate through(loop.get_executor(), *workers);
    std::thread issuer([&] {
      for (int i = 0; i != count; ++i)
        through.async_run([] { spin(100); }, [&](std::exception_ptr) { ++handled; });
    });
    workers.reset();
    issuer.join();
    run.join();
    ASSERT_EQ(handled, count) << "round " << round;
    expect_conserved(through);
  }
}

TEST(stress_ends, throwing_handlers_lose_nothing) {
  asio::io_context loop;
  worker_pool workers(small_pool());
  gate through(loop.get_executor(), workers);
  std::atomic<int> handled{0};
  int const count = scaled(20'000);
  loop_threads run(loop, 2);
  for (int i = 0; i != count; ++i)
    through.async_run([] {},
                      [&, i](std::exception_ptr) {
                        ++handled;
                        if (i % 7 == 0) throw i;
                      });
  run.join();
  EXPECT_EQ(handled, count);
  expect_conserved(through);
}

TEST(stress_parking, ping_pong_never_loses_a_wake_up) {
  asio::io_context loop;
  auto options = small_pool();
  worker_pool workers(options);
  gate_options cold;
  cold.hot = hot_drain::off;
  gate through(loop.get_executor(), workers, cold);
  int left = scaled(100'000);
  struct again {
    gate& through;
    int& left;
    void operator()(std::exception_ptr) const {
      if (--left > 0) through.async_run([] {}, again{through, left});
    }
  };
  through.async_run([] {}, again{through, left});
  loop.run();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(workers.snapshot().rescued_wakeups, 0u);
  expect_conserved(through);
}

}  // namespace
}  // namespace tokengate::test
