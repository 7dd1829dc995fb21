// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <string>
#include <string_view>

namespace offload_server {

struct http_reply {
  int status = 0;
  bool keep_alive = false;
  std::string head;
  std::string body;
};

/// A blocking HTTP client on one keep-alive connection to 127.0.0.1, for the threads that drive
/// the load. Plain sockets, so that the load costs the shared cores as little as possible.
///
/// Every failure is a std::runtime_error, after which the client connects anew at the next use.
class http_client {
 public:
  explicit http_client(unsigned short port) : port_(port) {}
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;
  ~http_client() { disconnect(); }

  http_reply get(std::string_view target) { return request("GET", target, {}); }
  http_reply post(std::string_view target, std::string_view body) {
    return request("POST", target, body);
  }
  http_reply request(std::string_view method, std::string_view target, std::string_view body);

  /// Sends these bytes as they are and reads one reply: for what a good client never sends.
  http_reply raw(std::string_view head, std::string_view body = {});

  /// Sends without reading: for a client that goes away.
  void send_only(std::string_view bytes);

  void connect();  ///< if it is not yet connected
  void disconnect();

 private:
  void send(std::string_view head, std::string_view body);
  http_reply receive();
  std::size_t receive_some();

  unsigned short port_;
  int socket_ = -1;
  std::string input_;  // received and not yet used
};

}  // namespace offload_server
