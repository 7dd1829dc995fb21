// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/signals2/signal.hpp>
#include <exception>
#include <memory>
#include <tokengate/event_bus.hpp>
#include <vector>

#include "communication.hpp"
#include "one_worker.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

struct tick {
  std::size_t number = 0;
};

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

/// Keeps a loop at work until every subscriber has been delivered every tick.
class receipt {
 public:
  /// What one subscriber got. On whatever threads its calls are, they are one at a time: plain
  /// numbers will do.
  class tally {
   public:
    explicit tally(receipt& all) : all_(&all) {}
    void operator()(tick const& event) {
      sum_ += event.number;
      if (event.number == count_) ++in_order_;
      if (++count_ == all_->ticks_) all_->one_has_all();
    }
    void expect(std::size_t ticks) const {
      expect_count(count_, ticks);
      expect_count(in_order_, ticks);
      expect_count(sum_, ticks * (ticks - 1) / 2);
    }

   private:
    receipt* all_;
    std::size_t count_ = 0;
    std::size_t in_order_ = 0;
    std::size_t sum_ = 0;
  };

  receipt(asio::io_context& loop, std::size_t subscribers, std::size_t ticks)
      : guard_(asio::make_work_guard(loop)),
        ticks_(ticks),
        left_(subscribers),
        each_(subscribers, tally(*this)) {}
  receipt(receipt const&) = delete;
  receipt& operator=(receipt const&) = delete;

  tally& of(std::size_t subscriber) { return each_[subscriber]; }
  void expect_all() const {
    for (auto const& one : each_) one.expect(ticks_);
  }

