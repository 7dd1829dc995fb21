// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <vector>

#include "support/gate_fixture.hpp"

// Several threads run the loop: what a turn of one of them has staged is admitted, run, delivered
// and freed by others, while its handler still runs. For the thread sanitizer, above all.

namespace tokengate::test {
namespace {

TEST(loop_of_several_threads, tokens_that_handlers_issue_end_once_each) {
  constexpr int chains = 64;
  constexpr int length = 1000;
  loop shared(3);
  worker_pool workers(small_pool());
  gate gate(shared.executor(), workers);
  std::atomic<int> ended = 0;
  struct link {
    tokengate::gate& on;
    std::atomic<int>& ended;
    int left;
    void operator()(std::exception_ptr const&) {
      ++ended;
      if (--left != 0) on.async_run([] {}, *this);
    }
  };
  {
    std::vector<std::jthread> others;
    auto work = asio::make_work_guard(shared.context);
    for (int i = 0; i != 2; ++i) others.emplace_back([&] { shared.context.run(); });
    for (int i = 0; i != chains; ++i)
      asio::post(shared.context, [&] { gate.async_run([] {}, link{gate, ended, length}); });
    shared.run_until([&] { return ended == chains * length; });
    work.reset();
    shared.run_out();
  }
  expect_conserved(gate);
}

}  // namespace
}  // namespace tokengate::test
