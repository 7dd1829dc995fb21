// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <tokengate/with_scope.hpp>
#include <vector>

#include "communication.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

constexpr std::size_t children = 1000;

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

asio::awaitable<void> child(std::size_t* ended) {
  ++*ended;
  co_return;
}

// One round by each of the ways: start the children, wait for the last of them.
asio::awaitable<void> spawn_all(tokengate::task_scope<>& scope, std::size_t* ended) {
  for (std::size_t at = 0; at != children; ++at) scope.spawn(child(ended));
  co_return;
}
asio::awaitable<void> by_scope(std::size_t* ended) {
  co_await tokengate::with_scope(spawn_all, ended);
}

asio::awaitable<void> by_group(std::size_t* ended) {
  auto const executor = co_await asio::this_coro::executor;
  using operation = decltype(asio::co_spawn(executor, child(ended), asio::deferred));
  std::vector<operation> all;
  all.reserve(children);
  for (std::size_t at = 0; at != children; ++at)
    all.push_back(asio::co_spawn(executor, child(ended), asio::deferred));
  auto group = asio::experimental::make_parallel_group(std::move(all));
  co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
}

asio::awaitable<void> by_counter(std::size_t* ended) {
  auto const executor = co_await asio::this_coro::executor;
  asio::steady_timer last{executor, asio::steady_timer::time_point::max()};
  std::size_t left = children;
  for (std::size_t at = 0; at != children; ++at)
    asio::co_spawn(executor, child(ended), [&](std::exception_ptr error) {
      rethrow(error);
      if (--left == 0) last.cancel();
    });
  boost::system::error_code cancelled;
  co_await last.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

template <class Round>
asio::awaitable<void> rounds(Round round, std::size_t times, std::size_t* ended) {
  for (std::size_t at = 0; at != times; ++at) co_await round(ended);
}

template <class Round>
passing each_on_one_loop(Round round) {
  return [round](std::size_t items) {
    asio::io_context loop{1};
    std::size_t ended = 0;
    asio::co_spawn(loop, rounds(round, items / children, &ended), rethrow);
    auto const seconds = seconds_to_run(loop);
    expect_count(ended, items / children * children);
    return seconds;
  };
}

}  // namespace

void add_scope(std::vector<workload>& to) {
  constexpr std::size_t items = 100'000;
  to.push_back(
      {"scope_spawn_join",
       "1,000 empty coroutines are started and waited for, again and again: what does each cost?",
       passing_metrics(),
       {passing_variant("tokengate", false, items, each_on_one_loop(by_scope)),
        passing_variant("asio_parallel_group", true, items, each_on_one_loop(by_group)),
        passing_variant("asio_counter", true, items, each_on_one_loop(by_counter))}});
}

}  // namespace perf
