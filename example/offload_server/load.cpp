// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "load.hpp"

#include <algorithm>
#include <latch>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>

#include "http_client.hpp"

namespace offload_server {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::size_t smallest_for_gzip = 32 * 1024;
constexpr std::size_t largest_for_gzip = 256 * 1024;

double ms_since(steady::time_point start) {
  return std::chrono::duration<double, std::milli>(steady::now() - start).count();
}

struct shared_state {
  shared_state(unsigned short its_port, const workload& its_work, const load_settings& its_settings,
               std::ptrdiff_t threads)
      : port(its_port), work(its_work), settings(its_settings), ready(threads) {}

  unsigned short port;
  const workload& work;
  const load_settings& settings;
  std::latch ready;  // all connect first, then all start
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> answers{0};
};

// When a client's next request is due. Who is late sends at once, and does not make up for what it
// missed: one connection cannot have two requests out.
class pace {
 public:
  pace(steady::duration period, unsigned seed) : period_(period), random_(seed) {}

  void wait() {
    const double factor = 0.5 + static_cast<double>(random_() % 1024) / 1024.0;
    due_ += std::chrono::duration_cast<steady::duration>(period_ * factor);
    due_ = std::max(due_, steady::now());
    std::this_thread::sleep_until(due_);
  }

 private:
  steady::duration period_;
  std::mt19937 random_;
  steady::time_point due_ = steady::now();
};

// One request of a route and the check of its answer.
class question {
 public:
  question(const workload& work, route which, std::mt19937& random) : work_(work), which_(which) {
    const std::size_t choices = which == route::digest ? work.for_digest.size()
                                : which == route::gzip ? work.for_gzip.size()
                                                       : work.passwords.size();
    const std::size_t place = random() % choices;
    place_ = which == route::digest ? work.for_digest[place]
             : which == route::gzip ? work.for_gzip[place]
                                    : place;
  }

  std::string_view body() const {
    if (which_ == route::password) return work_.passwords[place_];
    return work_.input.documents()[place_].body;
  }

  bool accepts(const std::string& answer) const {
    if (which_ == route::password) return answer == work_.keys[place_];
    const document& asked = work_.input.documents()[place_];
    if (which_ == route::digest) return answer == asked.digest;
    return decompress(answer, asked.body.size()) == asked.body;
  }

 private:
  const workload& work_;
  route which_;
  std::size_t place_ = 0;
};

// Failing here shows again, and is counted, at the first request.
void connect_and_wait(http_client& client, std::latch& ready) {
  try {
    client.connect();
  } catch (const std::runtime_error&) {
  }
  ready.arrive_and_wait();
}

route_result drive(shared_state& shared, route which, unsigned seed) {
  route_result result;
  std::mt19937 random(seed);
  const std::string target = "/" + std::string(name_of(which));
  http_client client(shared.port);
  connect_and_wait(client, shared.ready);
  for (pace due(shared.settings.period[static_cast<std::size_t>(which)], seed);
       !shared.over.load(std::memory_order_relaxed); due.wait()) {
    const question next(shared.work, which, random);
    try {
      const auto start = steady::now();
      const http_reply reply = client.post(target, next.body());
      const double took = ms_since(start);
      if (reply.status == 503) {
        ++result.refused;
      } else {
        result.latency_ms.add(took);
        if (reply.status != 200 || !next.accepts(reply.body)) ++result.wrong;
      }
      shared.answers.fetch_add(1, std::memory_order_relaxed);
    } catch (const std::runtime_error&) {
      ++result.broken;
    }
  }
  return result;
}

route_result probe(shared_state& shared) {
  route_result result;
  http_client client(shared.port);
  connect_and_wait(client, shared.ready);
  for (pace due(shared.settings.ping_period, 0); !shared.over.load(std::memory_order_relaxed);
       due.wait()) {
    try {
      const auto start = steady::now();
      const http_reply reply = client.get("/ping");
      result.latency_ms.add(ms_since(start));
      if (reply.status != 200 || reply.body != "pong\n") ++result.wrong;
    } catch (const std::runtime_error&) {
      ++result.broken;
    }
  }
  return result;
}

}  // namespace

workload::workload(corpus files, const key_derivation& password)
    : input(std::move(files)),
      for_digest(input.between(0, static_cast<std::size_t>(-1))),
      for_gzip(input.between(smallest_for_gzip, largest_for_gzip)) {
  for (unsigned i = 0; i < 16; ++i) {
    passwords.push_back("correct horse battery staple " + std::to_string(i));
    keys.push_back(password(passwords.back()));
  }
}

void route_result::append(const route_result& other) {
  latency_ms.append(other.latency_ms);
  refused += other.refused;
  wrong += other.wrong;
  broken += other.broken;
}

double load_settings::offered_per_second(route which) const {
  const auto place = static_cast<std::size_t>(which);
  return clients[place] * 1e3 / static_cast<double>(period[place].count());
}

std::uint64_t load_result::answered() const {
  std::uint64_t sum = 0;
  for (const route_result& each : routes) sum += each.latency_ms.count();
  return sum;
}

std::uint64_t load_result::errors() const {
  std::uint64_t sum = ping.wrong + ping.broken;
  for (const route_result& each : routes) sum += each.wrong + each.broken;
  return sum;
}

load_result run_load(unsigned short port, const workload& work, const load_settings& settings,
                     const std::function<void(double, std::uint64_t)>& watcher) {
  std::vector<route> plan;
  for (route which : all_routes)
    plan.insert(plan.end(), settings.clients[static_cast<std::size_t>(which)], which);
  shared_state shared(port, work, settings, static_cast<std::ptrdiff_t>(plan.size()) + 2);

  load_result total;
  std::vector<route_result> parts(plan.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < plan.size(); ++i)
    threads.emplace_back(
        [&, i] { parts[i] = drive(shared, plan[i], static_cast<unsigned>(i) + 1); });
  threads.emplace_back([&] { total.ping = probe(shared); });

  shared.ready.arrive_and_wait();
  const auto start = steady::now();
  while (steady::now() - start < settings.duration) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    watcher(ms_since(start) / 1e3, shared.answers.load(std::memory_order_relaxed));
  }
  total.seconds = ms_since(start) / 1e3;
  shared.over.store(true, std::memory_order_relaxed);
  for (std::thread& each : threads) each.join();
  for (std::size_t i = 0; i < plan.size(); ++i)
    total.routes[static_cast<std::size_t>(plan[i])].append(parts[i]);
  return total;
}

}  // namespace offload_server
