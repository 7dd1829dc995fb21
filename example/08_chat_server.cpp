// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A chat server whose rooms are subjects of an event bus. A line `/join <room>` subscribes the
// session, `/leave <room>` ends that, `<room> <text>` is published to the room. `*` and `>` work as
// in subjects: `/join team.*` hears all rooms below team.
//
//   08_chat_server              starts itself, lets a few clients talk, checks what they hear, and
//   ends 08_chat_server --port 7000  serves
#include <boost/asio.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <tokengate/async_mutex.hpp>
#include <tokengate/event_bus.hpp>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

struct line {
  std::string from;
  std::string text;
};

// One client. Whoever is too slow to read is cut off: a room never waits for its slowest member.
class session : public std::enable_shared_from_this<session> {
 public:
  session(tcp::socket socket, tokengate::event_bus& rooms, std::string name)
      : socket_(std::move(socket)),
        writing_(socket_.get_executor()),
        rooms_(&rooms),
        name_(std::move(name)) {}

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
    joined_.clear();  // no handler of this session starts any more
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
      joined_.erase(rest);
    } else {
      // Accepted by all members of the room when this comes back; each gets it in its own time.
      line said{name_, std::move(rest)};
      co_await rooms_->async_publish(word, std::move(said));
    }
  }

  void join(std::string const& room) {
    // The coroutine writes one line after the other, in the order of the room. A member of several
    // rooms writes one line at a time.
    auto const write =
        [self = weak_from_this()](tokengate::event<line> const& said) -> asio::awaitable<void> {
      auto const to = self.lock();
      if (to == nullptr) co_return;
      std::string const text =
          std::string(said.subject()) + ' ' + said->from + ": " + said->text + '\n';
      auto const turn = co_await to->writing_.async_lock();
      co_await asio::async_write(to->socket_, asio::buffer(text), asio::use_awaitable);
    };
    // A client that has gone is no error of the server.
    auto const ignore = [](std::exception_ptr) {};
    tokengate::subscription_options options;
    options.name = name_;
    options.capacity = 1024;
    options.when_full = tokengate::full_policy::disconnect;
    joined_[room] = rooms_->subscribe<line>(room, socket_.get_executor(), options, write, ignore);
  }

  tcp::socket socket_;
  tokengate::async_mutex writing_;
  tokengate::event_bus* rooms_;
  std::string name_;
  std::map<std::string, tokengate::subscription> joined_;
};

asio::awaitable<void> serve(tcp::acceptor& from, tokengate::event_bus& rooms, int clients) {
  for (int number = 0; number != clients; ++number) {
    tcp::socket socket = co_await from.async_accept(asio::use_awaitable);
    auto guest = std::make_shared<session>(std::move(socket), rooms, std::to_string(number));
    asio::co_spawn(from.get_executor(), guest->run(), asio::detached);
  }
}

// The self-check: each client joins, says its lines, and hears those of all clients, in the order
// in which each of them was said.
constexpr int clients = 5;
constexpr int lines = 200;

struct results {
  int heard = 0;
  int wrong = 0;
  int joined = 0;
};

asio::awaitable<void> listen_to_all(tcp::socket& socket, results& into) {
  std::map<std::string, int> next;  // by who speaks
  std::string buffer;
  for (int i = 0; i != clients * lines; ++i) {
    std::size_t const size = co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer),
                                                             '\n', asio::use_awaitable);
    std::string const text = buffer.substr(0, size - 1);
    buffer.erase(0, size);
    auto const room = text.find(' ');
    auto const colon = text.find(": ");
    if (text.substr(0, room) != "team.north") ++into.wrong;
    std::string const who = text.substr(room + 1, colon - room - 1);
    if (std::atoi(text.c_str() + colon + 2) != next[who]++) ++into.wrong;
    ++into.heard;
  }
}

asio::awaitable<void> talk(tcp::endpoint server, int number, tokengate::event_bus& rooms,
                           results& into) {
  auto const executor = co_await asio::this_coro::executor;
  tcp::socket socket(executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  std::string const join = number % 2 == 0 ? "/join team.north\n" : "/join team.*\n";
  co_await asio::async_write(socket, asio::buffer(join), asio::use_awaitable);
  // All shall hear all: nobody speaks before everybody is there.
  auto const members = rooms.topic<line>("team.north");
  asio::steady_timer pause(executor);
  while (members.subscribers() != clients) {
    pause.expires_after(std::chrono::milliseconds(1));
    co_await pause.async_wait(asio::use_awaitable);
  }
  std::string all;
  for (int i = 0; i != lines; ++i) all += "team.north " + std::to_string(i) + '\n';
  co_await asio::async_write(socket, asio::buffer(all), asio::use_awaitable);
  co_await listen_to_all(socket, into);
}

int check() {
  asio::io_context loop{1};
  tokengate::event_bus rooms{loop};
  tcp::acceptor acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  asio::co_spawn(loop, serve(acceptor, rooms, clients), asio::detached);
  results all;
  int failed = 0;
  for (int i = 0; i != clients; ++i)
    asio::co_spawn(loop, talk(acceptor.local_endpoint(), i, rooms, all),
                   [&failed](std::exception_ptr error) { failed += error != nullptr; });
  loop.run();
  std::cout << all.heard << " lines heard by " << clients << " clients, " << all.wrong
            << " out of order, " << failed << " clients failed\n";
  return all.heard == clients * clients * lines && all.wrong == 0 && failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3 || std::string(arguments[1]) != "--port") return check();
  asio::io_context loop{1};
  tokengate::event_bus rooms{loop};
  auto const port = static_cast<unsigned short>(std::atoi(arguments[2]));
  tcp::acceptor acceptor(loop, tcp::endpoint(tcp::v4(), port));
  asio::co_spawn(loop, serve(acceptor, rooms, -1), asio::detached);
  loop.run();
}
