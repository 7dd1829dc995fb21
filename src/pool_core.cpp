// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "pool_core.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <latch>

#include "tokengate/detail/tick_clock.hpp"
#include "tokengate/logging.hpp"

namespace tokengate::detail {
namespace {

std::chrono::nanoseconds spin_for(wait_policy policy) noexcept {
  switch (policy) {
    case wait_policy::efficient:
      return std::chrono::microseconds(20);
    case wait_policy::balanced:
      return std::chrono::microseconds(100);
    case wait_policy::latency:
      return std::chrono::milliseconds(2);
  }
  return {};
}

}  // namespace

pool_core::pool_core(worker_pool_options options)
    : options_(std::move(options)),
      machine_(discover_topology()),
      cores_(choose_cores(machine_, options_.cores, options_.max_cores)) {
  shared_.most_spinners = static_cast<int>(machine_.usable) - 1;
  auto const spin = spin_for(options_.wait);
  shared_.spin_ticks =
      tick_clock::to_ticks(throttled() ? std::min(spin, throttled_patience) : spin);
  shared_.heavy_spins = options_.wait == wait_policy::latency;
  shared_.floor_after = tick_clock::to_ticks(std::chrono::milliseconds(20));
  for (std::size_t core = 0; core != cores_.size(); ++core) {
    std::array<worker*, lane_count> lanes{};
    for (weight lane : {weight::light, weight::medium, weight::heavy}) {
      workers_.push_back(
          std::make_unique<worker>(shared_, workers_.size(), core, cores_[core].os_index, lane));
      lanes[lane_index(lane)] = workers_.back().get();
    }
    lanes[0]->set_heavier(lanes[1], lanes[2]);
    lanes[1]->set_heavier(nullptr, lanes[2]);
  }
}

void pool_core::start() {
  std::latch placed(static_cast<std::ptrdiff_t>(workers_.size()));
  threads_.reserve(workers_.size());
  std::size_t started = 0;
  try {
    signal_mask_guard blocked;
    for (; started != workers_.size(); ++started)
      threads_.emplace_back([self = shared_from_this(), at = workers_[started].get(), &placed] {
        at->place(self->options_.pin, self->options_.lane_priorities, self->options_.name);
        placed.count_down();
        at->run();
      });
  } catch (...) {
    stop();
    placed.count_down(static_cast<std::ptrdiff_t>(workers_.size() - started));
    join();
    throw;
  }
  placed.wait();
  pinned_ = std::ranges::all_of(workers_, [](auto const& w) { return w->placement().pinned; });
  log_placement();
}

void pool_core::stop() noexcept {
  if (stopped_.exchange(true)) return;
  logger()->info("{}: stopping", options_.name);
  std::vector<std::weak_ptr<return_bell>> gates;
  {
    std::lock_guard hold(gates_mutex_);
    gates.swap(gates_);
  }
  for (auto& each : gates)
    if (auto gate = each.lock()) gate->pool_stopping();
  for (auto& worker : workers_) worker->stop();
}

void pool_core::join() noexcept {
  // Functions of other workers may wait for what hangs on the results of this one.
  if (worker* const here = this_worker.self) here->publish_finished();
  for (auto& thread : threads_) {
    if (thread.get_id() == std::this_thread::get_id())
      thread.detach();  // it holds this core, returns from its function, and ends
    else if (thread.joinable())
      thread.join();
  }
}

std::vector<std::shared_ptr<link>> pool_core::attach(std::shared_ptr<return_bell> const& gate) {
  std::vector<std::shared_ptr<link>> links;
  links.reserve(workers_.size());
  for (auto& worker : workers_)
    links.push_back(std::make_shared<link>(gate, worker->position(), worker->core(),
                                           static_cast<std::uint8_t>(lane_index(worker->lane()))));
  {
    std::lock_guard hold(gates_mutex_);
    std::erase_if(gates_, [](auto const& gone) { return gone.expired(); });
    if (!stopped_) gates_.push_back(gate);
  }
  gate_count_.fetch_add(1, std::memory_order_relaxed);
  try {
    for (auto& worker : workers_) worker->attach(links[worker->position()]);
  } catch (...) {
    for (auto& link : links) detach(*link);
    throw;
  }
  return links;
}

void pool_core::detach(link& from) noexcept {
  from.closed.store(true, std::memory_order_release);
  if (from.position == 0) gate_count_.fetch_sub(1, std::memory_order_relaxed);
  workers_[from.position]->poke();
}

bool pool_core::throttled() const noexcept {
  return machine_.quota && *machine_.quota < static_cast<double>(machine_.usable);
}

std::uint32_t pool_core::index_of_core(unsigned os_index) const noexcept {
  if (!pinned_) return token_extras::no_core;
  for (std::uint32_t i = 0; i != cores_.size(); ++i)
    if (cores_[i].os_index == os_index) return i;
  return token_extras::no_core;
}

std::vector<std::string> pool_core::problems() const {
  std::vector<std::string> found;
  for (auto const& worker : workers_) {
    auto const& got = worker->placement();
    auto const where = "core " + std::to_string(worker->os_index()) + " " +
                       std::string(to_string(worker->lane())) + ": ";
    if (got.pin_errno != 0) found.push_back(where + "not pinned: " + std::strerror(got.pin_errno));
    if (got.priority_errno != 0)
      found.push_back(where + "runs as " + got.priority + ": " + std::strerror(got.priority_errno));
  }
  if (!machine_.from_hwloc)
    found.push_back("hwloc gave no topology: the affinity mask is used as it is");
  return found;
}

void pool_core::log_placement() const {
  auto const log = logger();
  std::string cores;
  for (auto const& core : cores_)
    cores += (cores.empty() ? "" : ",") + std::to_string(core.os_index);
  log->info("{}: {} workers on cores {} of {} usable{}", options_.name, workers_.size(), cores,
            machine_.usable, throttled() ? ", limited by a CPU quota" : "");
  for (auto const& problem : problems()) log->warn("{}: {}", options_.name, problem);
}

std::uint64_t pool_core::rescued() const noexcept {
  std::uint64_t sum = 0;
  for (auto const& worker : workers_) sum += worker->rescued();
  return sum;
}

pool_snapshot pool_core::snapshot() const {
  pool_snapshot s;
  s.name = options_.name;
  s.usable_cores = static_cast<double>(machine_.usable);
  if (throttled()) s.usable_cores = *machine_.quota;
  for (auto const& worker : workers_) s.workers.push_back(worker->snapshot());
  s.rescued_wakeups = rescued();
  s.problems = problems();
  return s;
}

}  // namespace tokengate::detail

namespace tokengate {

worker_pool::worker_pool(worker_pool_options options)
    : core_(std::make_shared<detail::pool_core>(std::move(options))) {
  core_->start();
}

worker_pool::~worker_pool() {
  core_->stop();
  core_->join();
}

void worker_pool::stop() {
  core_->stop();
}
std::size_t worker_pool::size() const noexcept {
  return core_->size();
}
std::size_t worker_pool::cores() const noexcept {
  return core_->cores();
}
pool_snapshot worker_pool::snapshot() const {
  return core_->snapshot();
}

}  // namespace tokengate
