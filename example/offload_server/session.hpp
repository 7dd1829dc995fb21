// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>

#include "offload.hpp"

namespace offload_server {

using asio::ip::tcp;

struct server_options {
  std::string address = "127.0.0.1";
  unsigned short port = 8080;
  std::size_t body_limit = 1024 * 1024;
  std::uint32_t header_limit = 8 * 1024;
  std::size_t max_sessions = 512;                   ///< with the body limit, this bounds the memory
  std::chrono::milliseconds idle_timeout{30'000};   ///< between two requests
  std::chrono::milliseconds header_timeout{5'000};  ///< from a request's first byte to its body
  std::chrono::milliseconds transfer_timeout{15'000};  ///< for a body, and for an answer
  std::chrono::milliseconds drain_deadline{5'000};     ///< how long a graceful stop may take
};

/// The open connections of one server. Belongs to the loop.
class session_list {
 public:
  struct entry {
    explicit entry(tcp::socket& its_socket) : socket(its_socket) {}
    tcp::socket& socket;
    bool busy = false;  ///< between the first byte of a request and the end of its answer
  };

  void add(entry& session) { sessions_.insert(&session); }
  void remove(entry& session) { sessions_.erase(&session); }
  std::size_t size() const { return sessions_.size(); }

  /// True once the server stops: an answer in the making is then the last of its connection.
  bool stopping() const { return stopping_; }

  void stop_idle();  ///< begins to stop, and closes whoever waits for a next request
  void close_all();  ///< closes the rest, in whatever state

 private:
  std::unordered_set<entry*> sessions_;
  bool stopping_ = false;
};

/// Speaks HTTP with one client until either side closes. The list, the offload and the options
/// must outlive it.
asio::awaitable<void> serve(tcp::socket socket, session_list& sessions, offload& work,
                            const server_options& options);

}  // namespace offload_server
