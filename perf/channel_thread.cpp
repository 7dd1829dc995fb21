// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A plain thread at the receiving end of a loop's items, and one that asks a loop and waits.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <deque>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <tokengate/channel.hpp>

#include "communication.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using boost::system::error_code;
using tokengate::channel_flavour;
using concurrent = asio::experimental::concurrent_channel<void(error_code, std::size_t)>;
using ours = tokengate::channel<std::size_t>;

constexpr std::size_t capacity = 64;

ours make(channel_flavour flavour, asio::io_context& loop) {
  tokengate::channel_options<std::size_t> options;
  options.capacity = capacity;
  options.flavour = flavour;
  return {loop.get_executor(), options};
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

/// What one writes where there is no channel: a queue with a condition variable. The loop must not
/// wait for room, so it comes again.
class locked_queue {
 public:
  bool push(std::size_t item) {
    std::lock_guard hold(mutex_);
    if (items_.size() == capacity) return false;
    items_.push_back(item);
    some_.notify_one();
    return true;
  }
  std::size_t pop() {
    std::unique_lock hold(mutex_);
    some_.wait(hold, [this] { return !items_.empty(); });
    auto const item = items_.front();
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::condition_variable some_;
  std::deque<std::size_t> items_;
};

asio::awaitable<void> send(ours& to, std::size_t items) {
  for (std::size_t at = 0; at != items; ++at) co_await to.async_send(at);
}
asio::awaitable<void> send(concurrent& to, std::size_t items) {
  for (std::size_t at = 0; at != items; ++at)
    co_await to.async_send(error_code{}, at, asio::deferred);
}
asio::awaitable<void> send(locked_queue& to, std::size_t items) {
  auto const executor = co_await asio::this_coro::executor;
  for (std::size_t at = 0; at != items; ++at)
    while (!to.push(at)) co_await asio::post(executor, asio::deferred);
}

// The stock channel has no receive that blocks a thread.
std::size_t try_until(concurrent& from) {
  std::size_t got = 0;
  auto const keep = [&got](error_code, std::size_t item) { got = item; };
  while (!from.try_receive(keep)) std::this_thread::yield();
  return got;
}
std::size_t by_future(concurrent& from) {
  return from.async_receive(asio::use_future).get();
}

/// Items that a coroutine sends and a plain thread receives.
template <class Line, class Receive>
double stream(asio::io_context& loop, Line& line, std::size_t items, Receive receive) {
  std::size_t arrived = 0;
  auto work = asio::make_work_guard(loop);  // a future is filled there
  asio::co_spawn(loop, send(line, items), rethrow);
  auto const seconds = seconds_to_run(loop, [&] {
    for (std::size_t at = 0; at != items; ++at)
      if (receive(line) == at) ++arrived;
    work.reset();
  });
  expect_count(arrived, items);
  return seconds;
}

passing loop_to_thread(channel_flavour flavour) {
  return [flavour](std::size_t items) {
    asio::io_context loop{1};
    auto line = make(flavour, loop);
    return stream(loop, line, items, [](ours& from) { return from.receive(); });
  };
}
passing loop_to_thread(std::size_t (*receive)(concurrent&)) {
  return [receive](std::size_t items) {
    asio::io_context loop{1};
    concurrent line(loop, capacity);
    return stream(loop, line, items, receive);
  };
}
double loop_to_thread_by_queue(std::size_t items) {
  asio::io_context loop{1};
  locked_queue line;
  return stream(loop, line, items, [](locked_queue& from) { return from.pop(); });
}

// There and back: the answer is the question plus one, and the next question waits for it.

asio::awaitable<void> answer(ours& asked, ours& back, std::size_t items) {
  for (std::size_t at = 0; at != items; ++at) {
    std::size_t const question = co_await asked.async_receive();
    co_await back.async_send(question + 1);
  }
}
asio::awaitable<void> answer(concurrent& asked, concurrent& back, std::size_t items) {
  for (std::size_t at = 0; at != items; ++at) {
    std::size_t const question = co_await asked.async_receive(asio::deferred);
    co_await back.async_send(error_code{}, question + 1, asio::deferred);
  }
}

/// `ask` gives the answer to a question.
template <class Ask>
double questions(asio::io_context& loop, std::size_t items, Ask ask) {
  std::size_t right = 0;
  auto work = asio::make_work_guard(loop);
  auto const seconds = seconds_to_run(loop, [&] {
    for (std::size_t at = 0; at != items; ++at)
      if (ask(at) == at + 1) ++right;
    work.reset();
  });
  expect_count(right, items);
  return seconds;
}

passing there_and_back(channel_flavour flavour) {
  return [flavour](std::size_t items) {
    asio::io_context loop{1};
    auto asked = make(flavour, loop), back = make(flavour, loop);
    asio::co_spawn(loop, answer(asked, back, items), rethrow);
    return questions(loop, items, [&](std::size_t question) {
      asked.send(question);
      return back.receive();
    });
  };
}
passing there_and_back(std::size_t (*receive)(concurrent&)) {
  return [receive](std::size_t items) {
    asio::io_context loop{1};
    concurrent asked(loop, capacity), back(loop, capacity);
    asio::co_spawn(loop, answer(asked, back, items), rethrow);
    return questions(loop, items, [&](std::size_t question) {
      asked.try_send(error_code{}, question);  // one at a time: there is room
      return receive(back);
    });
  };
}
double there_and_back_by_future(std::size_t items) {
  asio::io_context loop{1};
  return questions(loop, items, [&](std::size_t question) {
    return asio::post(loop, asio::use_future([question] { return question + 1; })).get();
  });
}
double there_and_back_by_condition(std::size_t items) {
  asio::io_context loop{1};
  locked_queue back;
  return questions(loop, items, [&](std::size_t question) {
    asio::post(loop, [&back, question] { back.push(question + 1); });
    return back.pop();
  });
}

}  // namespace

void add_channel_thread(std::vector<workload>& to) {
  constexpr std::size_t items = 200'000;
  constexpr std::size_t asked = 20'000;
  constexpr auto any = channel_flavour::any_to_any, single = channel_flavour::one_to_one;
  to.push_back(
      {"channel_loop_to_thread",
       "a coroutine sends to a plain thread that blocks while there is nothing",
       passing_metrics(),
       {passing_variant("tokengate", false, items, loop_to_thread(any)),
        passing_variant("tokengate_one_to_one", false, items, loop_to_thread(single)),
        passing_variant("asio_concurrent_channel", true, items, loop_to_thread(try_until)),
        passing_variant("asio_channel_use_future", true, items, loop_to_thread(by_future)),
        passing_variant("asio_condition_variable", true, items, loop_to_thread_by_queue)}});
  to.push_back(
      {"channel_thread_to_loop_and_back",
       "a plain thread asks a coroutine, and blocks for the answer",
       passing_metrics(),
       {passing_variant("tokengate", false, asked, there_and_back(any)),
        passing_variant("tokengate_one_to_one", false, asked, there_and_back(single)),
        passing_variant("asio_concurrent_channel", true, asked, there_and_back(try_until)),
        passing_variant("asio_channel_use_future", true, asked, there_and_back(by_future)),
        passing_variant("asio_post_future", true, asked, there_and_back_by_future),
        passing_variant("asio_post_condition", true, asked, there_and_back_by_condition)}});
}

}  // namespace perf
