// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "http_client.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace offload_server {
namespace {

constexpr int patience_seconds = 30;  // a hang becomes an error, not a proof that never ends

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

// The value of a header field, by its name in lower case.
std::string_view field(std::string_view lower_head, std::string_view name) {
  const std::string key = "\r\n" + std::string(name) + ": ";
  const std::size_t start = lower_head.find(key);
  if (start == std::string_view::npos) return {};
  const std::string_view rest = lower_head.substr(start + key.size());
  return rest.substr(0, rest.find("\r\n"));
}

}  // namespace

http_reply http_client::request(std::string_view method, std::string_view target,
                                std::string_view body) {
  std::string head(method);
  head.append(" ").append(target).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  if (method == "POST") head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  head += "\r\n";
  return raw(head, body);
}

http_reply http_client::raw(std::string_view head, std::string_view body) {
  try {
    send(head, body);
    http_reply reply = receive();
    if (!reply.keep_alive) disconnect();
    return reply;
  } catch (...) {
    disconnect();
    throw;
  }
}

void http_client::send_only(std::string_view bytes) {
  send(bytes, {});
}

void http_client::connect() {
  if (socket_ >= 0) return;
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) fail("socket");
  const int on = 1;
  const timeval patience{patience_seconds, 0};
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port_);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) {
    disconnect();
    fail("connect");
  }
}

void http_client::disconnect() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  input_.clear();
}

void http_client::send(std::string_view head, std::string_view body) {
  connect();
  std::array<iovec, 2> parts{{{const_cast<char*>(head.data()), head.size()},
                              {const_cast<char*>(body.data()), body.size()}}};
  std::size_t left = head.size() + body.size();
  while (left > 0) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    // The server may have answered (413, say) and closed before it read everything.
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return;
    if (sent < 0) fail("send");
    left -= static_cast<std::size_t>(sent);
    auto done = static_cast<std::size_t>(sent);
    for (iovec& part : parts) {
      const std::size_t step = std::min(done, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + step;
      part.iov_len -= step;
      done -= step;
    }
  }
}

std::size_t http_client::receive_some() {
  constexpr std::size_t chunk = 64 * 1024;
  const std::size_t before = input_.size();
  input_.resize(before + chunk);
  ssize_t size = 0;
  do {
    size = ::recv(socket_, input_.data() + before, chunk, 0);
  } while (size < 0 && errno == EINTR);
  input_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (size < 0) fail("receive");
  return static_cast<std::size_t>(size);
}

http_reply http_client::receive() {
  http_reply reply;
  std::size_t end = 0;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos)
    if (receive_some() == 0) throw std::runtime_error("the server closed the connection");
  reply.head = input_.substr(0, end + 2);
  input_.erase(0, end + 4);

  std::string lower = reply.head;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (lower.rfind("http/1.1 ", 0) != 0) throw std::runtime_error("the answer is not HTTP/1.1");
  reply.status = std::stoi(lower.substr(9, 3));
  reply.keep_alive = field(lower, "connection") != "close";
  const std::string length(field(lower, "content-length"));
  const std::size_t size = length.empty() ? 0 : std::stoul(length);
  while (input_.size() < size)
    if (receive_some() == 0) throw std::runtime_error("the answer broke off");
  reply.body = input_.substr(0, size);
  input_.erase(0, size);
  return reply;
}

}  // namespace offload_server
