// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "load.hpp"

#include <algorithm>

#include "allocations.hpp"

namespace perf {

load::load(std::vector<std::chrono::nanoseconds> due)
    : slots_(due.size()), due_(std::move(due)), total_(due_.size()), open_(true) {
  for (auto& each : slots_) each.armed = true;
  timed();
}

load& load::mix(std::vector<task> tasks) {
  tasks_ = std::move(tasks);
  return *this;
}

load& load::first(task one) {
  first_task_ = one;
  first_differs_ = true;
  return *this;
}

load& load::until(std::chrono::nanoseconds length) {
  until_ = length;
  total_ = unlimited;
  return timed();
}

load& load::timed() {
  timed_ = true;
  // Room for the record beforehand, so that it does not count as the peer's allocations.
  auto const room = total_ == unlimited ? std::size_t{100'000} : total_;
  for (auto& lane : times_) lane.reserve(room);
  return *this;
}

load& load::before(std::size_t number, std::function<void()> call) {
  moments_.push_back({number, std::move(call)});
  return *this;
}

std::chrono::duration<double> load::settled_time() const {
  auto const tokens = settled_ == 0 ? 0 : issued_ - settled_;
  if (tokens == 0) return {};
  return std::chrono::duration<double>(dry_at_ - settled_at_) / static_cast<double>(tokens);
}

double load::allocations_per_token() const {
  auto const tokens = settled_ == 0 ? 0 : issued_ - settled_;
  return tokens == 0 ? 0 : static_cast<double>(blocks_used_) / static_cast<double>(tokens);
}

// All moments at which something is noted share one comparison on the hot path.
void load::mark(slot& place) {
  auto const number = issued_ - 1;
  if (number == 0) {
    moments_.push_back({2 * slots_.size(), [this] { settle(); }});
    moments_.push_back({total_ - 1, [this] { dry(); }});
    if (first_differs_) place.work = first_task_;
    first_ = clock::now();
  }
  mark_ = unlimited;
  for (auto const& each : moments_) {
    if (each.at == number) each.call();
    if (each.at > number) mark_ = std::min(mark_, each.at);
  }
}

void load::settle() {
  settled_ = issued_;
  settled_at_ = clock::now();
  blocks_ = allocations();
}

void load::dry() {
  if (std::exchange(dry_, true)) return;
  dry_at_ = clock::now();
  blocks_used_ = allocations() - blocks_;
}

bool load::last() {
  if (!open_) dry();
  if (completed_ + refused_ == (open_ ? total_ : issued_) && !std::exchange(done_called_, true)) {
    end_ = clock::now();
    if (done_) done_();
  }
  return false;
}

void load::record(slot const& place) {
  rounds_ += place.work.rounds;
  times_[place.work.lane].push_back(
      std::chrono::duration<double, std::nano>(clock::now() - place.issued).count());
}

}  // namespace perf
