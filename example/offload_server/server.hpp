// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>

#include "offload.hpp"
#include "session.hpp"

namespace offload_server {

/// Accepts connections and serves them on one loop; how the work is done is up to the offload.
///
/// All members run on the loop's thread. The offload must outlive the server, and the loop must
/// have run out of work before the server is destroyed.
class server {
 public:
  /// Binds and listens. Throws std::runtime_error if the address is not to be had.
  server(asio::io_context& loop, offload& work, const server_options& options);

  /// Begins to accept. The loop has work until the server has stopped.
  void start();

  /// Stops gracefully: no new connections, no next request, work in progress is answered within
  /// the drain deadline, then the rest is closed and stopped is called. Further calls have no
  /// effect.
  void stop(std::function<void()> stopped = [] {});

  unsigned short port() const { return port_; }

 private:
  asio::awaitable<void> accept_loop();
  asio::awaitable<void> shut_down();
  asio::awaitable<void> pause(std::chrono::milliseconds time);

  asio::io_context& loop_;
  offload& work_;
  server_options options_;
  session_list sessions_;
  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  unsigned short port_ = 0;
  std::function<void()> stopped_;
  bool stopping_ = false;
};

}  // namespace offload_server
