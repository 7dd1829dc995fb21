// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "load.hpp"

#include <algorithm>

#include "allocations.hpp"

namespace perf {
namespace {

// relaxed: read when the threads of a measurement have been joined.
std::atomic<std::uint64_t> completed_by_all{0};

/// Where functions note their end. Each has its own place, and the token orders who writes and who
/// reads it.
clock::time_point* noted_ends = nullptr;

std::chrono::duration<double, std::nano> since(clock::time_point then, clock::time_point now) {
  return now - then;
}

}  // namespace

answer task::in_its_manner() const {
  if (how == manner::held) hold::wait();
  auto bare = *this;
  bare.how = manner::plain;
  auto const gave = bare();
  if (how == manner::noted) noted_ends[stamp] = clock::now();
  return gave;
}

std::uint64_t load::all_completed() {
  return completed_by_all.load(std::memory_order_relaxed);
}

load::load(std::size_t outstanding, std::size_t total) : slots_(outstanding), total_(total) {
  for (auto& each : slots_) set_task(each, {});
}

load::load(std::vector<std::chrono::nanoseconds> due) : load(due.size(), due.size()) {
  due_ = std::move(due);
  open_ = true;
  for (auto& each : slots_) each.armed = true;
  timed();
}

load& load::mix(std::vector<task> tasks) {
  tasks_ = std::move(tasks);
  varied_ = varied_ || tasks_.size() != 1;
  for (auto& each : slots_) set_task(each, tasks_.front());
  return *this;
}

load& load::first(task one) {
  first_task_ = one;
  first_differs_ = varied_ = true;
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

load& load::note_ends() {
  ends_.resize(slots_.size());
  noted_ends = ends_.data();
  for (auto& each : slots_) set_task(each, each.work);
  return timed();
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
    if (first_differs_) set_task(place, first_task_);
    first_ = clock::now();
  }
  mark_ = unlimited;
  for (auto const& each : moments_) {
    if (each.at == number) each.call();
    if (each.at > number) mark_ = std::min(mark_, each.at);
  }
}

void load::vary(slot& place) {
  if (position_ == tasks_.size()) position_ = 0;
  set_task(place, tasks_[position_++]);
}

/// The stamp says which slot it is.
void load::set_task(slot& place, task what) {
  what.stamp = static_cast<answer>(&place - slots_.data());
  if (!ends_.empty()) what.how = manner::noted;
  place.work = what;
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
    completed_by_all.fetch_add(completed_, std::memory_order_relaxed);
    if (done_) done_();
  }
  return false;
}

void load::record(slot const& place) {
  auto const now = clock::now();
  rounds_ += place.work.rounds;
  times_[place.work.lane].push_back(since(place.issued, now).count());
  if (place.work.how == manner::noted)
    held_back_.push_back(since(ends_[place.work.stamp], now).count());
}

}  // namespace perf
