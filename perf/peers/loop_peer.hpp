// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "peer.hpp"

namespace perf {

namespace asio = boost::asio;

/// What all peers on an io_context share: a single-threaded loop, run plainly.
class loop_peer : public peer {
 public:
  void run(load& what) final {
    auto guard = asio::make_work_guard(loop_);
    what.when_done([&guard] { guard.reset(); });
    asio::steady_timer timer{loop_};
    if (what.due().empty())
      asio::post(loop_, [this, &what] {
        for (auto& place : what.slots()) start(what, place);
      });
    else
      arrive(what, timer, clock::now(), 0);
    loop_.restart();
    loop_.run();
  }

  void idle(std::chrono::nanoseconds length) final {
    // Not run_for(): it wakes up every second.
    asio::steady_timer end{loop_, length};
    end.async_wait([this](boost::system::error_code) { loop_.stop(); });
    loop_.restart();
    loop_.run();
  }

  asio::io_context& loop() final { return loop_; }

 protected:
  /// Takes the slot as far as the load wants; called on the running loop.
  virtual void start(load& what, slot& place) = 0;

  asio::io_context loop_{1};

 private:
  /// Starts what is due and sleeps until the next is. A loop that comes late is late, but the time
  /// of a token counts from when it was due.
  void arrive(load& what, asio::steady_timer& timer, clock::time_point begin, std::size_t at) {
    auto const& due = what.due();
    for (; at != due.size() && begin + due[at] <= clock::now(); ++at) {
      what.slots()[at].issued = begin + due[at];
      start(what, what.slots()[at]);
    }
    if (at == due.size()) return;
    timer.expires_at(begin + due[at]);
    timer.async_wait([this, &what, &timer, begin, at](boost::system::error_code) {
      arrive(what, timer, begin, at);
    });
  }
};

}  // namespace perf
