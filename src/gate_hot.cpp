// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>

#include "gate_core.hpp"
#include "tokengate/detail/tick_clock.hpp"

// When a gate keeps its loop awake for results, and how it waits for them then.

namespace tokengate::detail {

/// Waits a moment for results, unless somebody wants to get in. Gives the time.
std::uint64_t gate_core::poll(std::uint64_t now) noexcept {
  auto const until = now + poll_ticks_;
  while (!anything_returned() && !combiner_.awaited() && now < until) {
    std_sync::spin_hint();
    now = tick_clock::now();
  }
  return now;
}

bool gate_core::anything_returned() noexcept {
  for (auto const& from : dispatcher_.links())
    if (from->in_flight() != 0 && from->returned() != 0) return true;
  return false;
}

/// How long to stay hot for the next result: a hand-over and twice the function.
std::uint64_t gate_core::hot_span(std::size_t lane) const noexcept {
  auto const& estimate = dispatcher_.estimate(lane);
  if (!estimate.known()) return hot_limit_;
  return std::min<std::uint64_t>(hot_limit_, hot_base_ + 2 * estimate.mean());
}

std::uint64_t gate_core::hot_span() const noexcept {
  std::uint64_t longest = 0;
  for (std::size_t lane = 0; lane != lane_count; ++lane)
    if (dispatcher_.in_flight(lane) != 0) longest = std::max(longest, hot_span(lane));
  return longest == 0 ? hot_base_ : longest;
}

/// Whether polling for results is worth the loop's core.
bool gate_core::stay_hot(std::uint64_t now) noexcept {
  if (options_.hot == hot_drain::off || now > hot_until_) return false;
  if (options_.hot == hot_drain::always) return true;
  // The worker could not run while its loop polls for what it does.
  if (dispatcher_.only_on_avoided_core()) return false;
  auto const loops = static_cast<std::size_t>(pool_->hot_loops.load(std::memory_order_relaxed));
  if (dispatcher_.busy_cores() + loops + (hot_ ? 0 : 1) > pool_->usable_cores()) return false;
  for (std::size_t lane = 0; lane != lane_count; ++lane)
    if (dispatcher_.in_flight(lane) != 0 && dispatcher_.estimate(lane).mean() < hot_limit_)
      return true;
  return false;
}

void gate_core::set_hot(bool hot) noexcept {
  if (hot == std::exchange(hot_, hot)) return;
  pool_->hot_loops.fetch_add(hot ? 1 : -1, std::memory_order_relaxed);
}

}  // namespace tokengate::detail
