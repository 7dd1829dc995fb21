// Distributed under the Boost Software License, Version 1.0. See LICENSE.

// The only file that includes Beast: a translation unit with Beast and coroutines is slow to build.

#include "session.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <utility>

namespace offload_server {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using response = http::response<http::string_body>;
using request = http::request<http::string_body>;

auto into(error_code& ec) {
  return asio::redirect_error(asio::use_awaitable, ec);
}

response make_response(http::status status, std::string body, const char* type = "text/plain") {
  response reply{status, 11};
  reply.set(http::field::server, "offload_server");
  reply.set(http::field::content_type, type);
  reply.body() = std::move(body);
  return reply;
}

// The answer to a request that could not be read; nothing when there is nobody to answer.
std::optional<response> complaint(const error_code& ec) {
  if (ec == http::error::body_limit)
    return make_response(http::status::payload_too_large, "the body is too large\n");
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
    return make_response(http::status::request_header_fields_too_large, "too long a header\n");
  const bool end = ec == http::error::end_of_stream || ec == http::error::partial_message;
  if (!end && ec.category() == http::make_error_code(http::error::bad_method).category())
    return make_response(http::status::bad_request, "this is not HTTP\n");
  return std::nullopt;
}

std::optional<route> find_route(std::string_view target) {
  for (route each : all_routes)
    if (target.size() > 1 && target.substr(1) == name_of(each)) return each;
  return std::nullopt;
}

class session {
 public:
  session(tcp::socket socket, session_list& sessions, offload& work, const server_options& options)
      : stream_(std::move(socket)),
        entry_(stream_.socket()),
        sessions_(sessions),
        work_(work),
        options_(options) {
    sessions_.add(entry_);
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() { sessions_.remove(entry_); }

  asio::awaitable<void> run() {
    bool open = true;
    while (open && !sessions_.stopping()) {
      entry_.busy = false;
      open = co_await first_bytes();
      if (!open) co_return;  // closed or silent for too long: nobody to be polite to
      entry_.busy = true;
      open = co_await exchange();
    }
    co_await linger();
  }

 private:
  asio::awaitable<bool> first_bytes() {
    error_code ec;
    if (buffer_.size() == 0) {
      stream_.expires_after(options_.idle_timeout);
      const std::size_t size =
          co_await stream_.async_read_some(buffer_.prepare(first_read), into(ec));
      buffer_.commit(size);
    }
    co_return !ec;
  }

  // One request and its answer. True if another may follow.
  asio::awaitable<bool> exchange() {
    http::request_parser<http::string_body> parser;
    parser.header_limit(options_.header_limit);
    parser.body_limit(options_.body_limit);
    error_code ec = co_await read(parser);
    response reply;
    if (ec) {
      std::optional<response> words = complaint(ec);
      if (!words) {
        linger_ = false;
        co_return false;
      }
      reply = std::move(*words);
      reply.keep_alive(false);
    } else {
      request message = parser.release();
      const bool keep_alive = message.keep_alive();
      reply = co_await respond(message);
      reply.version(message.version());
      reply.keep_alive(keep_alive && !sessions_.stopping());
    }
    reply.prepare_payload();
    stream_.expires_after(options_.transfer_timeout);
    co_await http::async_write(stream_, reply, into(ec));
    linger_ = !ec;
    co_return !ec && reply.keep_alive();
  }

  asio::awaitable<error_code> read(http::request_parser<http::string_body>& parser) {
    error_code ec;
    stream_.expires_after(options_.header_timeout);
    co_await http::async_read_header(stream_, buffer_, parser, into(ec));
    if (ec) co_return ec;
    stream_.expires_after(options_.transfer_timeout);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      http::response<http::empty_body> go_on{http::status::continue_, parser.get().version()};
      co_await http::async_write(stream_, go_on, into(ec));
      if (ec) co_return ec;
    }
    co_await http::async_read(stream_, buffer_, parser, into(ec));
    co_return ec;
  }

  asio::awaitable<response> respond(request& message) {
    const std::string_view target(message.target().data(), message.target().size());
    const std::optional<route> wanted = find_route(target);
    const bool known = wanted || target == "/ping" || target == "/stats";
    const http::verb method = wanted ? http::verb::post : http::verb::get;
    response reply;
    if (!known) {
      reply = make_response(http::status::not_found, "no such thing here\n");
    } else if (message.method() != method) {
      reply = make_response(http::status::method_not_allowed, "not with this method\n");
      reply.set(http::field::allow, http::to_string(method));
    } else if (wanted) {
      answer result = co_await work_.run(*wanted, std::move(message.body()));
      reply = from_answer(*wanted, std::move(result));
    } else if (target == "/ping") {
      reply = make_response(http::status::ok, "pong\n");
    } else {
      reply = make_response(http::status::ok, work_.stats() + "\n", "application/json");
    }
    if (message.method() == http::verb::head) reply.body().clear();
    co_return reply;
  }

  static response from_answer(route which, answer result) {
    if (result.what == outcome::done) {
      const char* type = which == route::gzip ? "application/gzip" : "text/plain";
      return make_response(http::status::ok, std::move(result.body), type);
    }
    const bool refused = result.what == outcome::refused;
    response reply = make_response(
        refused ? http::status::service_unavailable : http::status::internal_server_error,
        std::move(result.body) + "\n");
    if (refused) reply.set(http::field::retry_after, "1");
    return reply;
  }

  // Closing with unread input makes TCP send a reset, and that can overtake the answer. So the
  // rest is read and dropped, within bounds.
  asio::awaitable<void> linger() {
    error_code ec;
    if (!linger_) co_return;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ec);
    stream_.expires_after(linger_time);
    buffer_.clear();
    for (std::size_t dropped = 0; !ec && dropped < 4 * options_.body_limit;) {
      const std::size_t size =
          co_await stream_.async_read_some(buffer_.prepare(first_read), into(ec));
      dropped += size;
    }
  }

  static constexpr std::size_t first_read = 16 * 1024;
  static constexpr std::chrono::seconds linger_time{1};

  beast::tcp_stream stream_;
  session_list::entry entry_;
  session_list& sessions_;
  offload& work_;
  const server_options& options_;
  beast::flat_buffer buffer_;
  bool linger_ = true;
};

}  // namespace

void session_list::stop_idle() {
  stopping_ = true;
  error_code ignored;
  for (entry* each : sessions_)
    if (!each->busy) each->socket.close(ignored);
}

void session_list::close_all() {
  stopping_ = true;
  error_code ignored;
  for (entry* each : sessions_) each->socket.close(ignored);
}

asio::awaitable<void> serve(tcp::socket socket, session_list& sessions, offload& work,
                            const server_options& options) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  session client(std::move(socket), sessions, work, options);
  co_await client.run();
}

}  // namespace offload_server
