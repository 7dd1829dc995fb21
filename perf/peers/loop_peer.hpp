// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "peer.hpp"

namespace perf {

namespace asio = boost::asio;

/// What all peers on an io_context share: a single-threaded loop, run plainly.
class loop_peer : public peer {
 public:
  void run(load& what) final {
    auto guard = asio::make_work_guard(loop_);
    what.when_done([&guard] { guard.reset(); });
    asio::post(loop_, [this, &what] { start(what); });
    loop_.restart();
    loop_.run();
  }

  void idle(std::chrono::nanoseconds length) final {
    auto const guard = asio::make_work_guard(loop_);
    loop_.restart();
    loop_.run_for(length);
  }

 protected:
  /// Issues the first tokens; called on the running loop.
  virtual void start(load& what) = 0;

  asio::io_context loop_{1};
};

}  // namespace perf
