// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <memory>
#include <thread>
#include <tokengate/channel.hpp>

#include "communication.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using boost::system::error_code;
using concurrent = asio::experimental::concurrent_channel<void(error_code, std::size_t)>;
using one_thread = asio::experimental::channel<void(error_code, std::size_t)>;
using ours = tokengate::channel<std::size_t>;

constexpr std::size_t capacity = 64;

std::unique_ptr<ours> make(tokengate::channel_flavour flavour, asio::io_context& loop) {
  tokengate::channel_options<std::size_t> options;
  options.capacity = capacity;
  options.flavour = flavour;
  return std::make_unique<ours>(loop.get_executor(), options);
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

// The two forms of a channel, for one text of the workloads.
asio::awaitable<void> send(ours& to, std::size_t items) {
  for (std::size_t at = 0; at != items; ++at) co_await to.async_send(at);
}
asio::awaitable<void> receive(ours& from, std::size_t items, std::size_t& arrived) {
  for (std::size_t at = 0; at != items; ++at) {
    std::size_t const item = co_await from.async_receive();
    if (item == at) ++arrived;
  }
}
template <class Channel>
asio::awaitable<void> send(Channel& to, std::size_t items) {
  for (std::size_t at = 0; at != items; ++at)
    co_await to.async_send(error_code{}, at, asio::deferred);
}
template <class Channel>
asio::awaitable<void> receive(Channel& from, std::size_t items, std::size_t& arrived) {
  for (std::size_t at = 0; at != items; ++at) {
    std::size_t const item = co_await from.async_receive(asio::deferred);
    if (item == at) ++arrived;
  }
}

template <class Make>
passing one_loop(Make make_channel) {
  return [make_channel](std::size_t items) {
    asio::io_context loop{1};
    auto const line = make_channel(loop);
    std::size_t arrived = 0;
    asio::co_spawn(loop, send(*line, items), rethrow);
    asio::co_spawn(loop, receive(*line, items, arrived), rethrow);
    auto const seconds = seconds_to_run(loop);
    expect_count(arrived, items);
    return seconds;
  };
}

template <class Make>
passing two_loops(Make make_channel) {
  return [make_channel](std::size_t items) {
    asio::io_context from{1};
    asio::io_context to{1};
    auto const line = make_channel(from);
    std::size_t arrived = 0;
    asio::co_spawn(from, send(*line, items), rethrow);
    asio::co_spawn(to, receive(*line, items, arrived), rethrow);
    auto const seconds = seconds_to_run(to, from);
    expect_count(arrived, items);
    return seconds;
  };
}

template <class Make, class Send>
passing thread_to_loop(Make make_channel, Send send_one) {
  return [make_channel, send_one](std::size_t items) {
    asio::io_context loop{1};
    auto const line = make_channel(loop);
    std::size_t arrived = 0;
    asio::co_spawn(loop, receive(*line, items, arrived), rethrow);
    auto const seconds = seconds_to_run(loop, [&] {
      for (std::size_t at = 0; at != items; ++at) send_one(*line, at);
    });
    expect_count(arrived, items);
    return seconds;
  };
}

}  // namespace

void add_channel(std::vector<workload>& to) {
  constexpr std::size_t items = 200'000;
  auto const any = [](asio::io_context& loop) {
    return make(tokengate::channel_flavour::any_to_any, loop);
  };
  auto const single = [](asio::io_context& loop) {
    return make(tokengate::channel_flavour::one_to_one, loop);
  };
  auto const stock = [](asio::io_context& loop) {
    return std::make_unique<concurrent>(loop, capacity);
  };
  auto const stock_single = [](asio::io_context& loop) {
    return std::make_unique<one_thread>(loop, capacity);
  };
  to.push_back({"channel_one_loop",
                "a coroutine sends to another on the same loop, room for 64 items",
                passing_metrics(),
                {passing_variant("tokengate", false, items, one_loop(any)),
                 passing_variant("tokengate_one_to_one", false, items, one_loop(single)),
                 passing_variant("asio_channel", true, items, one_loop(stock_single)),
                 passing_variant("asio_concurrent_channel", true, items, one_loop(stock))}});
  to.push_back({"channel_two_loops",
                "the same between two loops on two threads",
                passing_metrics(),
                {passing_variant("tokengate", false, items, two_loops(any)),
                 passing_variant("tokengate_one_to_one", false, items, two_loops(single)),
                 passing_variant("asio_concurrent_channel", true, items, two_loops(stock))}});
  auto const blocking = [](ours& line, std::size_t item) { line.send(item); };
  // The stock one has no send that blocks a thread.
  auto const trying = [](concurrent& line, std::size_t item) {
    while (!line.try_send(error_code{}, item)) std::this_thread::yield();
  };
  to.push_back(
      {"channel_thread_to_loop",
       "a plain thread sends to a coroutine, and waits while it is full",
       passing_metrics(),
       {passing_variant("tokengate", false, items, thread_to_loop(any, blocking)),
        passing_variant("tokengate_one_to_one", false, items, thread_to_loop(single, blocking)),
        passing_variant("asio_concurrent_channel", true, items, thread_to_loop(stock, trying))}});
}

}  // namespace perf
