// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/worker_pool.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <stdexcept>
#include <thread>

#include "tokengate/gate.hpp"
#include "topology.hpp"

namespace tokengate {
namespace {

worker_pool_options quiet() {
  worker_pool_options options;
  options.pin = false;
  options.lane_priorities = false;
  return options;
}

/// Runs a function in a token and hands its result back.
template <class F>
auto in_token(worker_pool& workers, F function) {
  asio::io_context loop;
  gate through(loop.get_executor(), workers);
  std::optional<decltype(function())> found;
  through.async_run(function, [&](std::exception_ptr, auto value) { found = value; });
  loop.run();
  return found.value();
}

TEST(worker_pool, default_options_give_a_worker_per_lane_and_core) {
  worker_pool const workers(quiet());
  EXPECT_GE(workers.cores(), 1u);
  EXPECT_EQ(workers.size(), workers.cores() * lane_count);
  EXPECT_LE(workers.cores(), detail::affinity_mask().size());
}

TEST(worker_pool, max_cores_limits_the_cores) {
  auto options = quiet();
  options.max_cores = 1;
  worker_pool const workers(options);
  EXPECT_EQ(workers.cores(), 1u);
  EXPECT_EQ(workers.size(), 3u);
}

TEST(worker_pool, explicit_core_is_the_one_that_is_used) {
  unsigned const last = detail::affinity_mask().back();
  worker_pool_options options;
  options.cores = {last};
  worker_pool workers(options);
  EXPECT_EQ(workers.cores(), 1u);
  for (auto const& each : workers.snapshot().workers) EXPECT_EQ(each.core, last);
  if (workers.snapshot().workers.front().pinned) {
    EXPECT_EQ(in_token(workers, [] { return static_cast<unsigned>(::sched_getcpu()); }), last);
  }
}

TEST(worker_pool, core_that_is_not_usable_is_refused) {
  auto options = quiet();
  options.cores = {100'000};
  EXPECT_THROW(worker_pool{options}, std::invalid_argument);
}

TEST(worker_pool, core_named_twice_is_refused) {
  auto options = quiet();
  unsigned const first = detail::affinity_mask().front();
  options.cores = {first, first};
  EXPECT_THROW(worker_pool{options}, std::invalid_argument);
}

TEST(worker_pool, threads_carry_the_first_part_of_the_name) {
  auto options = quiet();
  options.max_cores = 1;
  options.name = "a rather long name";
  worker_pool workers(options);
  auto const name = in_token(workers, [] {
    std::array<char, 32> text{};
    pthread_getname_np(pthread_self(), text.data(), text.size());
    return std::string(text.data());
  });
  EXPECT_EQ(name.substr(0, 9), "a rather.");
  EXPECT_EQ(name.back(), 'm');
  EXPECT_EQ(workers.snapshot().name, options.name);
}

TEST(worker_pool, snapshot_names_every_position) {
  auto options = quiet();
  options.max_cores = 1;
  worker_pool workers(options);
  EXPECT_EQ(in_token(workers, [] { return 1; }), 1);
  auto const seen = workers.snapshot();
  ASSERT_EQ(seen.workers.size(), 3u);
  EXPECT_EQ(seen.workers[0].lane, weight::light);
  EXPECT_EQ(seen.workers[1].lane, weight::medium);
  EXPECT_EQ(seen.workers[2].lane, weight::heavy);
  EXPECT_EQ(seen.workers[0].executed, 0u);
  EXPECT_EQ(seen.workers[1].executed, 1u);
  EXPECT_FALSE(seen.workers[1].pinned);
  EXPECT_FALSE(seen.workers[1].priority.empty());
  EXPECT_GT(seen.usable_cores, 0.0);
  EXPECT_EQ(seen.rescued_wakeups, 0u);
}

TEST(worker_pool, stopped_pool_ends_its_workers_once) {
  worker_pool workers(quiet());
  workers.stop();
  workers.stop();
  for (;;) {
    auto const seen = workers.snapshot().workers;
    if (std::ranges::all_of(seen, [](auto const& w) { return w.state == worker_state::stopped; }))
      break;
    std::this_thread::yield();
  }
}

TEST(worker_pool, thread_bound_to_one_core_gets_a_pool_of_one) {
  std::thread([] {
    unsigned const only = detail::affinity_mask().front();
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(only, &set);
    ASSERT_EQ(::sched_setaffinity(0, sizeof set, &set), 0);
    worker_pool workers(worker_pool_options{});
    EXPECT_EQ(workers.cores(), 1u);
    EXPECT_EQ(workers.snapshot().workers.front().core, only);
    // Loop and workers share the core: they have to come to an end without spinning at each other.
    for (int i = 0; i != 50; ++i) EXPECT_EQ(in_token(workers, [i] { return i; }), i);
  }).join();
}

TEST(worker_pool, signals_stay_with_the_threads_of_the_application) {
  auto options = quiet();
  options.max_cores = 1;
  worker_pool workers(options);
  auto const blocked = [](int signal) {
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, nullptr, &mine);
    return sigismember(&mine, signal) == 1;
  };
  EXPECT_TRUE(in_token(workers, [&] { return blocked(SIGINT) && blocked(SIGUSR1); }));
  EXPECT_FALSE(in_token(workers, [&] { return blocked(SIGSEGV); }));
  EXPECT_FALSE(blocked(SIGINT)) << "the mask of the constructing thread is as it was";
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__has_feature)
/// In a process of its own: the limit on threads is for all of a user's.
TEST(worker_pool_death, thread_that_cannot_start_rolls_back_those_that_did) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        rlimit limit{};
        ::getrlimit(RLIMIT_AS, &limit);
        // Room for a few stacks of a gigabyte, not for three.
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, std::size_t{1} << 30);
        pthread_setattr_default_np(&attributes);
        limit.rlim_cur = (std::size_t{5} << 30) / 2;
        ::setrlimit(RLIMIT_AS, &limit);
        auto options = quiet();
        options.max_cores = 1;
        try {
          worker_pool const workers(options);
          std::_Exit(1);
        } catch (std::system_error const&) {
          std::_Exit(0);
        }
      },
      testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
}  // namespace tokengate
