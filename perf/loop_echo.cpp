// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A client on a thread of its own sends a time stamp over a socket pair every half millisecond; the
// loop sends it back. The time counts from the stamp until the loop has answered: when the client
// wakes up to hear it is a matter of the scheduler, since a worker may have its core.
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>
#include <thread>

#include "contest.hpp"
#include "machine.hpp"
#include "statistics.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using socket = asio::local::stream_protocol::socket;

/// The loop's end of the line.
class echo {
 public:
  explicit echo(asio::io_context& loop) : socket_(loop) {}

  socket& line() { return socket_; }
  void start() {
    asio::async_read(socket_, asio::buffer(&stamp_, sizeof stamp_),
                     [this](boost::system::error_code failed, std::size_t) {
                       if (!failed) answer();
                     });
  }
  std::vector<double> const& times() const { return times_; }

 private:
  void answer() {
    // Eight bytes always fit: the client waits for each answer.
    asio::write(socket_, asio::buffer(&stamp_, sizeof stamp_));
    auto const sent = clock::time_point{clock::duration{stamp_}};
    times_.push_back(std::chrono::duration<double, std::micro>(clock::now() - sent).count());
    start();
  }

  socket socket_;
  clock::rep stamp_ = 0;
  std::vector<double> times_;
};

/// Sends for `length`, then hangs up. Counts the answers.
std::size_t talk(socket& line, std::chrono::nanoseconds length) {
  if (usable_cores().size() > 1) pin_this_thread(worker_core());
  std::size_t answers = 0;
  auto const end = clock::now() + length;
  for (auto at = clock::now(); at < end; at += 500us) {
    std::this_thread::sleep_until(at);
    auto const stamp = clock::now().time_since_epoch().count();
    clock::rep answer = 0;
    asio::write(line, asio::buffer(&stamp, sizeof stamp));
    asio::read(line, asio::buffer(&answer, sizeof answer));
    if (answer != stamp) throw std::runtime_error("the echo gave something else back");
    ++answers;
  }
  line.close();
  return answers;
}

template <class Run>
std::vector<double> echo_during(peer& who, std::chrono::nanoseconds length, Run run) {
  asio::io_context unused;
  echo server{who.loop()};
  socket client{unused};
  asio::local::connect_pair(server.line(), client);
  server.start();
  std::size_t answers = 0;
  std::exception_ptr failed;
  std::thread talker{[&] {
    try {
      answers = talk(client, length);
    } catch (...) {
      failed = std::current_exception();
      client.close();
    }
  }};
  run();
  talker.join();
  who.idle(1ms);  // the end of the line may still be on its way
  if (failed) std::rethrow_exception(failed);
  if (answers == 0 || answers != server.times().size())
    throw std::runtime_error("an echo was lost");
  return server.times();
}

sample loop_echo(peer& who, effort const& much) {
  auto const length = std::max<std::chrono::nanoseconds>(much.of(1s), 10ms);
  warm_up(who, 256, 10ms, much);
  auto const idle = echo_during(who, length, [&] { who.idle(length + 20ms); });
  load full{256, 0};
  full.until(length);
  auto const busy = echo_during(who, length, [&] { run_whole(who, full); });
  auto const tail = percentile(busy, 0.99);
  auto const idle_tail = percentile(idle, 0.99);
  auto const ns = full.elapsed().count() * 1e9 / static_cast<double>(full.completed());
  return {percentile(busy, 0.5), tail, percentile(idle, 0.5), idle_tail, tail / idle_tail, ns};
}

}  // namespace

void add_loop_echo(std::vector<workload>& to) {
  entrants who;
  who.only = {"asio_callback", "asio_lean_deferred", "asio_co_spawn", "asio_post_function"};
  to.push_back({"loop_echo",
                "a byte comes in on the loop, 256 empty tokens out all the time: how long until it "
                "is answered, and how long when nothing is out?",
                {{"p50", "us"},
                 {"p99", "us"},
                 {"idle_p50", "us"},
                 {"idle_p99", "us"},
                 {"times_idle", "ratio"},
                 {"ns_per_token", "ns", better::less}},
                contenders({}, loop_echo, who)});
}

}  // namespace perf
