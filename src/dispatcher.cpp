// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/dispatcher.hpp"

#include <algorithm>

#include "tokengate/detail/own_work.hpp"
#include "tokengate/detail/tick_clock.hpp"

// The way in: admission, routing, dispatch. The way back is in dispatcher_end.cpp.

namespace tokengate::detail {

lane_link& dispatcher::add_link(std::shared_ptr<link> shared, worker_front& worker) {
  auto added = std::make_unique<lane_link>(std::move(shared), worker);
  link const& to = added->shared();
  lane_state& lane = lanes_[to.lane];
  if (core_load_.size() <= to.core) core_load_.resize(to.core + 1);
  lane.links.reserve(lane.links.size() + 1);
  links_.push_back(std::move(added));
  lane.links.push_back(links_.back().get());
  return *links_.back();
}

void dispatcher::admit_with_terms(token_base& token, std::uint64_t now) noexcept {
  if (token.extras != nullptr && token.extras->lead != 0) join_chain(token.extras->lead);
  if (closed()) return settle(token, token_state::rejected, closed_);
  token_extras* extras = token.extras;
  if (extras != nullptr) {
    // A note of that request that is still on its way holds the token back until it is worked off.
    if ((token.flags.load(std::memory_order_relaxed) & token_base::stop_noted) != 0)
      return settle(token, token_state::cancelled, error::cancelled);
    if (extras->deadline != time_point::max()) {
      auto const at = now_();
      if (at >= extras->deadline)
        return settle(token, token_state::timed_out, error::deadline_passed);
      if (cannot_make_it(token, at)) return settle(token, token_state::rejected, error::overloaded);
    }
    if (extras->has_key) {
      try {
        key_record& record = keys_[extras->key];
        if (record.tokens++ == 0) record.lane = token.lane;
        extras->bound = &record;
        // All live tokens of a key share a lane, or their order would depend on two backlogs.
        token.lane = record.lane;
      } catch (...) {
        return settle(token, token_state::rejected, error::overloaded);
      }
    }
  }
  lane_state& lane = lanes_[token.lane];
  if (lane.waiting < bounds_.backlog && lane.room.empty())
    enter(token, now);
  else
    wait_for_room(lane, token);
}

void dispatcher::wait_for_room(lane_state& lane, token_base& token) noexcept {
  bool const full = lane.room.size() >= bounds_.waiting_room && token.policy != own_work;
  if (token.policy == admission::try_now || full)
    return settle(token, token_state::rejected, error::backlog_full);
  token.where = token_base::place::waiting_room;
  lane.room.push_back(token);
  if (token_extras* extras = token.extras) {
    auto const until = std::min(extras->admit_until, extras->deadline);
    if (until != time_point::max()) watch(token, until);
  }
}

/// Whether a token is expected to end too late, by what is ahead of it in the lane and its own run
/// time; only for tokens that have a deadline. An eighth is for what estimates do not know: it
/// costs nothing, as workers that have a backlog do not run dry for it.
bool dispatcher::cannot_make_it(token_base& token, time_point at) const noexcept {
  lane_state const& lane = lanes_[token.lane];
  if (lane.waiting == 0 || !lane.estimate.known() || lane.links.empty()) return false;
  std::uint64_t const ahead = lane.waiting + lane.in_flight;
  auto const& own = token.operation->estimate.known() ? token.operation->estimate : lane.estimate;
  auto const queue =
      std::max(ahead * lane.estimate.mean() / lane.links.size(), ahead * lane.pace.mean());
  auto const needed = queue + own.mean();
  auto const wait = tick_clock::to_ns(needed + needed / 8 + hand_over_);
  return token.extras->deadline - at < std::chrono::nanoseconds(wait);
}

void dispatcher::enter(token_base& token, std::uint64_t now) noexcept {
  lane_state& lane = lanes_[token.lane];
  ++lane.waiting;
  if (lane.backlog.empty()) {
    auto const done = try_dispatch(token, now);
    if (done == step::dispatched) return;
    if (done == step::set_aside) {
      if (token.deadline() != time_point::max()) watch(token, token.deadline());
      return;
    }
  }
  wait(lane, token);
  if (token.deadline() != time_point::max()) watch(token, token.deadline());
}

/// The first in its lane, if nothing is to be known of it but that.
void dispatcher::send_off_or_wait(token_base& token, std::uint64_t now) noexcept {
  lane_state& lane = lanes_[token.lane];
  if (lane_link* const to = route(lane, token_extras::no_core, now))
    return send_off(token, *to, now);
  ++lane.waiting;
  wait(lane, token);
}

dispatcher::step dispatcher::try_dispatch(token_base& token, std::uint64_t now) noexcept {
  lane_state& lane = lanes_[token.lane];
  token_extras* extras = token.extras;
  key_record* key = extras != nullptr ? extras->bound : nullptr;
  operation_record& operation = *token.operation;

  bool const granted = extras != nullptr && extras->granted;
  if (key != nullptr && key->blocked != 0 && !granted) {
    token.where = token_base::place::follower;
    key->followers.push_back(token);
    return step::set_aside;
  }
  if (operation.options.max_concurrency != 0 && !granted) {
    if (operation.out >= operation.options.max_concurrency || !operation.limited.empty()) {
      token.where = token_base::place::limited;
      operation.limited.push_back(token);
      if (key != nullptr) ++key->blocked;
      return step::set_aside;
    }
    ++operation.out;
    extras->granted = true;
  }

  if (key != nullptr && key->bound != nullptr && key->bound->alive()) {
    if (key->bound->has_credit() && key->bound->pinned.empty()) {
      --lane.waiting;
      dispatch(token, *key->bound, now);
      return step::dispatched;
    }
    token.where = token_base::place::pinned;
    key->bound->pinned.push_back(token);
    return step::set_aside;
  }
  lane_link* to = route(lane, extras != nullptr ? extras->near_core : token_extras::no_core, now);
  if (to == nullptr) return step::no_credit;
  if (key != nullptr) key->bound = to;
  --lane.waiting;
  dispatch(token, *to, now);
  return step::dispatched;
}

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
  core_load const& there = core_load_[worker.shared().core];
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

/// The first in flight on a link, or no more of them.
void dispatcher::count_busy(link const& one, bool busy) noexcept {
  auto const step = busy ? 1u : ~0u;
  lanes_[one.lane].busy += static_cast<std::size_t>(busy ? 1 : -1);
  core_load& there = core_load_[one.core];
  if (there.all == 0) ++busy_cores_;
  there.all += step;
  if (there.all == 0) --busy_cores_;
  if (one.lane == lane_index(weight::heavy)) there.heavy += step;
}

void dispatcher::dispatch(token_base& token, lane_link& to, std::uint64_t now) noexcept {
  if (!token.simple) [[unlikely]]
    return dispatch_with_terms(token, to, now);
  send_off(token, to, now);
}

/// A function with a std::stop_token has to hear of its deadline while it runs; any other token is
/// watched only if it may have to wait in the mailbox.
void dispatcher::dispatch_with_terms(token_base& token, lane_link& to, std::uint64_t now) noexcept {
  if (token.extras != nullptr && token.extras->deadline != time_point::max() &&
      token.extras->heap_index == not_in_heap &&
      (to.in_flight() != 0 || to.looks_taken() || token.ops->request_stop != nullptr))
    watch(token, token.extras->deadline);
  send_off(token, to, now);
}

inline void dispatcher::send_off(token_base& token, lane_link& to, std::uint64_t now) noexcept {
  lane_state& lane = lanes_[token.lane];
  ++lane.in_flight;
  ++held_;
  bool const first = to.in_flight() == 0;
  token.dispatched = span_of(token.issued, now);
  auto const& estimate = token.operation->estimate;
  auto const longest = estimate.recent_peak();
  auto const expected = !estimate.known() || longest >= hand_over_ ? run_length::lengthy
                        : longest < brief_                         ? run_length::brief
                                                                   : run_length::medium;
  if (!to.has_staged()) to.next_dirty = std::exchange(dirty_, &to);
  lane.unstarted = doubt::fresh;
  to.stage(token, expected);
  if (first) [[unlikely]]
    count_busy(to.shared(), true);
}

void dispatcher::pump(std::uint64_t now) noexcept {
  moved_up_ = false;
  for (auto& link : links_)
    while (!link->pinned.empty() && link->has_credit()) {
      token_base& token = *link->pinned.pop_front();
      --lanes_[token.lane].waiting;
      dispatch(token, *link, now);
    }
  for (lane_state& lane : lanes_) {
    lane.pace.look(now, lane.waiting != 0);
    for (;;) {
      while (token_base* token = lane.backlog.front()) {
        if (token->simple) {
          lane_link* const to = route(lane, token_extras::no_core, now);
          if (to == nullptr) break;
          lane.backlog.remove(*token);
          __builtin_prefetch(lane.backlog.front());
          --lane.waiting;
          dispatch(*token, *to, now);
          continue;
        }
        if (token->deadline() != time_point::max() && token->deadline() <= now_()) {
          end_unstarted(*token, token_state::timed_out, error::deadline_passed);
          continue;
        }
        lane.backlog.remove(*token);
        if (try_dispatch(*token, now) != step::no_credit) continue;
        lane.backlog.push_front(*token);
        token->where = token_base::place::backlog;
        break;
      }
      if (lane.room.empty() || lane.waiting >= bounds_.backlog) break;
      admit_from_room(lane, now);
      if (!lane.backlog.empty()) break;
    }
  }
}

void dispatcher::admit_from_room(lane_state& lane, std::uint64_t now) noexcept {
  while (!lane.room.empty() && lane.waiting < bounds_.backlog) {
    token_base& token = *lane.room.pop_front();
    unwatch(token);
    enter(token, now);
  }
}

void dispatcher::watch(token_base& token, time_point until) noexcept {
  if (token.extras->heap_index != not_in_heap) return;
  try {
    watched_.push(until, *token.extras);
  } catch (...) {
    // Without memory the deadline is still checked at dispatch and at pick-up.
  }
}

void dispatcher::unwatch(token_base& token) noexcept {
  if (token.extras != nullptr) watched_.remove(*token.extras);
}

dispatcher::time_point dispatcher::next_expiry() const noexcept {
  return watched_.next().value_or(time_point::max());
}

}  // namespace tokengate::detail
