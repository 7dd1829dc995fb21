// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <exception>
#include <optional>
#include <tokengate/pipeline.hpp>

#include "communication.hpp"
#include "one_worker.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using boost::system::error_code;
using ours = tokengate::pipeline<std::size_t>;
using link = asio::experimental::concurrent_channel<void(error_code, std::size_t)>;

constexpr std::size_t capacity = 16;

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

// The two stages: next to nothing, and an item that missed one of them is known by its value.
std::size_t twice(std::size_t item) {
  return 2 * item;
}
std::size_t one_more(std::size_t item) {
  return item + 1;
}

/// What came out.
class results {
 public:
  void add(std::size_t item) {
    if (item == 2 * count_ + 1) ++in_order_;
    ++count_;
    sum_ += item;
  }
  void expect(std::size_t items) const {
    expect_count(count_, items);
    expect_count(in_order_, items);
    expect_count(sum_, items * items);
  }

 private:
  std::size_t count_ = 0;
  std::size_t in_order_ = 0;
  std::size_t sum_ = 0;
};

asio::awaitable<void> push_all(ours& to, std::size_t items) {
  for (std::size_t at = 0; at != items; ++at) co_await to.async_push(at);
  to.close();
}

asio::awaitable<void> pull_all(ours& from, results& got) {
  for (;;) {
    std::optional<std::size_t> const item = co_await from.async_pull();
    if (!item) co_return;
    got.add(*item);
  }
}

tokengate::stage_options stage(std::size_t parallel) {
  tokengate::stage_options made;
  made.weight = tokengate::weight::light;
  made.parallel = parallel;
  made.capacity = capacity;
  return made;
}

template <std::size_t Parallel>
double by_pipeline(std::size_t items) {
  asio::io_context loop{1};
  gate_of_one_worker lanes(loop);
  ours through = tokengate::pipeline<std::size_t>(*lanes, capacity)
                     .stage(stage(Parallel), twice)
                     .stage(stage(Parallel), one_more);
  results got;
  asio::co_spawn(loop, push_all(through, items), rethrow);
  asio::co_spawn(loop, pull_all(through, got), rethrow);
  auto const seconds = seconds_to_run(loop);
  got.expect(items);
  return seconds;
}

asio::awaitable<void> send_all(link& to, std::size_t items) {
  for (std::size_t at = 0; at != items; ++at)
    co_await to.async_send(error_code{}, at, asio::deferred);
}

asio::awaitable<void> work(link& from, std::size_t (*function)(std::size_t), link& to,
                           std::size_t items) {
  for (std::size_t at = 0; at != items; ++at) {
    std::size_t const item = co_await from.async_receive(asio::deferred);
    std::size_t const next = function(item);
    co_await to.async_send(error_code{}, next, asio::deferred);
  }
}

asio::awaitable<void> receive_all(link& from, std::size_t items, results& got) {
  for (std::size_t at = 0; at != items; ++at) {
    std::size_t const item = co_await from.async_receive(asio::deferred);
    got.add(item);
  }
}

double by_channels(std::size_t items) {
  asio::io_context loop{1};
  std::array<link, 3> links{link(loop, capacity), link(loop, capacity), link(loop, capacity)};
  results got;
  pool_of_one_thread pool;
  asio::co_spawn(pool.executor(), work(links[0], twice, links[1], items), rethrow);
  asio::co_spawn(pool.executor(), work(links[1], one_more, links[2], items), rethrow);
  asio::co_spawn(loop, send_all(links[0], items), rethrow);
  asio::co_spawn(loop, receive_all(links[2], items, got), rethrow);
  auto const seconds = seconds_to_run(loop);
  got.expect(items);
  return seconds;
}

}  // namespace

void add_pipeline(std::vector<workload>& to) {
  constexpr std::size_t items = 50'000;
  to.push_back({"pipeline_two_stages",
                "items from a loop through two stages of next to nothing on a worker, and back",
                passing_metrics(),
                {passing_variant("tokengate", false, items, by_pipeline<1>),
                 passing_variant("tokengate_parallel_16", false, items, by_pipeline<16>),
                 passing_variant("asio_concurrent_channels", true, items, by_channels)}});
}

}  // namespace perf
