// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/signals2/signal.hpp>
#include <exception>
#include <memory>
#include <tokengate/event_bus.hpp>
#include <vector>

#include "communication.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

struct tick {
  std::size_t number = 0;
};

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

/// Counts what is delivered on the subscribers' loop, and lets that loop end when all is.
class receipt {
 public:
  receipt(asio::io_context& loop, std::size_t expected)
      : guard_(asio::make_work_guard(loop)), expected_(expected) {}
  void operator()(tick const& event) {
    sum_ += event.number;
    if (++count_ == expected_) guard_.reset();
  }
  std::size_t count() const { return count_; }
  std::size_t sum() const { return sum_; }

 private:
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::size_t expected_;
  std::size_t count_ = 0;
  std::size_t sum_ = 0;
};

/// Publishes so many ticks from one loop to subscribers on another, or the same.
using publishing = double (*)(asio::io_context& from, asio::io_context& to, std::size_t subscribers,
                              std::size_t ticks, receipt& arrived);

double run(asio::io_context& from, asio::io_context& to) {
  return &from == &to ? seconds_to_run(to) : seconds_to_run(to, from);
}

asio::awaitable<void> publish(tokengate::topic<tick> where, std::size_t ticks) {
  for (std::size_t at = 0; at != ticks; ++at) {
    tick const event{at};
    co_await where.async_publish(event);
  }
}

std::vector<tokengate::subscription> subscribe(tokengate::event_bus& bus, asio::io_context& to,
                                               std::size_t subscribers, receipt& arrived) {
  std::vector<tokengate::subscription> all;
  for (std::size_t at = 0; at != subscribers; ++at)
    all.push_back(
        bus.subscribe<tick>("perf.tick", to, [&arrived](tick const& event) { arrived(event); }));
  return all;
}

double by_bus(asio::io_context& from, asio::io_context& to, std::size_t subscribers,
              std::size_t ticks, receipt& arrived) {
  tokengate::event_bus bus(from);
  std::vector<tokengate::subscription> all;
  for (std::size_t at = 0; at != subscribers; ++at)
    all.push_back(
        bus.subscribe<tick>("perf.tick", to, [&arrived](tick const& event) { arrived(event); }));
  asio::co_spawn(from, publish(bus.topic<tick>("perf.tick"), ticks), rethrow);
  return run(from, to);
}

/// As one publishes without waiting for each: what the subscribers have room for goes at once.
asio::awaitable<void> publish_at_once(tokengate::topic<tick> where, asio::io_context& home,
                                      std::size_t ticks) {
  for (std::size_t at = 0; at != ticks; ++at) {
    tick const event{at};
    auto const taken = where.try_publish(event);
    if (!taken) co_await where.async_publish(event);
    if (at % 64 == 63) co_await asio::post(home, asio::deferred);
  }
}

double by_bus_at_once(asio::io_context& from, asio::io_context& to, std::size_t subscribers,
                      std::size_t ticks, receipt& arrived) {
  tokengate::event_bus bus(from);
  auto const all = subscribe(bus, to, subscribers, arrived);
  asio::co_spawn(from, publish_at_once(bus.topic<tick>("perf.tick"), from, ticks), rethrow);
  return run(from, to);
}

// One allocation for the event, one post per subscriber. Every 64th time the publisher lets the
// others run, or the queue would hold all events at once.
asio::awaitable<void> post_all(asio::io_context& from, asio::io_context& to,
                               std::size_t subscribers, std::size_t ticks, receipt& arrived) {
  for (std::size_t number = 0; number != ticks; ++number) {
    auto const event = std::make_shared<tick const>(tick{number});
    for (std::size_t at = 0; at != subscribers; ++at)
      asio::post(to, [event, &arrived] { arrived(*event); });
    if (number % 64 == 63) co_await asio::post(from, asio::deferred);
  }
}

double by_post(asio::io_context& from, asio::io_context& to, std::size_t subscribers,
               std::size_t ticks, receipt& arrived) {
  asio::co_spawn(from, post_all(from, to, subscribers, ticks, arrived), rethrow);
  return run(from, to);
}

asio::awaitable<void> emit_all(boost::signals2::signal<void(tick const&)>& signal,
                               std::size_t ticks) {
  for (std::size_t at = 0; at != ticks; ++at) signal(tick{at});
  co_return;
}

// Calls its slots where it is emitted: no queue, no other loop.
double by_signal(asio::io_context& from, asio::io_context& to, std::size_t subscribers,
                 std::size_t ticks, receipt& arrived) {
  boost::signals2::signal<void(tick const&)> signal;
  for (std::size_t at = 0; at != subscribers; ++at)
    signal.connect([&arrived](tick const& event) { arrived(event); });
  asio::co_spawn(from, emit_all(signal, ticks), rethrow);
  return run(from, to);
}

passing to_subscribers(publishing how, std::size_t subscribers, bool same_loop) {
  return [how, subscribers, same_loop](std::size_t items) {
    asio::io_context from{1};
    asio::io_context other{1};
    auto& to = same_loop ? from : other;
    auto const ticks = items / subscribers;
    receipt arrived{to, ticks * subscribers};
    auto const seconds = how(from, to, subscribers, ticks, arrived);
    expect_count(arrived.count(), ticks * subscribers);
    expect_count(arrived.sum(), ticks * (ticks - 1) / 2 * subscribers);
    return seconds;
  };
}

}  // namespace

void add_bus(std::vector<workload>& to) {
  constexpr std::size_t items = 200'000;
  for (std::size_t subscribers : {1, 8}) {
    auto const word = std::to_string(subscribers);
    auto const some = [&](char const* name, bool stock, publishing how) {
      return passing_variant(name, stock, items, to_subscribers(how, subscribers, true));
    };
    to.push_back(
        {"bus_one_loop_" + word,
         "events to " + word + " subscribers on the same loop: what does a delivery cost?",
         passing_metrics(),
         {some("tokengate", false, by_bus), some("tokengate_try_publish", false, by_bus_at_once),
          some("asio_post", true, by_post), some("boost_signals2", false, by_signal)}});
  }
  auto const far = [&](char const* name, bool stock, publishing how) {
    return passing_variant(name, stock, items, to_subscribers(how, 4, false));
  };
  to.push_back(
      {"bus_two_loops",
       "events to 4 subscribers on a loop of another thread",
       passing_metrics(),
       {far("tokengate", false, by_bus), far("tokengate_try_publish", false, by_bus_at_once),
        far("asio_post", true, by_post)}});
}

}  // namespace perf
