// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// An actor beside a strand: what a careful user of Asio puts around a state that only one may
// touch.
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/strand.hpp>
#include <exception>
#include <tokengate/actor.hpp>

#include "communication.hpp"
#include "one_worker.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

constexpr std::size_t room = 1024;

/// The state. The numbers 0, 1, 2 ... are what is added; others, or the same in another order, are
/// not counted.
class counter {
 public:
  std::size_t add(std::size_t number) {
    if (number == count_) ++count_;
    return count_;
  }
  std::size_t count() const { return count_; }

 private:
  std::size_t count_ = 0;
};

using counting_actor = tokengate::actor<counter>;
using loop_strand = asio::strand<asio::io_context::executor_type>;
using pool_strand = asio::strand<asio::thread_pool::executor_type>;

tokengate::actor_options options() {
  tokengate::actor_options made;
  made.mailbox = room;
  return made;
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

asio::awaitable<void> tell_all(counting_actor& to, std::size_t items, std::size_t& counted) {
  for (std::size_t at = 0; at != items; ++at) {
    bool const told = to.tell(&counter::add, at);
    if (!told) co_await to.async_tell(&counter::add, at);
  }
  counted = co_await to.ask(&counter::count);
}

double tell_lane(std::size_t items) {
  asio::io_context loop{1};
  gate_of_one_worker lanes(loop);
  counting_actor told(*lanes, options());
  std::size_t counted = 0;
  asio::co_spawn(loop, tell_all(told, items, counted), rethrow);
  auto const seconds = seconds_to_run(loop);
  expect_count(counted, items);
  return seconds;
}

// Every 64th time the sender lets others of its loop run, as one would; what lies before the strand
// is as much as the sender is ahead.
asio::awaitable<void> post_all(pool_strand& to, asio::io_context& home, std::size_t items,
                               counter& state) {
  for (std::size_t at = 0; at != items; ++at) {
    asio::post(to, [&state, at] { state.add(at); });
    if (at % 64 == 63) co_await asio::post(home, asio::deferred);
  }
  co_await asio::post(asio::bind_executor(to, asio::deferred));
}

// The same with as much room as the mailbox: beyond it the sender looks again at its next turn.
asio::awaitable<void> post_within_room(pool_strand& to, asio::io_context& home, std::size_t items,
                                       counter& state) {
  std::atomic<std::size_t> handled{0};
  for (std::size_t at = 0; at != items; ++at) {
    while (at - handled.load(std::memory_order_acquire) >= room)
      co_await asio::post(home, asio::deferred);
    asio::post(to, [&state, &handled, at] {
      state.add(at);
      handled.fetch_add(1, std::memory_order_release);
    });
  }
  co_await asio::post(asio::bind_executor(to, asio::deferred));
}

using posting = asio::awaitable<void> (*)(pool_strand&, asio::io_context&, std::size_t, counter&);

template <posting Post>
double post_to_pool(std::size_t items) {
  asio::io_context loop{1};
  pool_of_one_thread pool;
  pool_strand inside(pool.executor());
  counter state;
  asio::co_spawn(loop, Post(inside, loop, items, state), rethrow);
  auto const seconds = seconds_to_run(loop);
  expect_count(state.count(), items);
  return seconds;
}

// One question at a time; `answered` counts the answers that were right.
asio::awaitable<void> ask_all(counting_actor& to, std::size_t items, std::size_t& answered) {
  for (std::size_t at = 0; at != items; ++at) {
    std::size_t const answer = co_await to.ask(&counter::add, at);
    if (answer == at + 1) ++answered;
  }
}

template <class Strand>
asio::awaitable<void> hop_all(Strand& inside, asio::io_context& home, std::size_t items,
                              std::size_t& answered) {
  counter state;
  for (std::size_t at = 0; at != items; ++at) {
    co_await asio::post(asio::bind_executor(inside, asio::deferred));
    std::size_t const answer = state.add(at);
    co_await asio::post(asio::bind_executor(home.get_executor(), asio::deferred));
    if (answer == at + 1) ++answered;
  }
}

double ask_loop(std::size_t items) {
  asio::io_context loop{1};
  counting_actor asked(loop.get_executor(), options());
  std::size_t answered = 0;
  asio::co_spawn(loop, ask_all(asked, items, answered), rethrow);
  auto const seconds = seconds_to_run(loop);
  expect_count(answered, items);
  return seconds;
}

double ask_lane(std::size_t items) {
  asio::io_context loop{1};
  gate_of_one_worker lanes(loop);
  counting_actor asked(*lanes, options());
  std::size_t answered = 0;
  asio::co_spawn(loop, ask_all(asked, items, answered), rethrow);
  auto const seconds = seconds_to_run(loop);
  expect_count(answered, items);
  return seconds;
}

double hop_on_loop(std::size_t items) {
  asio::io_context loop{1};
  loop_strand inside(loop.get_executor());
  std::size_t answered = 0;
  asio::co_spawn(loop, hop_all(inside, loop, items, answered), rethrow);
  auto const seconds = seconds_to_run(loop);
  expect_count(answered, items);
  return seconds;
}

double hop_to_pool(std::size_t items) {
  asio::io_context loop{1};
  pool_of_one_thread pool;
  pool_strand inside(pool.executor());
  std::size_t answered = 0;
  asio::co_spawn(loop, hop_all(inside, loop, items, answered), rethrow);
  auto const seconds = seconds_to_run(loop);
  expect_count(answered, items);
  return seconds;
}

}  // namespace

void add_actor(std::vector<workload>& to) {
  constexpr std::size_t items = 200'000;
  constexpr std::size_t round_trips = 50'000;
  to.push_back(
      {"actor_tell_lane",
       "a loop tells an actor on a worker one message after another, room for 1,024",
       passing_metrics(),
       {passing_variant("tokengate", false, items, tell_lane),
        passing_variant("asio_strand", true, items, post_to_pool<post_all>),
        passing_variant("asio_strand_bounded", false, items, post_to_pool<post_within_room>)}});
  to.push_back({"actor_ask_loop",
                "a coroutine asks an actor on its own loop, and waits for each answer",
                passing_metrics(),
                {passing_variant("tokengate", false, items, ask_loop),
                 passing_variant("asio_strand", true, items, hop_on_loop)}});
  to.push_back({"actor_ask_lane",
                "a coroutine asks an actor on a worker, and waits for each answer",
                passing_metrics(),
                {passing_variant("tokengate", false, round_trips, ask_lane),
                 passing_variant("asio_strand", true, round_trips, hop_to_pool)}});
}

}  // namespace perf
