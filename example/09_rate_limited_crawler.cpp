// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A crawler of local files that follows every link once. A scope holds all its children, a
// semaphore bounds how many files are open at once, and a second one is a token bucket: so many
// pages at first, then so many per tick of a timer.
#include <atomic>
#include <boost/asio.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <tokengate/async_event.hpp>
#include <tokengate/async_semaphore.hpp>
#include <tokengate/monitor.hpp>
#include <tokengate/tokengate.hpp>
#include <tokengate/with_scope.hpp>
#include <vector>

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr int pages = 60;
constexpr std::size_t open_at_once = 4;
constexpr std::size_t bucket = 15;    // pages that may be read in one go
constexpr std::size_t per_tick = 10;  // and what comes back with each tick

// A site to crawl: page n links to 2n + 1, 2n + 2, itself and the first page.
fs::path make_site() {
  auto const site =
      fs::temp_directory_path() / ("tokengate_crawler_" + std::to_string(std::random_device{}()));
  fs::create_directories(site);
  for (int n = 0; n != pages; ++n) {
    std::ofstream page(site / ("page" + std::to_string(n)));
    page << "This is page " << n << ".\n";
    for (int to : {2 * n + 1, 2 * n + 2, n, 0})
      if (to < pages) page << "link page" << to << '\n';
  }
  return site;
}

struct crawl {
  crawl(asio::io_context& loop, tokengate::gate& through, fs::path site)
      : open_files(loop, open_at_once, "open files"),
        rate(loop, bucket, "rate"),
        known(loop, "known pages"),
        finished(loop),
        read(through.define({.operation = "read", .weight = tokengate::weight::medium}),
             reader{this, std::move(site)}) {}

  // Runs on a worker: the loop does not wait for the disk.
  struct reader {
    crawl* of;
    fs::path site;
    std::string operator()(std::string const& page) const {
      auto const open_now = of->open_now.fetch_add(1) + 1;
      if (open_now > open_at_once) of->too_many = true;
      std::ifstream file(site / page);
      std::string text{std::istreambuf_iterator<char>(file), {}};
      of->open_now.fetch_sub(1);
      return text;
    }
  };

  tokengate::async_semaphore open_files;
  tokengate::async_semaphore rate;
  tokengate::monitor<std::set<std::string>> known;
  tokengate::async_event finished;
  tokengate::guarded<reader> read;

  std::atomic<std::size_t> open_now{0};
  std::atomic<bool> too_many{false};
  int visited = 0;
  std::size_t added = 0;
};

std::vector<std::string> links_in(std::string const& text) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("link ")) found.push_back(line.substr(5));
  return found;
}

asio::awaitable<void> visit(tokengate::task_scope<>& scope, crawl& all, std::string page) {
  auto turn = co_await all.rate.async_acquire();
  turn.forget();  // spent: only the timer brings it back
  auto file = co_await all.open_files.async_acquire();
  std::string const text = co_await all.read(page);
  file.unlock();
  ++all.visited;
  for (std::string const& link : links_in(text)) {
    auto known = co_await all.known.async_lock();
    bool const is_new = known->insert(link).second;
    known.unlock();
    if (is_new) scope.spawn(visit(scope, all, link));
  }
}

asio::awaitable<void> start(tokengate::task_scope<>& scope, crawl* all) {
  auto known = co_await all->known.async_lock();
  known->insert("page0");
  known.unlock();
  scope.spawn(visit(scope, *all, "page0"));
}

asio::awaitable<void> refill(crawl* all) {
  for (;;) {
    auto tick = all->finished.async_wait().within(1ms);
    auto [timed_out] = co_await std::move(tick)(asio::as_tuple(asio::use_awaitable));
    if (!timed_out) co_return;
    all->added += all->rate.add(per_tick);
  }
}

asio::awaitable<void> run(crawl* all) {
  co_await tokengate::with_scope<>(start, all);
  all->finished.set();
}

}  // namespace

int main() {
  asio::io_context loop{1};
  tokengate::worker_pool workers;
  tokengate::gate gate{loop.get_executor(), workers};
  auto const site = make_site();
  crawl all(loop, gate, site);

  std::exception_ptr failed;
  asio::co_spawn(loop, run(&all), [&](std::exception_ptr error) {
    failed = error;
    all.finished.set();
  });
  asio::co_spawn(loop, refill(&all), asio::detached);
  loop.run();
  fs::remove_all(site);

  std::cout << all.visited << " pages, each once; at most " << open_at_once
            << " files open: " << (all.too_many ? "no" : "yes") << "; " << bucket
            << " pages at once, the others as " << all.added << " came with the ticks\n";
  bool const paced = bucket + all.added >= static_cast<std::size_t>(pages);
  return !failed && all.visited == pages && !all.too_many && paced ? 0 : 1;
}
