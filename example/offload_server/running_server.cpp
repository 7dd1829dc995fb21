// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "running_server.hpp"

#include <boost/asio/post.hpp>
#include <exception>
#include <iostream>
#include <utility>

namespace offload_server {
namespace {

server_options on_a_free_port(server_options options) {
  options.address = "127.0.0.1";
  options.port = 0;
  return options;
}

}  // namespace

running_server::running_server(mode which, const offload_settings& settings,
                               const key_derivation& password, server_options options)
    : work_(make_offload(which, loop_, settings, password)),
      server_(loop_, *work_, on_a_free_port(std::move(options))),
      port_(server_.port()) {
  server_.start();
  thread_ = std::thread([this] { run_loop(loop_); });
}

void running_server::stop() {
  if (!thread_.joinable()) return;
  asio::post(loop_, [this] { server_.stop(); });
  thread_.join();
}

void run_loop(asio::io_context& loop) {
  for (;;) {
    try {
      loop.run();
      return;
    } catch (const std::exception& problem) {
      std::cerr << "offload_server: " << problem.what() << '\n';
    }
  }
}

}  // namespace offload_server
