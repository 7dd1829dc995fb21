// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A chat server whose rooms are subjects of an event bus. A line `/join <room>` subscribes the
// session, `/leave <room>` ends that, `<room> <text>` is published to the room. `*` and `>` work as
// in subjects: `/join team.*` hears all rooms below team.
//
//   08_chat_server              starts itself, lets a few clients talk, checks what they hear and
//                               that who is too slow is cut off, and ends
//   08_chat_server --port 7000  serves
#include <cstdlib>
#include <iostream>

#include "08_chat_session.hpp"

namespace {

// For the checks.
template <class Condition>
asio::awaitable<void> until(Condition holds) {
  auto const executor = co_await asio::this_coro::executor;
  asio::steady_timer pause(executor);
  while (!holds()) {
    pause.expires_after(1ms);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

// The self-check: each client joins, says its lines, and hears those of all clients, in the order
// in which each of them was said.
constexpr int clients = 5;
constexpr int lines = 200;

struct results {
  int heard = 0;
  int wrong = 0;
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
  auto const all_there = [&members] { return members.subscribers() == clients + 1; };
  co_await until(all_there);
  std::string all;
  for (int i = 0; i != lines; ++i) all += "team.north " + std::to_string(i) + '\n';
  co_await asio::async_write(socket, asio::buffer(all), asio::use_awaitable);
  co_await listen_to_all(socket, into);
}

int check() {
  asio::io_context loop{1};
  tokengate::event_bus rooms{loop};
  tcp::acceptor acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  int present = 0;
  asio::co_spawn(loop, serve(acceptor, rooms, clients, limits(), present), asio::detached);
  results all;
  int said = 0;
  auto const record = rooms.subscribe<line>(">", loop, [&said](line const&) { ++said; });
  int failed = 0;
  for (int i = 0; i != clients; ++i)
    asio::co_spawn(loop, talk(acceptor.local_endpoint(), i, rooms, all),
                   [&failed](std::exception_ptr error) { failed += error != nullptr; });
  loop.run();
  std::cout << said << " lines said, " << all.heard << " heard by " << clients << " clients, "
            << all.wrong << " out of order, " << failed << " clients failed\n";
  bool const well = said == clients * lines && all.heard == clients * said;
  return well && all.wrong == 0 && failed == 0 ? 0 : 1;
}

// The second check: one client says a line whenever it has heard its last one, and another one,
// who has joined, reads nothing. It is cut off, and the first one goes on.
struct outcome {
  int present = 0;
  bool begun = false;
  int said = 0;
  int after = 0;       // of those, after the slow one was cut off
  int heard = 0;       // by the slow one, once it reads, without a gap
  bool told = false;   // and after that it was told
  bool ended = false;  // and its connection was closed
};
constexpr int enough = 200;
constexpr int too_many = 50'000;  // no connection holds that

asio::awaitable<void> speak(tcp::endpoint server, tokengate::event_bus& rooms, outcome& into) {
  auto const executor = co_await asio::this_coro::executor;
  tcp::socket socket(executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer("/join slow\n", 11), asio::use_awaitable);
  auto const room = rooms.topic<line>("slow");
  auto const both_there = [&room] { return room.subscribers() == 2; };
  co_await until(both_there);
  into.begun = true;
  std::string buffer;
  for (; into.after != enough && into.said != too_many; ++into.said) {
    std::string const text = "slow " + std::to_string(into.said) + std::string(2000, ' ') + '\n';
    co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
    std::size_t const size = co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer),
                                                             '\n', asio::use_awaitable);
    buffer.erase(0, size);
    if (room.subscribers() == 1) ++into.after;
  }
}

asio::awaitable<void> dawdle(tcp::endpoint server, tokengate::event_bus& rooms, bool deaf,
                             outcome& into) {
  auto const executor = co_await asio::this_coro::executor;
  tcp::socket socket(executor);
  socket.open(server.protocol());
  socket.set_option(asio::socket_base::receive_buffer_size(4096));
  co_await socket.async_connect(server, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer("/join slow\n", 11), asio::use_awaitable);
  auto const room = rooms.topic<line>("slow");
  auto const too_late = [&] { return into.begun && room.subscribers() < 2; };
  auto const given_up = [&] { return into.present == 0; };
  co_await until(too_late);  // the room has no place for another line
  if (deaf) co_await until(given_up);
  std::string buffer;
  boost::system::error_code failed;
  auto token = asio::redirect_error(asio::use_awaitable, failed);
  for (;;) {
    std::size_t const size =
        co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), '\n', token);
    into.ended = static_cast<bool>(failed);
    if (failed) co_return;
    std::string const text = buffer.substr(0, size);
    buffer.erase(0, size);
    into.told = text == too_slow;
    if (!into.told && std::atoi(text.c_str() + text.find(": ") + 2) == into.heard) ++into.heard;
  }
}

int check_slow(bool deaf) {
  asio::io_context loop{1};
  tokengate::event_bus rooms{loop};
  tcp::acceptor acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  limits most;
  most.lines = 64;
  if (deaf) most.one_line = 1s;
  outcome of;
  asio::co_spawn(loop, serve(acceptor, rooms, 2, most, of.present), asio::detached);
  auto const rethrow = [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
  asio::co_spawn(loop, speak(acceptor.local_endpoint(), rooms, of), rethrow);
  asio::co_spawn(loop, dawdle(acceptor.local_endpoint(), rooms, deaf, of), rethrow);
  loop.run();
  std::cout << (deaf ? "who reads nothing" : "who reads too late") << " got " << of.heard
            << " lines, " << (of.told ? "was told why, " : "")
            << (of.ended ? "was cut off" : "was not cut off") << "; the other one went on with "
            << of.after << " more\n";
  return of.ended && of.told != deaf && of.after == enough ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3 || std::string(arguments[1]) != "--port")
    return check() + check_slow(false) + check_slow(true);
  asio::io_context loop{1};
  tokengate::event_bus rooms{loop};
  auto const port = static_cast<unsigned short>(std::atoi(arguments[2]));
  tcp::acceptor acceptor(loop, tcp::endpoint(tcp::v4(), port));
  int present = 0;
  asio::co_spawn(loop, serve(acceptor, rooms, -1, limits(), present), asio::detached);
  loop.run();
}
