// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

namespace offload_server {
namespace {

using boost::system::error_code;

// A session that ends with an exception (out of memory, say) takes nothing else with it.
void report(const std::exception_ptr& failure) {
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& problem) {
    std::cerr << "offload_server: " << problem.what() << '\n';
  } catch (...) {
    std::cerr << "offload_server: a session ended for an unknown reason\n";
  }
}

}  // namespace

server::server(asio::io_context& loop, offload& work, const server_options& options)
    : loop_(loop), work_(work), options_(options), acceptor_(loop), timer_(loop) {
  const tcp::endpoint where(asio::ip::make_address(options.address), options.port);
  acceptor_.open(where.protocol());
  acceptor_.set_option(tcp::acceptor::reuse_address(true));
  error_code ec;
  acceptor_.bind(where, ec);
  if (!ec) acceptor_.listen(tcp::acceptor::max_listen_connections, ec);
  if (ec)
    throw std::runtime_error("cannot listen on " + options.address + " port " +
                             std::to_string(options.port) + ": " + ec.message());
  port_ = acceptor_.local_endpoint().port();
}

void server::start() {
  asio::co_spawn(loop_, accept_loop(), report);
}

void server::stop(std::function<void()> stopped) {
  if (stopping_) return;
  stopped_ = std::move(stopped);
  stopping_ = true;
  asio::co_spawn(loop_, shut_down(), report);
}

asio::awaitable<void> server::accept_loop() {
  while (!stopping_) {
    error_code ec;
    tcp::socket socket =
        co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (stopping_) break;
    if (ec) {
      // Most often EMFILE: the pending connection stays pending, so an immediate retry would spin.
      co_await pause(std::chrono::milliseconds(100));
      continue;
    }
    asio::co_spawn(loop_, serve(std::move(socket), sessions_, work_, options_), report);
    // At the limit, newcomers wait in the kernel's queue.
    while (!stopping_ && sessions_.size() >= options_.max_sessions)
      co_await pause(std::chrono::milliseconds(20));
  }
}

asio::awaitable<void> server::shut_down() {
  const auto until = std::chrono::steady_clock::now() + options_.drain_deadline;
  error_code ignored;
  acceptor_.close(ignored);
  timer_.cancel();
  sessions_.stop_idle();
  co_await work_.drain(options_.drain_deadline);
  asio::steady_timer tick(loop_);
  while (sessions_.size() > 0 && std::chrono::steady_clock::now() < until) {
    tick.expires_after(std::chrono::milliseconds(5));
    co_await tick.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  sessions_.close_all();
  stopped_();
}

asio::awaitable<void> server::pause(std::chrono::milliseconds time) {
  error_code ignored;
  timer_.expires_after(time);
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace offload_server
