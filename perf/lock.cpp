// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <concepts>
#include <exception>
#include <tokengate/async_mutex.hpp>
#include <tokengate/async_semaphore.hpp>

#include "communication.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using boost::system::error_code;
/// Who may enter sends something into it; it has room for as many as may be inside.
using channel_of_permits = asio::experimental::concurrent_channel<void(error_code)>;
using strand = asio::strand<asio::io_context::executor_type>;

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

/// What is protected: plain numbers, soon wrong if more are inside than may be.
class section {
 public:
  void enter() { most_ = std::max(most_, ++inside_); }
  void leave() {
    --inside_;
    ++done_;
  }
  void expect(std::size_t done, std::size_t places) const {
    expect_count(done_, done);
    expect_count(inside_, 0);
    expect_count(std::max(most_, places), places);
  }

 private:
  std::size_t inside_ = 0;
  std::size_t most_ = 0;
  std::size_t done_ = 0;
};

auto wait_for(tokengate::async_mutex& mutex) {
  return mutex.async_lock();
}
auto wait_for(tokengate::async_semaphore& semaphore) {
  return semaphore.async_acquire();
}
template <class Lock>
concept ours = std::derived_from<Lock, tokengate::lock_base>;

// A number of short sections, by each of the ways.
template <ours Lock>
asio::awaitable<void> sections(Lock& lock, asio::io_context&, std::size_t times, section& what) {
  for (std::size_t at = 0; at != times; ++at) {
    auto const held = co_await wait_for(lock);
    what.enter();
    what.leave();
  }
}
asio::awaitable<void> sections(channel_of_permits& taken, asio::io_context&, std::size_t times,
                               section& what) {
  for (std::size_t at = 0; at != times; ++at) {
    co_await taken.async_send(error_code{}, asio::deferred);
    what.enter();
    what.leave();
    taken.try_receive([](error_code) {});
  }
}
asio::awaitable<void> sections(strand& inside, asio::io_context& home, std::size_t times,
                               section& what) {
  for (std::size_t at = 0; at != times; ++at) {
    co_await asio::post(asio::bind_executor(inside, asio::deferred));
    what.enter();
    what.leave();
    co_await asio::post(asio::bind_executor(home.get_executor(), asio::deferred));
  }
}

// The same with a wait inside, which a strand does not keep others out of.
template <ours Lock>
asio::awaitable<void> long_sections(Lock& lock, asio::io_context& home, std::size_t times,
                                    section& what) {
  for (std::size_t at = 0; at != times; ++at) {
    auto const held = co_await wait_for(lock);
    what.enter();
    co_await asio::post(home, asio::deferred);
    what.leave();
  }
}
asio::awaitable<void> long_sections(channel_of_permits& taken, asio::io_context& home,
                                    std::size_t times, section& what) {
  for (std::size_t at = 0; at != times; ++at) {
    co_await taken.async_send(error_code{}, asio::deferred);
    what.enter();
    co_await asio::post(home, asio::deferred);
    what.leave();
    taken.try_receive([](error_code) {});
  }
}

/// How each kind is made, for so many inside at once.
template <class Lock>
Lock make(asio::io_context& loop, std::size_t places);
template <>
tokengate::async_mutex make(asio::io_context& loop, std::size_t) {
  return tokengate::async_mutex(loop);
}
template <>
tokengate::async_semaphore make(asio::io_context& loop, std::size_t places) {
  return tokengate::async_semaphore(loop, places);
}
template <>
channel_of_permits make(asio::io_context& loop, std::size_t places) {
  return channel_of_permits(loop, places);
}
template <>
strand make(asio::io_context& loop, std::size_t) {
  return strand(loop.get_executor());
}

template <class Lock, std::size_t Places = 1>
double alone(std::size_t items) {
  asio::io_context loop{1};
  auto lock = make<Lock>(loop, Places);
  section what;
  asio::co_spawn(loop, sections(lock, loop, items, what), rethrow);
  auto const seconds = seconds_to_run(loop);
  what.expect(items, Places);
  return seconds;
}

