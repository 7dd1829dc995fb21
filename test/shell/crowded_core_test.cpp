// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>
#include <sched.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <thread>

#include "tokengate/gate.hpp"
#include "topology.hpp"

// A worker and its loop on one core: see record 13 in doc/decision.

namespace tokengate {
namespace {

using clock = std::chrono::steady_clock;

/// Runs `body(gate, loop)` on the core of the pool's only light worker; gives what that one did.
worker_snapshot beside_its_worker(std::function<void(gate&, asio::io_context&)> const& body) {
  worker_snapshot result;
  std::thread([&] {
    unsigned const core = detail::affinity_mask().front();
    worker_pool_options options;
    options.cores = {core};
    worker_pool workers(options);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    ASSERT_EQ(::sched_setaffinity(0, sizeof set, &set), 0);
    asio::io_context loop(1);
    gate gate(loop.get_executor(), workers);
    body(gate, loop);
    for (auto const& each : workers.snapshot().workers)
      if (each.lane == weight::light) result = each;
  }).join();
  return result;
}

/// Handlers that take a while and issue the next token.
struct chain {
  gate& on;
  int left;

  void one() {
    on.async_run({.weight = weight::light}, [] {})([this](std::exception_ptr) {
      for (auto const until = clock::now() + std::chrono::microseconds(5); clock::now() < until;) {
      }
      if (--left > 0) one();
    });
  }
};

TEST(crowded_core, wake_ups_that_take_the_core_from_the_loop_are_shared) {
  constexpr int tokens = 4000;
  auto const seen = beside_its_worker([](gate& gate, asio::io_context& loop) {
    chain all{gate, tokens};
    for (int i = 0; i != 256; ++i) all.one();
    loop.run();
  });
  EXPECT_GE(seen.executed, static_cast<std::uint64_t>(tokens));
  EXPECT_LT(seen.parks, tokens / 4u) << "about every second token, if each waited a microsecond";
}

}  // namespace
}  // namespace tokengate
