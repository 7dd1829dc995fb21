// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "tokengate/detail/own_work.hpp"
#include "tokengate/detail/token_base.hpp"

namespace tokengate::detail::test {

/// The dispatcher once more, plain: ids in deques, no intrusive lists, no atomics, no rings. It is
/// told what only the real one can know (which worker won a claim) and asked what must hold then.
class dispatcher_model {
 public:
  using id = std::size_t;
  using place = token_base::place;
  static constexpr std::int64_t never = INT64_MAX;

  struct token {
    std::size_t operation = 0;
    std::size_t lane = 0;
    std::optional<std::uint64_t> key{};
    std::int64_t deadline = never;
    std::int64_t admit_until = never;
    admission policy = admission::wait;
    bool extras = false;
    bool hears_stop = false;  ///< its function takes a std::stop_token

    place where = place::outside;
    bool keyed = false;  ///< counts for its key
    bool granted = false;
    bool claimed = false;
    std::int64_t watched = never;
    std::size_t link = 0;
    std::uint8_t flags = 0;
    bool note_worked_off = false;
    bool ask_later = false;
    bool held_for_note = false;
    token_state outcome = token_state::created;
    error why{};
  };
  struct slot {
    std::optional<id> held;
  };
  struct link {
    std::size_t lane;
    bool alive = true;
    std::deque<slot> out{};
    std::deque<id> pinned{};
  };
  struct operation {
    std::size_t max = 0;
    std::size_t out = 0;
    std::deque<id> limited{};
  };
  struct key {
    std::size_t tokens = 0;
    std::size_t lane = 0;
    std::optional<std::size_t> bound{};
    std::size_t blocked = 0;
    std::deque<id> followers{};
  };
  struct lane {
    std::deque<id> backlog{};
    std::deque<id> room{};
    std::size_t waiting = 0;
  };

  dispatcher_model(std::size_t backlog, std::size_t room, std::size_t credits)
      : backlog_(backlog), room_(room), credits_(credits) {}

  void admit(id t, std::int64_t now);
  void pump(std::int64_t now);
  /// The oldest slot of a link came back; the worker set `outcome` if it ran.
  void give_back(std::size_t from, std::int64_t now);
  void balance();
  void stop_request(id t, bool running_too);
  void stop(id t);
  bool kill(id t);
  void expire(std::int64_t now);
  void withdraw_all(token_state outcome, error why);
  void bury(std::size_t dead, std::int64_t now);

  std::vector<token> tokens;
  std::vector<link> links;
  std::vector<operation> operations;
  std::map<std::uint64_t, key> keys;
  std::array<lane, 3> lanes;
  std::deque<id> ready;
  std::deque<id> to_stop;
  error closed{};

 private:
  enum class step { dispatched, set_aside, no_credit };

  void enter(id t);
  step try_dispatch(id t);
  void dispatch(id t, std::size_t to);
  bool has_credit(std::size_t l) const { return links[l].alive && links[l].out.size() < credits_; }
  void watch(id t, std::int64_t until) {
    if (tokens[t].watched == never) tokens[t].watched = until;
  }
  bool take_out(id t);
  void settle(id t, token_state outcome, error why);
  void release(id t);
  void stop_running(id t);
  void to_backlog_front(id t) {
    tokens[t].where = place::backlog;
    lanes[tokens[t].lane].backlog.push_front(t);
  }
  static void remove(std::deque<id>& from, id t) { std::erase(from, t); }