 private:
  // The last one has seen what the others counted, and the loop ends after it.
  void one_has_all() {
    if (left_.fetch_sub(1) == 1) guard_.reset();
  }

  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::size_t ticks_;
  std::atomic<std::size_t> left_;
  std::vector<tally> each_;
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

/// To a loop, or to a lane of a gate.
template <class Where>
std::vector<tokengate::subscription> subscribe(tokengate::event_bus& bus, Where& to,
                                               std::size_t subscribers, receipt& arrived) {
  tokengate::subscription_options options;
  options.weight = tokengate::weight::light;
  std::vector<tokengate::subscription> all;
  for (std::size_t at = 0; at != subscribers; ++at)
    all.push_back(bus.subscribe<tick>(
        "perf.tick", to, options, [&mine = arrived.of(at)](tick const& event) { mine(event); }));
  return all;
}

double by_bus(asio::io_context& from, asio::io_context& to, std::size_t subscribers,
              std::size_t ticks, receipt& arrived) {
  tokengate::event_bus bus(from);
  auto const all = subscribe(bus, to, subscribers, arrived);
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
template <class Executor>
asio::awaitable<void> post_all(asio::io_context& from, std::vector<Executor>& to, std::size_t ticks,
                               receipt& arrived) {
  for (std::size_t number = 0; number != ticks; ++number) {
    auto const event = std::make_shared<tick const>(tick{number});
    for (std::size_t at = 0; at != to.size(); ++at)
      asio::post(to[at], [event, &mine = arrived.of(at)] { mine(*event); });
    if (number % 64 == 63) co_await asio::post(from, asio::deferred);
  }
}

double by_post(asio::io_context& from, asio::io_context& to, std::size_t subscribers,
               std::size_t ticks, receipt& arrived) {
  std::vector<asio::io_context::executor_type> places(subscribers, to.get_executor());
  asio::co_spawn(from, post_all(from, places, ticks, arrived), rethrow);
  return run(from, to);
}

asio::awaitable<void> emit_all(asio::io_context& from,
                               boost::signals2::signal<void(tick const&)>& signal,
                               std::size_t ticks) {
  for (std::size_t at = 0; at != ticks; ++at) {
    signal(tick{at});
    if (at % 64 == 63) co_await asio::post(from, asio::deferred);
  }
}

// Calls its slots where it is emitted: no queue, no other loop.
double by_signal(asio::io_context& from, asio::io_context& to, std::size_t subscribers,
                 std::size_t ticks, receipt& arrived) {
  boost::signals2::signal<void(tick const&)> signal;
  for (std::size_t at = 0; at != subscribers; ++at)
    signal.connect([&mine = arrived.of(at)](tick const& event) { mine(event); });
  asio::co_spawn(from, emit_all(from, signal, ticks), rethrow);
  return run(from, to);
}

// To one worker.
double lane_by_bus(asio::io_context& from, asio::io_context&, std::size_t subscribers,
                   std::size_t ticks, receipt& arrived) {
  gate_of_one_worker lanes(from);
  tokengate::event_bus bus(from);
  auto const all = subscribe(bus, *lanes, subscribers, arrived);
  asio::co_spawn(from, publish(bus.topic<tick>("perf.tick"), ticks), rethrow);
  return seconds_to_run(from);
}

double lane_by_bus_at_once(asio::io_context& from, asio::io_context&, std::size_t subscribers,
                           std::size_t ticks, receipt& arrived) {
  gate_of_one_worker lanes(from);
  tokengate::event_bus bus(from);
  auto const all = subscribe(bus, *lanes, subscribers, arrived);
  asio::co_spawn(from, publish_at_once(bus.topic<tick>("perf.tick"), from, ticks), rethrow);
  return seconds_to_run(from);
}

// A strand per subscriber: its calls are one at a time, whatever the number of threads.
double lane_by_post(asio::io_context& from, asio::io_context&, std::size_t subscribers,
                    std::size_t ticks, receipt& arrived) {
  pool_of_one_thread pool;
  std::vector<asio::strand<asio::thread_pool::executor_type>> places;
  for (std::size_t at = 0; at != subscribers; ++at) places.emplace_back(pool.executor());
  asio::co_spawn(from, post_all(from, places, ticks, arrived), rethrow);
  return seconds_to_run(from);
}

// Emitted on the loop; each slot hands the event on as above.
double lane_by_signal(asio::io_context& from, asio::io_context&, std::size_t subscribers,
                      std::size_t ticks, receipt& arrived) {
  pool_of_one_thread pool;
  boost::signals2::signal<void(tick const&)> signal;
  for (std::size_t at = 0; at != subscribers; ++at)
    signal.connect([place = asio::make_strand(pool.executor()), &mine = arrived.of(at)](
                       tick const& event) { asio::post(place, [event, &mine] { mine(event); }); });
  asio::co_spawn(from, emit_all(from, signal, ticks), rethrow);
  return seconds_to_run(from);
}

passing to_subscribers(publishing how, std::size_t subscribers, bool same_loop) {
  return [how, subscribers, same_loop](std::size_t items) {
    asio::io_context from{1};
    asio::io_context other{1};
    auto& to = same_loop ? from : other;
    auto const ticks = items / subscribers;
    receipt arrived{to, subscribers, ticks};
    auto const seconds = how(from, to, subscribers, ticks, arrived);
    arrived.expect_all();
    return seconds;
  };
}

}  // namespace

void add_bus(std::vector<workload>& to) {
  constexpr std::size_t items = 200'000;
  std::size_t subscribers = 0;
  bool same_loop = true;
  auto const by = [&](char const* name, bool stock, publishing how) {
    return passing_variant(name, stock, items, to_subscribers(how, subscribers, same_loop));
  };
  for (std::size_t some : {1, 8, 64}) {
    auto const word = std::to_string(subscribers = some);
    to.push_back(
        {"bus_one_loop_" + word,
         "events to " + word + " subscribers on the same loop: what does a delivery cost?",
         passing_metrics(),
         {by("tokengate", false, by_bus), by("tokengate_try_publish", false, by_bus_at_once),
          by("asio_post", true, by_post), by("boost_signals2", false, by_signal)}});
  }
  subscribers = 4;
  same_loop = false;
  to.push_back({"bus_two_loops",
                "events to 4 subscribers on a loop of another thread",
                passing_metrics(),
                {by("tokengate", false, by_bus), by("tokengate_try_publish", false, by_bus_at_once),
                 by("asio_post", true, by_post)}});
  same_loop = true;
  for (std::size_t some : {1, 8, 64}) {
    auto const word = std::to_string(subscribers = some);
    to.push_back(
        {"bus_lane_" + word,
         "events from a loop to " + word + " subscribers on a worker",
         passing_metrics(),
         {by("tokengate", false, lane_by_bus),
          by("tokengate_try_publish", false, lane_by_bus_at_once),
          by("asio_post", true, lane_by_post), by("boost_signals2_post", false, lane_by_signal)}});
  }
}

}  // namespace perf