/// 64 parties on one loop. `enter_sections(lock, loop, times, what)` is one of them.
template <class Lock, std::size_t Places, class Party>
double among_64(std::size_t items, Party enter_sections) {
  constexpr std::size_t parties = 64;
  asio::io_context loop{1};
  auto lock = make<Lock>(loop, Places);
  section what;
  for (std::size_t party = 0; party != parties; ++party)
    asio::co_spawn(loop, enter_sections(lock, loop, items / parties, what), rethrow);
  auto const seconds = seconds_to_run(loop);
  what.expect(items / parties * parties, Places);
  return seconds;
}

template <class Lock, std::size_t Places = 1>
double contended(std::size_t items) {
  return among_64<Lock, Places>(items, [](auto&&... with) { return long_sections(with...); });
}

template <class Lock>
double short_contended(std::size_t items) {
  return among_64<Lock, 1>(items, [](auto&&... with) { return sections(with...); });
}

template <class Lock, std::size_t Places = 1>
double two_loops(std::size_t items) {
  constexpr std::size_t parties = 8;
  asio::io_context loop{1};
  asio::io_context other{1};
  auto lock = make<Lock>(loop, Places);
  section what;
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
      asio::co_spawn(*home, sections(lock, *home, items / parties, what), ended);
  auto const seconds = seconds_to_run(loop, other);
  what.expect(items / parties * parties, Places);
  return seconds;
}

}  // namespace

void add_lock(std::vector<workload>& to) {
  constexpr std::size_t permits = 8;
  constexpr std::size_t items = 200'000;
  using mutex = tokengate::async_mutex;
  using semaphore = tokengate::async_semaphore;
  to.push_back({"lock_uncontended",
                "one coroutine enters a short section again and again, nobody else wants it",
                passing_metrics(),
                {passing_variant("tokengate", false, items, alone<mutex>),
                 passing_variant("asio_channel_of_one", true, items, alone<channel_of_permits>),
                 passing_variant("asio_strand", true, items, alone<strand>)}});
  to.push_back(
      {"lock_contended",
       "64 coroutines of one loop want a section with a wait in it",
       passing_metrics(),
       {passing_variant("tokengate", false, items, contended<mutex>),
        passing_variant("asio_channel_of_one", true, items, contended<channel_of_permits>)}});
  to.push_back(
      {"lock_short_contended",
       "64 coroutines of one loop want a short section",
       passing_metrics(),
       {passing_variant("tokengate", false, items, short_contended<mutex>),
        passing_variant("asio_channel_of_one", true, items, short_contended<channel_of_permits>),
        passing_variant("asio_strand", true, items, short_contended<strand>)}});
  to.push_back({"lock_two_loops",
                "4 coroutines on each of two threads want a short section",
                passing_metrics(),
                {passing_variant("tokengate", false, items, two_loops<mutex>),
                 passing_variant("asio_channel_of_one", true, items, two_loops<channel_of_permits>),
                 passing_variant("asio_strand", true, items, two_loops<strand>)}});
  to.push_back({"semaphore_uncontended",
                "one coroutine takes and gives back one permit of 8, nobody else wants any",
                passing_metrics(),
                {passing_variant("tokengate", false, items, alone<semaphore, permits>),
                 passing_variant("asio_channel_of_permits", true, items,
                                 alone<channel_of_permits, permits>)}});
  to.push_back({"semaphore_contended",
                "64 coroutines of one loop want one of 8 permits for a section with a wait in it",
                passing_metrics(),
                {passing_variant("tokengate", false, items, contended<semaphore, permits>),
                 passing_variant("asio_channel_of_permits", true, items,
                                 contended<channel_of_permits, permits>)}});
}

}  // namespace perf