  std::size_t const backlog_;
  std::size_t const room_;
  std::size_t const credits_;
};

inline void dispatcher_model::admit(id t, std::int64_t now) {
  token& it = tokens[t];
  if (closed != error{}) return settle(t, token_state::rejected, closed);
  if ((it.flags & token_base::stop_noted) != 0)
    return settle(t, token_state::cancelled, error::cancelled);
  if (now >= it.deadline) return settle(t, token_state::timed_out, error::deadline_passed);
  if (it.key) {
    key& of = keys[*it.key];
    if (of.tokens++ == 0) of.lane = it.lane;
    it.keyed = true;
    it.lane = of.lane;
  }
  lane& in = lanes[it.lane];
  if (in.waiting < backlog_ && in.room.empty()) return enter(t);
  if (it.policy == admission::try_now || (in.room.size() >= room_ && it.policy != own_work))
    return settle(t, token_state::rejected, error::backlog_full);
  it.where = place::waiting_room;
  in.room.push_back(t);
  if (auto const until = std::min(it.admit_until, it.deadline); until != never) watch(t, until);
}

inline void dispatcher_model::enter(id t) {
  token& it = tokens[t];
  lane& in = lanes[it.lane];
  ++in.waiting;
  step const done = in.backlog.empty() ? try_dispatch(t) : step::no_credit;
  if (done == step::dispatched) return;
  if (done == step::no_credit) {
    it.where = place::backlog;
    in.backlog.push_back(t);
  }
  if (it.deadline != never) watch(t, it.deadline);
}

inline dispatcher_model::step dispatcher_model::try_dispatch(id t) {
  token& it = tokens[t];
  key* const of = it.keyed ? &keys.at(*it.key) : nullptr;
  operation& op = operations[it.operation];
  if (of != nullptr && of->blocked != 0 && !it.granted) {
    it.where = place::follower;
    of->followers.push_back(t);
    return step::set_aside;
  }
  if (op.max != 0 && !it.granted) {
    if (op.out >= op.max || !op.limited.empty()) {
      it.where = place::limited;
      op.limited.push_back(t);
      if (of != nullptr) ++of->blocked;
      return step::set_aside;
    }
    ++op.out;
    it.granted = true;
  }
  if (of != nullptr && of->bound && links[*of->bound].alive) {
    if (has_credit(*of->bound) && links[*of->bound].pinned.empty()) {
      dispatch(t, *of->bound);
      return step::dispatched;
    }
    it.where = place::pinned;
    it.link = *of->bound;
    links[*of->bound].pinned.push_back(t);
    return step::set_aside;
  }
  // The shortest queue; among equals where no other lane runs on the core, or only the heavy one,
  // then the first.
  std::optional<std::size_t> best;
  std::pair<std::size_t, int> best_cost{SIZE_MAX, 0};
  for (std::size_t l = 0; l != links.size(); ++l) {
    if (links[l].lane != it.lane || !has_credit(l)) continue;
    int company = 0;
    for (std::size_t other = l / 3 * 3; other != l / 3 * 3 + 3; ++other)
      if (other != l && !links[other].out.empty())
        company = std::max(company, links[other].lane == lane_index(weight::heavy) ? 1 : 2);
    std::pair const cost{links[l].out.size(), company};
    if (cost < best_cost) {
      best = l;
      best_cost = cost;
    }
  }
  if (!best) return step::no_credit;
  if (of != nullptr) of->bound = best;
  dispatch(t, *best);
  return step::dispatched;
}

inline void dispatcher_model::dispatch(id t, std::size_t to) {
  token& it = tokens[t];
  --lanes[it.lane].waiting;
  if (it.deadline != never && (!links[to].out.empty() || it.hears_stop)) watch(t, it.deadline);
  it.where = place::slot;
  it.link = to;
  links[to].out.push_back({t});
}

inline void dispatcher_model::pump(std::int64_t now) {
  for (std::size_t l = 0; l != links.size(); ++l)
    while (!links[l].pinned.empty() && has_credit(l)) {
      id const t = links[l].pinned.front();
      links[l].pinned.pop_front();
      dispatch(t, l);
    }
  for (lane& in : lanes) {
    for (;;) {
      while (!in.backlog.empty()) {
        id const t = in.backlog.front();
        if (tokens[t].deadline <= now) {
          take_out(t);
          settle(t, token_state::timed_out, error::deadline_passed);
          continue;
        }
        in.backlog.pop_front();
        if (try_dispatch(t) != step::no_credit) continue;
        to_backlog_front(t);
        break;
      }
      if (in.room.empty() || in.waiting >= backlog_) break;
      while (!in.room.empty() && in.waiting < backlog_) {
        id const t = in.room.front();
        in.room.pop_front();
        tokens[t].watched = never;
        enter(t);
      }
      if (!in.backlog.empty()) break;
    }
  }
}

inline void dispatcher_model::give_back(std::size_t from, std::int64_t now) {
  auto const held = links[from].out.front().held;
  links[from].out.pop_front();
  if (!held) return;
  token const& it = tokens[*held];
  if (it.outcome != token_state::created) return settle(*held, it.outcome, it.why);
  bool const expired = it.deadline <= now;
  settle(*held, expired ? token_state::timed_out : token_state::cancelled,
         expired ? error::deadline_passed : error::stopped);
}

}  // namespace tokengate::detail::test
