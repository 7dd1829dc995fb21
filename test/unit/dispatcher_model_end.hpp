// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "unit/dispatcher_model.hpp"

// What ends a token in the model.

namespace tokengate::detail::test {

inline void dispatcher_model::balance() {
  for (std::size_t at = 0; at != lanes.size(); ++at) {
    std::size_t in_flight = 0;
    std::size_t count = 0;
    for (link const& l : links) {
      if (l.lane != at) continue;
      in_flight += l.out.size();
      ++count;
    }
    if (in_flight < 2 || count < 2 || !lanes[at].backlog.empty()) continue;
    for (std::size_t idle = 0; idle != links.size(); ++idle) {
      if (links[idle].lane != at || !links[idle].out.empty() || !links[idle].alive) continue;
      for (link& stuck : links) {
        if (stuck.lane != at || stuck.out.size() < 2) continue;
        auto const found = std::ranges::find_if(stuck.out, [&](slot const& s) {
          return s.held && !tokens[*s.held].keyed && !tokens[*s.held].claimed;
        });
        if (found == stuck.out.end()) continue;
        id const moved = *found->held;
        found->held.reset();
        ++lanes[at].waiting;
        dispatch(moved, idle);
        break;
      }
    }
  }
}

/// A caller gives a token up; what follows comes with stop(), as the note is worked off.
inline void dispatcher_model::stop_request(id t, bool running_too) {
  tokens[t].flags |= static_cast<std::uint8_t>(token_base::stop_noted |
                                               (running_too ? token_base::stop_requested : 0));
}

inline void dispatcher_model::stop(id t) {
  token& it = tokens[t];
  it.note_worked_off = true;
  if (it.held_for_note) {
    it.held_for_note = false;
    it.where = place::ready;
    ready.push_back(t);
    return;
  }
  if ((it.flags & token_base::ended) != 0) return;
  if (take_out(t))
    settle(t, token_state::cancelled, error::cancelled);
  else if (std::exchange(it.ask_later, false)) {
    it.note_worked_off = false;
    to_stop.push_back(t);
  }
}

inline bool dispatcher_model::kill(id t) {
  place const where = tokens[t].where;
  if (where == place::outside || where == place::ready) return false;
  if (tokens[t].policy == own_work && !tokens[t].claimed) return false;
  if (take_out(t))
    settle(t, token_state::killed, error::killed);
  else
    stop_running(t);
  return true;
}

inline void dispatcher_model::stop_running(id t) {
  token& it = tokens[t];
  auto const before = it.flags;
  it.flags |= token_base::stop_requested;
  if (!it.extras || !it.hears_stop) return;
  it.flags |= token_base::stop_noted;
  if ((before & (token_base::ended | token_base::stop_requested)) != 0) return;
  if ((before & token_base::stop_noted) != 0 && !it.note_worked_off) {
    it.ask_later = true;
    return;
  }
  it.note_worked_off = false;
  to_stop.push_back(t);
}

inline void dispatcher_model::expire(std::int64_t now) {
  for (;;) {
    std::optional<id> first;
    for (id t = 0; t != tokens.size(); ++t)
      if (tokens[t].watched <= now && (!first || tokens[t].watched < tokens[*first].watched))
        first = t;
    if (!first) return;
    token& it = tokens[*first];
    it.watched = never;
    if (now < it.deadline) {
      if (take_out(*first)) settle(*first, token_state::rejected, error::backlog_full);
    } else if (take_out(*first)) {
      settle(*first, token_state::timed_out, error::deadline_passed);
    } else {
      stop_running(*first);
    }
  }
}

inline bool dispatcher_model::take_out(id t) {
  token& it = tokens[t];
  lane& in = lanes[it.lane];
  switch (it.where) {
    case place::outside:
    case place::ready:
      return false;
    case place::waiting_room:
      remove(in.room, t);
      return true;
    case place::slot: {
      if (it.claimed) return false;
      auto& out = links[it.link].out;
      std::ranges::find_if(out, [&](slot const& s) { return s.held == t; })->held.reset();
      return true;
    }
    case place::backlog:
      remove(in.backlog, t);
      break;
    case place::limited:
      remove(operations[it.operation].limited, t);
      if (it.keyed && --keys.at(*it.key).blocked == 0) {
        auto& followers = keys.at(*it.key).followers;
        for (; !followers.empty(); followers.pop_back()) to_backlog_front(followers.back());
      }
      break;
    case place::follower:
      remove(keys.at(*it.key).followers, t);
      break;
    case place::pinned:
      remove(links[it.link].pinned, t);
      break;
  }
  --in.waiting;
  return true;
}

inline void dispatcher_model::release(id t) {
  token& it = tokens[t];
  it.watched = never;
  if (std::exchange(it.granted, false)) {
    operation& op = operations[it.operation];
    --op.out;
    if (!op.limited.empty()) {
      id const next = op.limited.front();
      ++op.out;
      tokens[next].granted = true;
      take_out(next);
      ++lanes[tokens[next].lane].waiting;
      to_backlog_front(next);
    }
  }
  if (std::exchange(it.keyed, false) && --keys.at(*it.key).tokens == 0) keys.erase(*it.key);
}

inline void dispatcher_model::settle(id t, token_state outcome, error why) {
  token& it = tokens[t];
  it.outcome = outcome;
  it.why = why;
  if (it.extras) {
    release(t);
    auto const before = it.flags;
    it.flags |= token_base::ended;
    if ((before & token_base::stop_noted) != 0 && !it.note_worked_off) {
      it.held_for_note = true;
      it.where = place::outside;
      return;
    }
  }
  it.where = place::ready;
  ready.push_back(t);
}

inline void dispatcher_model::withdraw_all(token_state outcome, error why) {
  auto const end = [&](id t) {
    if (take_out(t)) settle(t, outcome, why);
  };
  for (lane& in : lanes)
    while (!in.room.empty()) end(in.room.front());
  for (;;) {
    std::deque<id> const* first = nullptr;
    auto const look = [&](std::deque<id> const& at) {
      if (first == nullptr && !at.empty()) first = &at;
    };
    for (lane const& in : lanes) look(in.backlog);
    for (operation const& op : operations) look(op.limited);
    for (auto const& [name, of] : keys) look(of.followers);
    for (link const& l : links) look(l.pinned);
    if (first == nullptr) break;
    end(first->front());
  }
  for (link& l : links)
    for (slot& s : l.out)
      if (s.held && !tokens[*s.held].claimed) end(id(*s.held));
}

inline void dispatcher_model::bury(std::size_t dead, std::int64_t now) {
  links[dead].alive = false;
  for (auto& [name, of] : keys)
    if (of.bound == dead) of.bound.reset();
  auto& pinned = links[dead].pinned;
  for (; !pinned.empty(); pinned.pop_back()) to_backlog_front(pinned.back());
  if (std::ranges::any_of(links, &link::alive)) return pump(now);
  if (closed == error{}) closed = error::stopped;
  withdraw_all(token_state::cancelled, error::stopped);
}

}  // namespace tokengate::detail::test
