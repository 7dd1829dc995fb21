// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>
#include <utility>

#include "tokengate/detail/dispatcher.hpp"
#include "tokengate/detail/own_work.hpp"

// The way back: returned slots, withdrawal, expiry, and what ends a token.

namespace tokengate::detail {
token_base* dispatcher::give_back(lane_link& from) noexcept {
  --lanes_[from.shared().lane].in_flight;
  token_base* const token = from.take_back();
  if (token == nullptr || token->outcome == token_state::created || token->extras != nullptr ||
      !chains_.empty()) [[unlikely]]
    return give_back_with_terms(from, token);
  --held_;
  learn(from, *token);
  token->operation->outcomes[static_cast<std::size_t>(token->outcome)].add();
  token->where = token_base::place::ready;
  ready_.push_back(*token);
  if (from.in_flight() == 0) [[unlikely]]
    count_busy(from.shared(), false);
  return token;
}

token_base* dispatcher::give_back_with_terms(lane_link& from, token_base* token) noexcept {
  if (from.in_flight() == 0) count_busy(from.shared(), false);
  if (token == nullptr) return nullptr;
  --held_;
  if (token->outcome == token_state::created) {
    // The worker could not start it: it found the deadline passed, or it has ended itself.
    bool const expired = token->deadline() <= now_();
    settle(*token, expired ? token_state::timed_out : token_state::cancelled,
           expired ? error::deadline_passed : error::stopped);
    return nullptr;
  }
  learn(from, *token);
  settle(*token, token->outcome, error{});
  return token;
}

/// From how long a function took.
void dispatcher::learn(lane_link& from, token_base const& token) noexcept {
  lane_state& lane = lanes_[from.shared().lane];
  auto const ran = ticks_of(token.ran);
  lane.estimate.add(ran);
  lane.pace.finished();
  if (from.learn(lane.estimate, hand_over_))
    lane.in_a_wake_up = from.credits() - lane_link::min_credits;
  token.operation->estimate.add(ran);
}

void dispatcher::stop(token_base& token) noexcept {
  token_extras& extras = *token.extras;
  extras.note_worked_off = true;
  if (extras.held_for_note) {
    extras.held_for_note = false;
    --held_back_;
    token.where = token_base::place::ready;
    ready_.push_back(token);
    return;
  }
  if ((token.flags.load(std::memory_order_relaxed) & token_base::ended) != 0) return;
  if (take_out(token))
    settle(token, token_state::cancelled, error::cancelled);
  else if (std::exchange(extras.ask_later, false))
    ask(token);
}

void dispatcher::expire(time_point now) noexcept {
  while (token_extras* extras = watched_.pop_expired(now)) {
    token_base& token = *extras->owner;
    if (now < extras->deadline) {
      // It was watched for its place in the backlog, which it did not get in time.
      end_unstarted(token, token_state::rejected, error::backlog_full);
    } else if (take_out(token)) {
      settle(token, token_state::timed_out, error::deadline_passed);
    } else {
      stop_running(token);
    }
  }
}

void dispatcher::stop_running(token_base& token) noexcept {
  if (token.extras == nullptr || token.ops->request_stop == nullptr) {
    token.flags.fetch_or(token_base::stop_requested, std::memory_order_relaxed);
    return;
  }
  // Stop callbacks are user code, so they run outside the combiner; until then the token is kept as
  // if somebody had left a stop note, and signal_stops() leaves it.
  auto const before = token.flags.fetch_or(token_base::stop_requested | token_base::stop_noted,
                                           std::memory_order_acq_rel);
  if ((before & token_base::ended) != 0) return;
  if ((before & token_base::stop_requested) != 0) return;  // whoever set it asks the function
  if ((before & token_base::stop_noted) != 0 && !token.extras->note_worked_off) {
    // The note of a mere withdrawal is on its way: ask when it has come, see stop().
    token.extras->ask_later = true;
    return;
  }
  ask(token);
}

void dispatcher::ask(token_base& token) noexcept {
  token.extras->note_worked_off = false;
  to_stop_.push_back(token);
}

/// A look, while its worker may be about to start it.
bool dispatcher::looks_started(token_base const& token) noexcept {
  return token.where == token_base::place::slot && token.way.in.slot->look() == nullptr;
}

bool dispatcher::kill(std::uint64_t id) noexcept {
  token_base* found = nullptr;
  for_each([&](token_base& token) {
    if (token.way.in.id == id) found = &token;
  });
  if (found == nullptr) return false;
  if (found->policy == own_work && !looks_started(*found)) return false;
  if (take_out(*found))
    settle(*found, token_state::killed, error::killed);
  else
    stop_running(*found);
  return true;
}

void dispatcher::stop_all_running() noexcept {
  for (auto& link : links_)
    link->for_each_out([&](token_base& token, slot&) { stop_running(token); });
}

void dispatcher::join_chain(std::uint64_t lead) noexcept {
  try {
    auto const [at, fresh] = chains_.try_emplace(lead, 1);
    ++at->second;
  } catch (...) {
    // Without memory the chain is missing from the books; its tokens are not.
  }
}

void dispatcher::leave_chain(std::uint64_t lead) noexcept {
  auto const found = chains_.find(lead);
  if (found == chains_.end() || --found->second != 0) return;
  chains_.erase(found);
  ++chains_ended_;
}

bool dispatcher::pull_back(lane_link& from, slot& place) noexcept {
  if (!from.pull_back(place)) return false;
  --held_;
  return true;
}

/// Takes a token that has not started out of wherever it is. False when it has started.
bool dispatcher::take_out(token_base& token) noexcept {
  lane_state& lane = lanes_[token.lane];
  key_record* key = token.extras != nullptr ? token.extras->bound : nullptr;
  switch (token.where) {
    case token_base::place::outside:
    case token_base::place::ready:
      return false;
    case token_base::place::waiting_room:
      lane.room.remove(token);
      return true;
    case token_base::place::backlog:
      lane.backlog.remove(token);
      break;
    case token_base::place::limited:
      token.operation->limited.remove(token);
      if (key != nullptr && --key->blocked == 0) {
        // In front of the backlog, in their order.
        while (token_base* last = key->followers.pop_back()) {
          last->where = token_base::place::backlog;
          lanes_[last->lane].backlog.push_front(*last);
        }
      }
      break;
    case token_base::place::follower:
      key->followers.remove(token);
      break;
    case token_base::place::pinned:
      key->bound->pinned.remove(token);
      break;
    case token_base::place::slot: {
      slot& place = *token.way.in.slot;
      for (lane_link* holder : lane.links)
        if (&place >= holder->shared().slots.data() &&
            &place < holder->shared().slots.data() + link::capacity)
          return pull_back(*holder, place);
      return false;
    }
  }
  --lane.waiting;
  moved_up_ = true;
  return true;
}

void dispatcher::end_unstarted(token_base& token, token_state outcome, error why) noexcept {
  if (take_out(token)) settle(token, outcome, why);
}

/// Gives up what the token holds besides its place.
void dispatcher::release(token_base& token) noexcept {
  token_extras& extras = *token.extras;
  watched_.remove(extras);
  if (std::exchange(extras.granted, false)) {
    operation_record& operation = *token.operation;
    --operation.out;
    if (token_base* next = operation.limited.front()) {
      // To the front: it has waited longer than what is in the backlog now. It keeps the place.
      ++operation.out;
      next->extras->granted = true;
      (void)take_out(*next);
      lane_state& lane = lanes_[next->lane];
      ++lane.waiting;
      next->where = token_base::place::backlog;
      lane.backlog.push_front(*next);
    }
  }
  if (key_record* key = std::exchange(extras.bound, nullptr); key != nullptr && --key->tokens == 0)
    keys_.erase(extras.key);
}

void dispatcher::settle(token_base& token, token_state outcome, error why) noexcept {
  token.outcome = outcome;
  if (why != error{}) token.way.in.why = why;
  if (why == error::backlog_full || why == error::overloaded) ++refused_;
  if (outcome == token_state::cancelled) ++withdrawn_;
  token.operation->outcomes[static_cast<std::size_t>(outcome)].add();
  if (!chains_.empty()) [[unlikely]] {
    leave_chain(token.way.in.id);
    if (token.extras != nullptr && token.extras->lead != 0) leave_chain(token.extras->lead);
  }
  if (token_extras* extras = token.extras) {
    release(token);
    // acq_rel: a stop request either sees `ended` and leaves no note, or its note is awaited here.
    auto const before = token.flags.fetch_or(token_base::ended, std::memory_order_acq_rel);
    if ((before & token_base::stop_noted) != 0 && !extras->note_worked_off) {
      extras->held_for_note = true;
      ++held_back_;
      token.where = token_base::place::outside;
      return;
    }
  }
  token.where = token_base::place::ready;
  ready_.push_back(token);
}

void dispatcher::bury(lane_link& dead, std::uint64_t now) noexcept {
  dead.bury();
  for (auto& [key, record] : keys_)
    if (record.bound == &dead) record.bound = nullptr;
  while (token_base* token = dead.pinned.pop_back()) {
    token->where = token_base::place::backlog;
    lanes_[token->lane].backlog.push_front(*token);
  }
  for (auto& link : links_)
    if (link->alive()) return pump(now);
  if (!closed()) close(error::stopped);
  withdraw_all(token_state::cancelled, error::stopped);
}

token_base* dispatcher::any_waiting() noexcept {
  for (lane_state& lane : lanes_)
    if (token_base* token = lane.backlog.front()) return token;
  for (operation_record* operation : operations_)
    if (token_base* token = operation->limited.front()) return token;
  for (auto& [key, record] : keys_)
    if (token_base* token = record.followers.front()) return token;
  for (auto& link : links_)
    if (token_base* token = link->pinned.front()) return token;
  return nullptr;
}

void dispatcher::withdraw_all(token_state outcome, error why) noexcept {
  for (lane_state& lane : lanes_)
    while (token_base* token = lane.room.front()) end_unstarted(*token, outcome, why);
  // Ending one may move others into a backlog, hence the search until all lists are empty.
  while (token_base* token = any_waiting()) end_unstarted(*token, outcome, why);
  for (auto& link : links_)
    link->for_each_out([&](token_base& token, slot& place) {
      if (pull_back(*link, place)) settle(token, outcome, why);
    });
}

}  // namespace tokengate::detail
