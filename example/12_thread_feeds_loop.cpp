// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A plain thread feeds a loop through a channel. The thread reads a sensor and blocks while the
// channel is full; the coroutine takes what has come in batches, and answers through a promise.
#include <boost/asio.hpp>
#include <chrono>
#include <cmath>
#include <iostream>
#include <thread>
#include <tokengate/channel.hpp>
#include <tokengate/promise.hpp>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

struct sample {
  int number;
  double value;
};

struct summary {
  int count = 0;
  int batches = 0;
  double sum = 0;
};

constexpr int samples = 10'000;

/// Closing the channel by letting go of its sender is how the thread says that there is no more.
void read_sensor(tokengate::sender<sample> out) {
  for (int i = 0; i != samples; ++i) out.send({i, std::sin(i * 0.001)});
}

asio::awaitable<void> collect(tokengate::receiver<sample> in, tokengate::promise<summary> answer) {
  summary all;
  std::vector<sample> batch;
  try {
    for (;;) {
      batch.clear();
      co_await in.async_receive_some(batch);
      ++all.batches;
      for (sample const& each : batch) {
        if (each.number != all.count++) throw std::runtime_error("out of order");
        all.sum += each.value;
      }
    }
  } catch (boost::system::system_error const& end) {
    if (end.code() != tokengate::error::closed) throw;
  }
  answer.set_value(all);
}

}  // namespace

int main() {
  asio::io_context loop{1};

  // One sender and one receiver: no lock while nobody waits.
  tokengate::channel<sample> feed(
      loop.get_executor(), {.capacity = 256, .flavour = tokengate::channel_flavour::one_to_one});
  auto [out, in] = std::move(feed).split();

  tokengate::promise<summary> promised(loop.get_executor());
  auto answer = promised.get_flow_var();
  asio::co_spawn(loop, collect(std::move(in), std::move(promised)), asio::detached);
  std::jthread running([&loop] { loop.run(); });
  std::jthread sensor(read_sensor, std::move(out));

  summary const got = answer.get(60s);
  std::cout << got.count << " samples in " << got.batches << " batches, mean "
            << got.sum / got.count << '\n';
  return got.count == samples && got.batches <= samples ? 0 : 1;
}
