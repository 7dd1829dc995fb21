// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "manners.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "http_client.hpp"
#include "running_server.hpp"

namespace offload_server {
namespace {

constexpr std::size_t small_body_limit = 64 * 1024;

class checklist {
 public:
  void check(const char* what, int expected, const std::function<http_reply()>& request,
             const char* field = "") {
    http_reply reply;
    try {
      reply = request();
    } catch (const std::runtime_error& problem) {
      reply.head = problem.what();
    }
    const bool right = reply.status == expected && reply.head.find(field) != std::string::npos;
    note(right, what, std::to_string(reply.status));
    if (!right) std::printf("      expected %d %s, got: %s\n", expected, field, reply.head.c_str());
  }

  void note(bool right, const char* what, const std::string& got) {
    std::printf("  %-58s %-18s %s\n", what, got.c_str(), right ? "ok" : "WRONG");
    good_ = good_ && right;
  }

  bool good() const { return good_; }

 private:
  bool good_ = true;
};

// More passwords at once than the server has room for. Some must be computed, the rest refused
// with a time to come back, and none may be left without an answer.
void overload(checklist& list, unsigned short port) {
  constexpr std::size_t crowd = 32;
  std::vector<http_reply> replies(crowd);
  std::vector<std::thread> clients;
  for (http_reply& reply : replies)
    clients.emplace_back([&reply, port] {
      try {
        reply = http_client(port).post("/password", "all at once");
      } catch (const std::runtime_error&) {
        reply.status = 0;
      }
    });
  for (std::thread& each : clients) each.join();
  const auto with = [&](int status, const char* field) {
    return static_cast<std::size_t>(
        std::count_if(replies.begin(), replies.end(), [&](const http_reply& reply) {
          return reply.status == status && reply.head.find(field) != std::string::npos;
        }));
  };
  const std::size_t done = with(200, "");
  const std::size_t refused = with(503, "Retry-After: ");
  list.note(done > 0 && refused > 0 && done + refused == crowd,
            "32 passwords at once, room for a few: 200 or 503, Retry-After",
            std::to_string(done) + " x 200, " + std::to_string(refused) + " x 503");
}

void leave_early(unsigned short port) {
  for (int i = 0; i < 8; ++i)
    http_client(port).send_only(
        "POST /password HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\ngone");
  http_client(port).send_only("POST /gzip HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nhalf");
}

}  // namespace

bool check_manners(const key_derivation& password, offload_settings settings) {
  std::printf(
      "\nBad manners, on a tokengate server with little room (log lines are tokengate's)\n");
  settings.backlog = 4;
  server_options options;
  options.body_limit = small_body_limit;
  running_server server(mode::tokengate, settings, password, options);
  const unsigned short port = server.port();
  const auto fresh = [port] { return http_client(port); };
  const std::string big(small_body_limit + 1, 'x');
  const std::string long_header =
      "GET /ping HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(32 * 1024, 'y') + "\r\n\r\n";

  checklist list;
  list.check("a good request", 200, [&] { return fresh().post("/digest", "abc"); });
  list.check("an empty body", 200, [&] { return fresh().post("/gzip", ""); });
  list.check("not HTTP", 400, [&] { return fresh().raw("what is this?\r\n\r\n"); });
  list.check("an unknown path", 404, [&] { return fresh().get("/nothing"); });
  list.check(
      "the wrong method", 405, [&] { return fresh().get("/digest"); }, "Allow: POST");
  list.check("a body over the limit", 413, [&] { return fresh().post("/digest", big); });
  list.check("a header over the limit", 431, [&] { return fresh().raw(long_header); });
  list.check(
      "the statistics", 200, [&] { return fresh().get("/stats"); }, "application/json");
  overload(list, port);
  leave_early(port);
  list.check("/ping after clients left with their work under way", 200,
             [&] { return fresh().get("/ping"); });
  server.stop();
  const token_books books = server.books();
  list.note(books.issued == books.completed + books.other,
            "graceful stop: every token issued has ended",
            std::to_string(books.issued) + " tokens");
  return list.good();
}

}  // namespace offload_server
