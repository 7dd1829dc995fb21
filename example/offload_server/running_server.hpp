// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>

#include "server.hpp"

namespace offload_server {

/// A server in this process on a loop thread of its own and a free port, for the proof.
class running_server {
 public:
  running_server(mode which, const offload_settings& settings, const key_derivation& password,
                 server_options options);
  ~running_server() { stop(); }

  unsigned short port() const { return port_; }
  std::size_t cores() const { return work_->cores(); }

  void stop();  ///< gracefully, and waits for the loop's end

  /// Call after stop().
  token_books books() const { return work_->books(); }

 private:
  asio::io_context loop_{1};
  std::unique_ptr<offload> work_;
  server server_;
  unsigned short port_;
  std::thread thread_;
};

/// Runs the loop until it has nothing left to do. An exception that reaches it is reported and
/// does not end it: nothing kills the server.
void run_loop(asio::io_context& loop);

}  // namespace offload_server
