// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A client on a thread of its own sends a time stamp over a socket pair every half millisecond; the
// loop sends it back. The time counts from the stamp until the loop has answered: when the client
// wakes up to hear it is a matter of the scheduler, since a worker may have its core.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>
#include <thread>
#include <utility>

#include "contest.hpp"
#include "machine.hpp"
#include "statistics.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using socket = asio::local::stream_protocol::socket;

constexpr std::size_t outstanding = 256;

/// The loop's end of the line.
class echo {
 public:
  explicit echo(asio::io_context& loop) : socket_(loop) {}

  socket& line() { return socket_; }
  void start() {
    asio::async_read(socket_, asio::buffer(&stamp_, sizeof stamp_),
                     [this](boost::system::error_code failed, std::size_t) {
                       hung_up_ = failed.failed();
                       if (!hung_up_) answer();
                     });
  }
  bool hung_up() const { return hung_up_; }
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
  bool hung_up_ = false;
  std::vector<double> times_;
};

/// Sends for `length`, then hangs up. Counts the answers.
std::size_t talk(socket& line, std::chrono::nanoseconds length) {
  if (usable_cores().size() > 1) pin_this_thread(worker_core());
  std::size_t answers = 0;
  auto const end = clock::now() + length;
  for (auto at = clock::now(); at < end; at += 500us) {
    std::this_thread::sleep_until(at);
    if (clock::now() >= end) break;
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

/// Runs the loop until nothing waits on it: the echo does until the client has hung up.
void run_out(asio::io_context& loop) {
  loop.restart();
  loop.run();
}

/// The times of the echo while `run` runs the loop, which it does for as long as the client talks.
template <class Run>
std::vector<double> echo_during(asio::io_context& loop, std::chrono::nanoseconds length, Run run) {
  asio::io_context unused;
  echo server{loop};
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
  try {
    run(server);
  } catch (...) {
    server.line().close();
    talker.join();
    throw;
  }
  talker.join();
  if (failed) std::rethrow_exception(failed);
  if (answers == 0 || answers != server.times().size())
    throw std::runtime_error("an echo was lost");
  return server.times();
}

/// A handler with nothing to do that is always in the queue while a condition holds.
template <class Condition>
void stay_queued(asio::io_context& loop, Condition holds) {
  asio::post(loop, [&loop, holds]() mutable {
    if (holds()) stay_queued(loop, std::move(holds));
  });
}

/// How many tokens came back, at most, between two turns of something else on the loop.
std::size_t most_between_turns(peer& who, task const& work, std::chrono::nanoseconds length) {
  load full{outstanding, 0};
  full.mix({work}).until(length);
  std::size_t seen = 0;
  std::size_t most = 0;
  stay_queued(who.loop(), [&] {
    most = std::max(most, full.completed() - seen);
    seen = full.completed();
    return full.issued() == 0 || full.issued() != seen;
  });
  run_whole(who, full);
  return most;
}

sample loop_echo(std::chrono::nanoseconds each, peer& who, effort const& much) {
  auto const length = std::max<std::chrono::nanoseconds>(much.of(1s), 10ms);
  task const work{rounds_for(each), 0};
  warm_up(who, outstanding, 10ms, much);
  auto& loop = who.loop();
  auto const idle = echo_during(loop, length, [&](echo&) { run_out(loop); });
  auto const awake = echo_during(loop, length, [&](echo& server) {
    stay_queued(loop, [&] { return !server.hung_up(); });
    run_out(loop);
  });
  load full{outstanding, 0};
  // The client starts a moment later, and has to be gone when the last token is issued.
  full.mix({work}).until(length + 20ms);
  auto const busy = echo_during(loop, length, [&](echo&) { run_whole(who, full); });
  auto const most = most_between_turns(who, work, length / 5);
  auto const tail = percentile(busy, 0.99);
  auto const idle_tail = percentile(idle, 0.99);
  auto const awake_tail = percentile(awake, 0.99);
  auto const seconds = full.elapsed().count();
  return {percentile(busy, 0.5),
          tail,
          percentile(idle, 0.5),
          idle_tail,
          tail / idle_tail,
          awake_tail,
          tail / awake_tail,
          static_cast<double>(most),
          seconds * 1e9 / static_cast<double>(full.completed()),
          cost_of(full.rounds()).count() / seconds};
}

/// With functions that take no time it is not asked how much of its core the worker gives them.
trial beside(std::chrono::nanoseconds each) {
  return [each](peer& who, effort const& much) {
    auto all = loop_echo(each, who, much);
    if (each.count() == 0) all.pop_back();
    return all;
  };
}

}  // namespace

void add_loop_echo(std::vector<workload>& to) {
  std::vector<metric> metrics{{"p50", "us"},
                              {"p99", "us"},
                              {"idle_p50", "us"},
                              {"idle_p99", "us"},
                              {"times_idle", "ratio"},
                              {"awake_p99", "us"},
                              {"times_awake", "ratio"},
                              {"most_per_turn", "count", better::neither},
                              {"ns_per_token", "ns"}};
  entrants who;
  who.only = {"asio_callback", "asio_lean_deferred", "asio_co_spawn", "asio_post_function"};
  to.push_back({"loop_echo",
                "a byte comes in on the loop, 256 empty tokens out all the time: how long until it "
                "is answered, and how long when nothing is out, the loop asleep or awake?",
                metrics, contenders({}, beside(0ns), who)});
  metrics.push_back({"efficiency", "ratio", better::more});
  to.push_back({"loop_echo_saturated",
                "the same, 256 functions of 10us out: the worker has no pause, the loop has",
                metrics, contenders({}, beside(10us), who)});
}

}  // namespace perf
