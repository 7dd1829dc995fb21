// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// An actor owns a cache. Sessions on the loop and threads of their own use it without a lock: each
// message has the cache to itself. A scope supervises it.
#include <boost/asio.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tokengate/actor.hpp>
#include <tokengate/with_scope.hpp>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// An ordinary class; it knows nothing of threads.
class cache {
 public:
  explicit cache(std::size_t capacity) : capacity_(capacity) {}

  void put(std::string key, std::string value) {
    if (key.empty()) throw std::invalid_argument("a key must not be empty");
    auto [at, is_new] = entries_.insert_or_assign(key, std::move(value));
    if (is_new) order_.push_back(std::move(key));
    while (order_.size() > capacity_) {
      entries_.erase(order_.front());
      order_.pop_front();
    }
  }
  std::optional<std::string> find(std::string key) const {
    auto const at = entries_.find(key);
    if (at == entries_.end()) return std::nullopt;
    return at->second;
  }
  std::size_t size() const { return entries_.size(); }

 private:
  std::size_t capacity_;
  std::map<std::string, std::string> entries_;
  std::list<std::string> order_;
};

using pages = tokengate::actor<cache>;

// Looks a page up, and makes it if it is not there.
asio::awaitable<std::string> page(pages& from, int number) {
  std::string const key = "page" + std::to_string(number);
  std::optional<std::string> found = co_await from.ask(&cache::find, key).within(10s);
  if (found) co_return *found;
  std::string made = "<h1>" + key + "</h1>";
  from.tell(&cache::put, key, made);
  co_return made;
}

asio::awaitable<void> session(pages& from, int visits, int& wrong) {
  for (int i = 0; i != visits; ++i) {
    int const number = i % 50;
    std::string const got = co_await page(from, number);
    if (got != "<h1>page" + std::to_string(number) + "</h1>") ++wrong;
  }
}

asio::awaitable<void> sessions(tokengate::task_scope<>& scope, pages& from, int& wrong) {
  for (int i = 0; i != 8; ++i) scope.spawn(session(from, 200, wrong));
  co_return;
}

asio::awaitable<void> run(tokengate::gate& gate, int& held) {
  tokengate::actor_options options;
  options.name = "pages";
  options.max_restarts = 3;
  pages all(gate, options, std::size_t(100));  // a cache(100)

  int wrong = 0;
  {
    std::jthread crawler([&all] {  // a thread of its own tells it something too
      for (int i = 50; i != 80; ++i) all.tell(&cache::put, "page" + std::to_string(i), "crawled");
    });
    co_await tokengate::with_scope(sessions, std::ref(all), std::ref(wrong));
  }
  std::size_t const size = co_await all.ask(&cache::size);
  std::cout << "8 sessions and a thread: " << wrong << " wrong pages, " << size
            << " in the cache\n";
  if (wrong == 0 && size == 80) ++held;

  // A message that fails: the supervisor gives the actor a new cache, and it goes on.
  all.tell(&cache::put, std::string(), "nothing");
  std::size_t const after = co_await all.ask(&cache::size);
  auto const books = all.snapshot();
  std::cout << "after a failure: " << books.restarts << " restart, " << after << " in the cache\n";
  if (books.restarts == 1 && after == 0) ++held;

  all.close();
  co_await all.async_join();
  auto const last = all.snapshot();
  std::cout << "accepted " << last.accepted << ", handled " << last.handled << '\n';
  if (last.accepted == last.handled && last.ended) ++held;
}

}  // namespace

int main() {
  asio::io_context loop{1};
  tokengate::worker_pool workers;
  tokengate::gate gate{loop.get_executor(), workers};
  int held = 0;
  asio::co_spawn(loop, run(gate, held), asio::detached);
  loop.run();
  return held == 3 ? 0 : 1;
}
