// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// More tokens than there is room for: refuse at once, wait for a while, and end in good order.
#include <boost/asio.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <iostream>
#include <semaphore>
#include <tokengate/tokengate.hpp>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

bool is(std::exception_ptr const& error, tokengate::error code) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (boost::system::system_error const& e) {
    return e.code() == code;
  }
  return false;
}

asio::awaitable<void> session(tokengate::gate& gate, int& held) {
  // The one worker of the lane is held up until `go`.
  std::binary_semaphore go{0};
  auto blocker = gate.spawn({.operation = "blocker"}, [&go] { go.acquire(); });

  // try_now: what finds the backlog full is refused, and the caller can say so to its client.
  int done = 0;
  int refused = 0;
  for (int i = 0; i != 100; ++i)
    gate.async_run(
        {.operation = "page", .admission = tokengate::admission::try_now}, [] {},
        [&](std::exception_ptr error) {
          ++(is(error, tokengate::error::backlog_full) ? refused : done);
        });

  // until: waits for a place for at most that long.
  try {
    co_await gate.async_run(
        {.operation = "page", .admission = tokengate::admission::until, .admit_within = 5ms},
        [] {});
  } catch (boost::system::system_error const& e) {
    std::cout << "no place within 5 ms: " << e.code().message() << '\n';
    if (e.code() == tokengate::error::backlog_full) ++held;
  }

  // The end of a server: take no more, give what is out a while, see what is stuck.
  gate.close();
  auto const first = co_await gate.async_drain(10ms);
  bool named = false;
  for (auto const& token : first.stuck) {
    bool const running = token.state == tokengate::token_state::executing;
    if (running) std::cout << "stuck: " << token.operation << '\n';
    named = named || (running && token.operation == "blocker");
  }
  if (!first.drained && named) ++held;

  go.release();
  auto const second = co_await gate.async_drain(10s);
  if (second.drained && second.stuck.empty()) ++held;
  co_await std::move(blocker);

  std::cout << done << " pages done, " << refused << " refused at once\n";
  if (done > 0 && refused > 0 && done + refused == 100) ++held;
}

}  // namespace

int main() {
  asio::io_context loop{1};
  tokengate::worker_pool_options options;
  options.max_cores = 1;
  tokengate::worker_pool workers{options};
  tokengate::gate gate{loop.get_executor(), workers, {.backlog = 8, .waiting = 8}};

  int held = 0;
  asio::co_spawn(loop, session(gate, held), asio::detached);
  loop.run();

  auto const books = gate.snapshot();
  std::cout << books.issued << " issued = " << books.finished << " ended\n";
  if (books.issued == books.finished && books.out == 0) ++held;
  return held == 5 ? 0 : 1;
}
