// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The server of 08_chat_server.cpp.
#pragma once

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <map>
#include <memory>
#include <string>
#include <tokengate/async_mutex.hpp>
#include <tokengate/event_bus.hpp>

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

struct line {
  std::string from;
  std::string text;
};
using heard_lines = tokengate::event_stream<line>;

struct limits {
  std::size_t lines = 1024;            // that may wait for a client
  std::chrono::seconds one_line = 5s;  // for a client to take one
};

inline std::string const too_slow = "* you read too slowly for this room, good bye\n";

// One client. A room never waits for its slowest member: whoever has too many lines waiting for it
// is sent those, told why, and cut off; whoever takes no line at all is cut off without a word.
class session : public std::enable_shared_from_this<session> {
 public:
  session(tcp::socket socket, tokengate::event_bus& rooms, std::string name, limits most)
      : socket_(std::move(socket)),
        writing_(socket_.get_executor()),
        rooms_(&rooms),
        name_(std::move(name)),
        most_(most) {}

  asio::awaitable<void> run() {
    auto const self = shared_from_this();
    boost::system::error_code failed;
    auto token = asio::redirect_error(asio::use_awaitable, failed);
    std::string buffer;
    for (;;) {
      std::size_t const size =
          co_await asio::async_read_until(socket_, asio::dynamic_buffer(buffer, 4096), '\n', token);
      if (failed) break;
      std::string const text = buffer.substr(0, size - 1);
      buffer.erase(0, size);
      try {
        co_await obey(text);
      } catch (std::invalid_argument const&) {
        // not the name of a room
      }
    }
    end();
  }

 private:
  asio::awaitable<void> obey(std::string const& text) {
    auto const space = text.find(' ');
    if (space == std::string::npos) co_return;
    std::string const word = text.substr(0, space);
    std::string rest = text.substr(space + 1);
    if (word == "/join") {
      join(rest);
    } else if (word == "/leave") {
      leave(rest);
    } else {
      // Accepted by all members of the room when this comes back; each gets it in its own time.
      line said{name_, std::move(rest)};
      co_await rooms_->async_publish(word, std::move(said));
    }
  }

  void join(std::string const& room) {
    tokengate::subscription_options options;
    options.name = "chat member";
    options.capacity = most_.lines;
    options.when_full = tokengate::full_policy::disconnect;
    auto const executor = socket_.get_executor();
    auto const lines = std::make_shared<heard_lines>(rooms_->stream<line>(room, executor, options));
    leave(room);
    joined_[room] = lines;
    asio::co_spawn(executor, pass_on(shared_from_this(), lines), asio::detached);
  }

  void leave(std::string const& room) {
    auto const found = joined_.find(room);
    if (found == joined_.end()) return;
    found->second->unsubscribe();
    joined_.erase(found);
  }

  // Writes what is said in a room, one line after the other, until the session leaves it.
  static asio::awaitable<void> pass_on(std::shared_ptr<session> self,
                                       std::shared_ptr<heard_lines> from) {
    bool more = true;
    while (more) {
      auto next = from->async_next();
      auto [failed, said] = co_await std::move(next)(asio::as_tuple(asio::use_awaitable));
      if (!failed) {
        std::string const text =
            std::string(said.subject()) + ' ' + said->from + ": " + said->text + '\n';
        more = co_await self->write(text);
      } else {
        more = false;
        bool const cut_off = is_disconnected(failed);
        if (cut_off) {
          co_await self->write(too_slow);
          self->end();
        }
      }
    }
  }

  static bool is_disconnected(std::exception_ptr const& failed) {
    try {
      std::rethrow_exception(failed);
    } catch (boost::system::system_error const& why) {
      return why.code() == tokengate::error::disconnected;
    }
  }

  // A member of several rooms writes one line at a time. False: the client has gone, or took too
  // long; part of the line may have been sent, so there is no way to tell it why.
  asio::awaitable<bool> write(std::string const& text) {
    auto const turn = co_await writing_.async_lock();
    asio::steady_timer limit(socket_.get_executor(), most_.one_line);
    auto writing =
        asio::async_write(socket_, asio::buffer(text), asio::as_tuple(asio::use_awaitable));
    auto race = std::move(writing) || limit.async_wait(asio::use_awaitable);
    auto const first = co_await std::move(race);
    bool const written = first.index() == 0 && !std::get<0>(std::get<0>(first));
    if (!written) end();
    co_return written;
  }

  // Closes the socket, so run() comes to its end too.
  void end() {
    for (auto const& [room, lines] : joined_) lines->unsubscribe();
    joined_.clear();
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  tcp::socket socket_;
  tokengate::async_mutex writing_;
  tokengate::event_bus* rooms_;
  std::string name_;
  limits most_;
  std::map<std::string, std::shared_ptr<heard_lines>> joined_;
};

// `present`: sessions whose clients are connected.
inline asio::awaitable<void> serve(tcp::acceptor& from, tokengate::event_bus& rooms, int clients,
                                   limits most, int& present) {
  for (int number = 0; number != clients; ++number) {
    tcp::socket socket = co_await from.async_accept(asio::use_awaitable);
    auto guest = std::make_shared<session>(std::move(socket), rooms, std::to_string(number), most);
    ++present;
    asio::co_spawn(from.get_executor(), guest->run(),
                   [&present](std::exception_ptr) { --present; });
  }
}
