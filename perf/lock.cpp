// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <exception>
#include <tokengate/async_mutex.hpp>

#include "communication.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using boost::system::error_code;
using channel_of_one = asio::experimental::concurrent_channel<void(error_code)>;
using strand = asio::strand<asio::io_context::executor_type>;

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

/// What the lock protects: a plain number, wrong at once if two are inside.
struct protected_count {
  std::size_t value = 0;
};

// A number of short sections, by each of the ways.
asio::awaitable<void> sections(tokengate::async_mutex& mutex, asio::io_context&, std::size_t times,
                               protected_count& count) {
  for (std::size_t at = 0; at != times; ++at) {
    auto const held = co_await mutex.async_lock();
    ++count.value;
  }
}
asio::awaitable<void> sections(channel_of_one& place, asio::io_context&, std::size_t times,
                               protected_count& count) {
  for (std::size_t at = 0; at != times; ++at) {
    co_await place.async_send(error_code{}, asio::deferred);
    ++count.value;
    place.try_receive([](error_code) {});
  }
}
asio::awaitable<void> sections(strand& inside, asio::io_context& home, std::size_t times,
                               protected_count& count) {
  for (std::size_t at = 0; at != times; ++at) {
    co_await asio::post(asio::bind_executor(inside, asio::deferred));
    ++count.value;
    co_await asio::post(asio::bind_executor(home.get_executor(), asio::deferred));
  }
}

// The same with a wait inside, which a strand does not keep others out of.
asio::awaitable<void> long_sections(tokengate::async_mutex& mutex, asio::io_context& home,
                                    std::size_t times, protected_count& count) {
  for (std::size_t at = 0; at != times; ++at) {
    auto const held = co_await mutex.async_lock();
    auto const before = count.value;
    co_await asio::post(home, asio::deferred);
    count.value = before + 1;
  }
}
asio::awaitable<void> long_sections(channel_of_one& place, asio::io_context& home,
                                    std::size_t times, protected_count& count) {
  for (std::size_t at = 0; at != times; ++at) {
    co_await place.async_send(error_code{}, asio::deferred);
    auto const before = count.value;
    co_await asio::post(home, asio::deferred);
    count.value = before + 1;
    place.try_receive([](error_code) {});
  }
}

/// How a lock of each kind is made.
template <class Lock>
Lock make(asio::io_context& loop);
template <>
tokengate::async_mutex make(asio::io_context& loop) {
  return tokengate::async_mutex(loop);
}
template <>
channel_of_one make(asio::io_context& loop) {
  return channel_of_one(loop, 1);
}
template <>
strand make(asio::io_context& loop) {
  return strand(loop.get_executor());
}

template <class Lock>
double alone(std::size_t items) {
  asio::io_context loop{1};
  auto lock = make<Lock>(loop);
  protected_count count;
  asio::co_spawn(loop, sections(lock, loop, items, count), rethrow);
  auto const seconds = seconds_to_run(loop);
  expect_count(count.value, items);
  return seconds;
}

template <class Lock>
double contended(std::size_t items) {
  constexpr std::size_t parties = 16;
  asio::io_context loop{1};
  auto lock = make<Lock>(loop);
  protected_count count;
  for (std::size_t party = 0; party != parties; ++party)
    asio::co_spawn(loop, long_sections(lock, loop, items / parties, count), rethrow);
  auto const seconds = seconds_to_run(loop);
  expect_count(count.value, items / parties * parties);
  return seconds;
}

template <class Lock>
double two_loops(std::size_t items) {
  constexpr std::size_t parties = 8;
  asio::io_context loop{1};
  asio::io_context other{1};
  auto lock = make<Lock>(loop);
  protected_count count;
  // A loop may have nothing to do while the section is on the way back to it.
  auto guard = asio::make_work_guard(loop);
  auto guard_of_other = asio::make_work_guard(other);
  std::atomic<std::size_t> left{parties};
  auto const ended = [&](std::exception_ptr error) {
    rethrow(error);
    if (left.fetch_sub(1) != 1) return;
    guard.reset();
    guard_of_other.reset();
  };
  for (auto* home : {&loop, &other})
    for (std::size_t party = 0; party != parties / 2; ++party)
      asio::co_spawn(*home, sections(lock, *home, items / parties, count), ended);
  auto const seconds = seconds_to_run(loop, other);
  expect_count(count.value, items / parties * parties);
  return seconds;
}

}  // namespace

void add_lock(std::vector<workload>& to) {
  constexpr std::size_t items = 200'000;
  using ours = tokengate::async_mutex;
  to.push_back({"lock_uncontended",
                "one coroutine enters a short section again and again, nobody else wants it",
                passing_metrics(),
                {passing_variant("tokengate", false, items, alone<ours>),
                 passing_variant("asio_channel_of_one", true, items, alone<channel_of_one>),
                 passing_variant("asio_strand", true, items, alone<strand>)}});
  to.push_back({"lock_contended",
                "16 coroutines of one loop want a section with a wait in it",
                passing_metrics(),
                {passing_variant("tokengate", false, items, contended<ours>),
                 passing_variant("asio_channel_of_one", true, items, contended<channel_of_one>)}});
  to.push_back({"lock_two_loops",
                "4 coroutines on each of two threads want a short section",
                passing_metrics(),
                {passing_variant("tokengate", false, items, two_loops<ours>),
                 passing_variant("asio_channel_of_one", true, items, two_loops<channel_of_one>),
                 passing_variant("asio_strand", true, items, two_loops<strand>)}});
}

}  // namespace perf
