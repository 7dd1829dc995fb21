// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/dispatcher.hpp"

#include <algorithm>

#include "tokengate/detail/own_work.hpp"
#include "tokengate/detail/tick_clock.hpp"

// The way in: admission and dispatch. To which worker is in dispatcher_route.cpp, the way back in
// dispatcher_end.cpp.

namespace tokengate::detail {

lane_link& dispatcher::add_link(std::shared_ptr<link> shared, worker_front& worker) {
  auto added = std::make_unique<lane_link>(std::move(shared), worker);
  link const& to = added->shared();
  lane_state& lane = lanes_[to.lane];
  if (busy_links_.size() <= to.core) busy_links_.resize(to.core + 1);
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

/// The first in flight on a link, or no more of them.
void dispatcher::count_busy(link const& one, bool busy) noexcept {
  auto const step = busy ? 1u : ~0u;
  lanes_[one.lane].busy += static_cast<std::size_t>(busy ? 1 : -1);
  busy_links& there = busy_links_[one.core];
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

void dispatcher::send_off(token_base& token, lane_link& to, std::uint64_t now) noexcept {
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
  if (!to.has_staged()) {
    // The first to get something is the first to be woken.
    to.next_dirty = nullptr;
    *std::exchange(dirty_end_, &to.next_dirty) = &to;
  }
  lane.unstarted = doubt::fresh;
  to.stage(token, expected);
  // By the mean: one that took long once, because its worker was preempted, keeps no others away.
  if (expected == run_length::lengthy && (!estimate.known() || estimate.mean() >= hand_over_))
    to.note_lengthy();
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
          send_off(*token, *to, now);
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
