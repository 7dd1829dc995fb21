// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/dispatcher.hpp"

#include <algorithm>

// Which worker a token goes to, and which one it goes to after all when the first is stuck.

namespace tokengate::detail {

/// Join the queue that is through first: the shortest, where a worker that sleeps counts as one
/// with as much before it as is done while it wakes up, if functions are brief. Among equals: where
/// nothing else of this gate runs, or only heavy work, which gives way at once (record 6), where a
/// worker is awake, not on the loop's own core; children near their lead, which may wait for them,
/// so they do not wait behind it. Brief ones rather wake a worker than wait behind one that is
/// known to be lengthy. Last of all: behind a lengthy function of another gate; and with brief
/// functions the loop's own core, since its worker takes the core from it, unless the others are
/// stuck.
lane_link* dispatcher::choose(lane_state& lane, std::uint32_t near, std::uint64_t now) noexcept {
  bool const brief = lane.estimate.known() && lane.estimate.mean() < hand_over_;
  bool const may_wait = lane.estimate.recent_peak() < hand_over_ && near == token_extras::no_core;
  std::uint32_t const asleep = 2 + (may_wait ? 32 * lane.in_a_wake_up : 0);
  lane_link* best = nullptr;
  lane_link* sleeper = nullptr;
  std::uint32_t best_cost = ~std::uint32_t{0};
  for (lane_link* candidate : lane.links) {
    if (!candidate->has_credit()) continue;
    auto const core = static_cast<std::uint32_t>(candidate->shared().core);
    std::uint32_t cost = candidate->in_flight() * 32;
    if (cost >= best_cost) continue;
    if (core != near) {
      if (near != token_extras::no_core) cost += 1;
      cost += company(*candidate);
      if (core == avoid_) cost += brief && others_get_on(lane, now) ? 32 * link::capacity : 6;
    }
    if (candidate->looks_taken()) cost += 32 * link::capacity;
    if (may_wait && candidate->behind_lengthy()) cost += asleep;
    if (candidate->worker().looks_parked() && !candidate->has_staged()) {
      cost += asleep;
      if (candidate->in_flight() == 0 && core != avoid_) sleeper = candidate;
    }
    if (cost < best_cost) {
      best = candidate;
      best_cost = cost;
    }
  }
  if (best == nullptr) return nullptr;
  bool const stuck =
      best->in_flight() != 0 && best->oldest_age(now) >= hand_over_ && best->returned() == 0;
  if (sleeper != nullptr && stuck) return sleeper;
  return best->looks_taken() && another_returns(lane) ? nullptr : best;
}

/// Whether a worker of the lane has as much of this gate as it may: what waits gets a place when
/// something of it comes back.
bool dispatcher::another_returns(lane_state const& lane) noexcept {
  return std::ranges::any_of(lane.links, [](lane_link const* each) {
    return each->alive() && !each->has_credit() && each->tokens() != 0;
  });
}

/// What it costs that other lanes have something in flight on the worker's core.
std::uint32_t dispatcher::company(lane_link const& worker) const noexcept {
  busy_links const& there = busy_links_[worker.shared().core];
  auto const others = there.all - (worker.in_flight() != 0 ? 1 : 0);
  if (others == 0) return 0;
  bool const heavy_only =
      worker.shared().lane != lane_index(weight::heavy) && others == there.heavy;
  return heavy_only ? 7 : 16;
}

/// Whether a worker that is not on the loop's core has begun something lately, or has results.
bool dispatcher::others_get_on(lane_state const& lane, std::uint64_t now) const noexcept {
  return std::ranges::any_of(lane.links, [&](lane_link const* each) {
    return each->shared().core != avoid_ && each->alive() &&
           (each->oldest_age(now) < hand_over_ || each->returned() != 0);
  });
}

/// The oldest that has not been started and is not bound to its worker. A look.
token_base* dispatcher::first_waiting(lane_link& of) noexcept {
  return of.find_out([](token_base const& token, slot const& place) {
    return place.look() != nullptr && (token.extras == nullptr || token.extras->bound == nullptr);
  });
}

bool dispatcher::move_one(lane_link& from, lane_link& to, std::uint64_t now) noexcept {
  token_base* const moved = first_waiting(from);
  if (moved == nullptr || !pull_back(from, *moved->way.in.slot)) return false;
  dispatch(*moved, to, now);
  return true;
}

void dispatcher::balance(std::uint64_t now) noexcept {
  for (lane_state& lane : lanes_) {
    if (lane.in_flight == lane.busy || lane.busy == lane.links.size() || !lane.backlog.empty())
      continue;
    for (lane_link* idle : lane.links) {
      if (idle->in_flight() != 0 || !idle->alive() || idle->looks_taken()) continue;
      bool moved = false;
      for (lane_link* stuck : lane.links) {
        if (stuck->in_flight() < 2) continue;
        // Functions are long, or one is that was not expected to be.
        if (lane.estimate.mean() < hand_over_ && stuck->oldest_age(now) < hand_over_) continue;
        moved = move_one(*stuck, *idle, now);
        if (moved) break;
      }
      if (!moved) break;  // nor would there be anything for the next
    }
  }
}

/// Where what lies behind something stuck gets on: a worker that does. What has nothing of this
/// gate ahead of it goes to one with nothing at all, lest it goes round.
lane_link* dispatcher::refuge(lane_state& lane, lane_link const& from, bool heads,
                              std::uint64_t now) noexcept {
  lane_link* best = nullptr;
  for (lane_link* each : lane.links) {
    if (each == &from || !each->has_credit() || each->looks_taken()) continue;
    bool const gets_on = each->tokens() != 0 && each->oldest_age(now) < stuck_after();
    if (each->in_flight() != 0 && (heads || !gets_on)) continue;
    if (best == nullptr || each->in_flight() < best->in_flight()) best = each;
  }
  return best;
}

void dispatcher::look_around(std::uint64_t now) noexcept {
  balance(now);
  for (lane_state& lane : lanes_) {
    lane.unstarted = doubt::none;
    if (lane.links.size() < 2) continue;
    for (lane_link* stuck : lane.links) {
      auto const age = stuck->oldest_age(now);
      if (stuck->tokens() == 0 || (age < stuck_after() && lane.unstarted != doubt::none)) continue;
      token_base const* const waiting = first_waiting(*stuck);
      if (waiting == nullptr) continue;
      if (lane.unstarted == doubt::none) lane.unstarted = doubt::seen;
      bool const heads = waiting == stuck->oldest();
      // Nobody knows how long a function of another gate takes; its own are as long as before.
      if (age < (heads ? stuck_after() : std::max(stuck_after(), 2 * lane.estimate.recent_peak())))
        continue;
      while (lane_link* to = refuge(lane, *stuck, heads, now))
        if (!move_one(*stuck, *to, now)) break;
    }
  }
  pump(now);
}

}  // namespace tokengate::detail
