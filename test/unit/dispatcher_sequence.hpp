// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tokengate/detail/dispatcher.hpp"
#include "unit/dispatcher_model_end.hpp"

// A sequence of operations on the dispatcher and on a plain model of it, compared after every step.
// Whoever drives it plays the workers. The random test and the fuzz target do.

namespace tokengate::detail::test {

inline constexpr std::size_t backlog = 4;
inline constexpr std::size_t room = 3;
inline constexpr std::size_t credits = 2;  // what functions get whose run time measures 0
inline constexpr std::size_t cores = 2;

using time_point = dispatcher::time_point;
inline std::int64_t clock_now = 0;
inline time_point manual_now() noexcept {
  return time_point(std::chrono::nanoseconds(clock_now));
}

inline void no_request(token_base&) noexcept {}
inline constexpr token_ops plain{nullptr, nullptr, nullptr, nullptr};
inline constexpr token_ops stoppable{nullptr, nullptr, &no_request, nullptr};

struct stub : token_base {
  stub(token_ops const& ops, operation_record& of, std::size_t at)
      : token_base(ops, of), index(at) {}
  std::size_t index;
  token_extras more;
  bool pending_note = false;
  int delivered = 0;
};

#define REQUIRE(condition) \
  if (!(condition)) throw std::runtime_error(std::string("does not hold: " #condition))

/// One sequence. `choices` decides every step: pick(n) gives a number below n, ended() whether
/// there is nothing more to decide by.
template <class Choices>
class dispatcher_sequence {
 public:
  explicit dispatcher_sequence(Choices& choices)
      : choices_(choices), model_(backlog, room, credits) {
    clock_now = 1'000'000;
    for (std::size_t max : {0, 1, 2}) {
      token_options options;
      options.max_concurrency = static_cast<std::uint32_t>(max);
      operations_.push_back(std::make_unique<operation_record>("op", options));
      real_.add_operation(*operations_.back());
      model_.operations.push_back({max});
    }
    for (std::size_t at = 0; at != 3 * cores; ++at) {
      auto made = std::make_shared<link>(nullptr, at, at / 3, static_cast<std::uint8_t>(at % 3));
      real_.add_link(made, fronts_[at]);
      model_.links.push_back({at % 3});
      workers_.push_back({std::move(made)});
    }
  }

  void run(std::size_t steps) {
    for (at_ = 0; at_ != steps && !choices_.ended(); ++at_) {
      step(pick(100));
      signal_stops();
      if (real_.wants_pump()) pump();
      compare();
    }
    finish();
  }
  std::size_t at_ = 0;

 private:
  struct worker {
    std::shared_ptr<link> to;
    std::uint64_t seen = 0;
    std::deque<slot*> taken{};
    slot* running = nullptr;
    token_base* token = nullptr;
    bool dead = false;
  };

  std::size_t pick(std::size_t below) { return choices_.pick(below); }
  stub* any_token() { return tokens_.empty() ? nullptr : tokens_[pick(tokens_.size())].get(); }

  void step(std::size_t what) {
    if (what < 30) {
      issue();
    } else if (what < 40) {
      flush();
    } else if (what < 66) {
      work(pick(workers_.size()));
    } else if (what < 80) {
      collect();
    } else if (what < 86) {
      if (stub* token = any_token(); token != nullptr && token->extras != nullptr)
        request_stop(*token, pick(2) != 0);
    } else if (what < 90) {
      if (stub* token = any_token(); token != nullptr && token->pending_note) work_off(*token);
    } else if (what < 93) {
      if (stub* token = any_token(); token != nullptr)
        REQUIRE(real_.kill(token->way.in.id) ==
                (token->way.in.id != 0 && model_.kill(token->index)));
    } else if (what < 97) {
      clock_now += 1000 * static_cast<std::int64_t>(pick(20));
      real_.expire(manual_now());
      model_.expire(clock_now);
    } else if (what < 99) {
      deliver();
    } else if (pick(10) == 0) {
      real_.close(error::closed);
      model_.closed = error::closed;
    } else if (pick(5) == 0) {
      real_.withdraw_all(token_state::cancelled, error::stopped);
      model_.withdraw_all(token_state::cancelled, error::stopped);
    }
  }

  void issue() {
    dispatcher_model::token made;
    made.operation = pick(4) < 2 ? 0 : 1 + pick(2);
    made.lane = pick(3) == 0 ? pick(3) : 1;  // one lane is crowded
    made.hears_stop = pick(4) == 0;
    if (pick(3) == 0) made.key = pick(3);
    auto const unique = static_cast<std::int64_t>(tokens_.size() * 2);
    if (pick(4) == 0)
      made.deadline = clock_now + 1000 * static_cast<std::int64_t>(pick(80)) + unique;
    made.policy = static_cast<admission>(pick(4));  // the last is own_work
    if (made.policy == admission::until)
      made.admit_until = clock_now + 1000 * static_cast<std::int64_t>(1 + pick(40)) + unique + 1;
    made.extras = made.operation != 0 || made.hears_stop || made.key || made.deadline != never ||
                  made.admit_until != never || pick(2) == 0;

    tokens_.push_back(std::make_unique<stub>(made.hears_stop ? stoppable : plain,
                                             *operations_[made.operation], tokens_.size()));
    stub& token = *tokens_.back();
    token.lane = static_cast<std::uint8_t>(made.lane);
    token.policy = made.policy;
    if (made.extras) {
      token.extras = &token.more;
      token.more.owner = &token;
      token.more.has_key = made.key.has_value();
      token.more.key = made.key.value_or(0);
      if (made.deadline != never) token.more.deadline = at(made.deadline);
      if (made.admit_until != never) token.more.admit_until = at(made.admit_until);
    }
    model_.tokens.push_back(made);
    live_.push_back(token.index);
    if (made.extras && pick(16) == 0) {  // given up before it is admitted
      request_stop(token, true);
      if (pick(2) == 0) work_off(token);
    }
    token.issued = 1;
    real_.admit(token, 1);
    model_.admit(token.index, clock_now);
  }

  void flush() {
    real_.flush([](parking_word<>&) {});
  }

  /// One step of one worker: it ends what it runs, or starts what is next.
  void work(std::size_t at) {
    worker& one = workers_[at];
    if (one.dead) return;
    take(one);
    if (one.running != nullptr) return end_function(at);
    if (one.taken.empty()) return;
    slot* const place = one.taken.front();
    one.taken.pop_front();
    token_base* const token = place->take();
    if (token == nullptr) return give(one, place);
    auto const index = static_cast<stub*>(token)->index;
    auto& mirrored = model_.tokens[index];
    REQUIRE(mirrored.where == token_base::place::slot && mirrored.link == at);
    mirrored.claimed = true;
    if (token->deadline() <= manual_now()) return give(one, place);
    REQUIRE(started_.size() <= index || !started_[index]);
    started_.resize(tokens_.size());
    started_[index] = true;
    if (mirrored.key) {
      REQUIRE(running_keys_[*mirrored.key]++ == 0);
      REQUIRE(last_of_key_[*mirrored.key] <= index);
      last_of_key_[*mirrored.key] = index;
    }
    auto const max = model_.operations[mirrored.operation].max;
    REQUIRE(++running_operations_[mirrored.operation] <= max || max == 0);
    one.running = place;
    one.token = token;
  }
  void end_function(std::size_t at) {
    worker& one = workers_[at];
    auto& mirrored = model_.tokens[static_cast<stub*>(one.token)->index];
    if (mirrored.key) --running_keys_[*mirrored.key];
    --running_operations_[mirrored.operation];
    mirrored.outcome = one.token->outcome =
        pick(8) == 0 ? token_state::failed : token_state::completed;
    one.token->ran = 0;
    give(one, std::exchange(one.running, nullptr));
  }
  static void take(worker& one) {
    for (auto const end = one.to->sent.handed_over(); one.seen != end; ++one.seen)
      one.taken.push_back(&one.to->at(one.seen));
  }
  static void give(worker& one, slot const* place) {
    auto const next = one.to->returned.handed_over();
    REQUIRE(place == &one.to->at(next));
    one.to->returned.hand_over(next + 1);
  }

  void collect() {
    for (std::size_t at = 0; at != workers_.size(); ++at)
      if (pick(2) == 0) collect(at);
    pump();
    real_.balance(1);
    model_.balance();
  }
  void collect(std::size_t at) {
    lane_link& from = *real_.links()[at];
    while (from.returned() != 0) {
      auto const held = model_.links[at].out.front().held;
      token_base* const token = from.out(0);
      REQUIRE((token == nullptr) == !held);
      REQUIRE(!held || static_cast<stub*>(token)->index == *held);
      real_.give_back(from);
      model_.give_back(at, clock_now);
    }
  }
  void pump() {
    real_.pump(1);
    model_.pump(clock_now);
    for (std::size_t lane = 0; lane != lane_count; ++lane) {
      auto const& in = model_.lanes[lane];
      for (auto const& each : model_.links)
        REQUIRE(in.backlog.empty() || each.lane != lane || !each.alive ||
                each.out.size() >= credits);
      REQUIRE(in.room.empty() || !in.backlog.empty() || in.waiting >= backlog);
    }
  }

  void request_stop(stub& token, bool running_too) {
    auto const wanted = static_cast<std::uint8_t>(token_base::stop_noted |
                                                  (running_too ? token_base::stop_requested : 0));
    auto const before = token.flags.fetch_or(wanted);
    model_.stop_request(token.index, running_too);
    if ((before & (token_base::ended | token_base::stop_noted)) == 0) token.pending_note = true;
  }
  void work_off(stub& token) {
    token.pending_note = false;
    real_.stop(token);
    model_.stop(token.index);
  }
  void signal_stops() {
    while (token_base* token = real_.to_stop().pop_front()) {
      auto& known = static_cast<stub&>(*token);
      REQUIRE(!model_.to_stop.empty() && model_.to_stop.front() == known.index);
      model_.to_stop.pop_front();
      REQUIRE(!known.pending_note);
      known.pending_note = true;
    }
    REQUIRE(model_.to_stop.empty());
  }

  void deliver() {
    while (token_base* token = real_.ready().pop_front()) {
      auto& known = static_cast<stub&>(*token);
      REQUIRE(!model_.ready.empty() && model_.ready.front() == known.index);
      model_.ready.pop_front();
      REQUIRE(++known.delivered == 1);
      REQUIRE(!known.pending_note);
      REQUIRE(is_final(known.outcome));
      auto const& mirrored = model_.tokens[known.index];
      REQUIRE(known.outcome == mirrored.outcome);
      bool const ran =
          known.outcome == token_state::completed || known.outcome == token_state::failed;
      REQUIRE(ran || known.way.in.why == mirrored.why);
      REQUIRE(ran == (started_.size() > known.index && started_[known.index]));
      std::erase(live_, known.index);
    }
  }

  void compare() {
    for (std::size_t const index : live_) {
      stub const& token = *tokens_[index];
      auto const& mirrored = model_.tokens[index];
      REQUIRE(token.where == mirrored.where);
      REQUIRE(token.lane == mirrored.lane);
      REQUIRE(token.flags.load() == mirrored.flags);
      if (token.extras == nullptr) continue;
      REQUIRE(token.more.granted == mirrored.granted);
      REQUIRE((token.more.bound != nullptr) == mirrored.keyed);
      REQUIRE((token.more.heap_index != not_in_heap) == (mirrored.watched != never));
      REQUIRE(token.more.held_for_note == mirrored.held_for_note);
    }
    std::size_t held = 0;
    std::array<std::size_t, lane_count> out{};
    std::array<bool, lane_count> behind{}, free{};
    for (std::size_t at = 0; at != workers_.size(); ++at) {
      auto const& expected = model_.links[at];
      REQUIRE(real_.links()[at]->in_flight() == expected.out.size());
      REQUIRE(real_.links()[at]->credits() == credits);
      out[at % 3] += expected.out.size();
      behind[at % 3] = behind[at % 3] || expected.out.size() > 1;
      free[at % 3] = free[at % 3] || expected.out.empty();
      for (auto const& each : expected.out) held += each.held.has_value();
    }
    REQUIRE(real_.held() == held);
    REQUIRE(real_.lopsided(false) ==
            (held != 0 &&
             ((behind[0] && free[0]) || (behind[1] && free[1]) || (behind[2] && free[2]))));
    for (std::size_t lane = 0; lane != lane_count; ++lane) {
      REQUIRE(real_.waiting(lane) == model_.lanes[lane].waiting);
      REQUIRE(real_.waiting(lane) <= backlog);
      REQUIRE(real_.waiting_room(lane) == model_.lanes[lane].room.size());
      REQUIRE(real_.in_flight(lane) == out[lane]);
    }
    for (std::size_t op = 0; op != operations_.size(); ++op)
      REQUIRE(operations_[op]->out == model_.operations[op].out);
    compare_orders();
  }

  /// for_each visits all lists in a fixed order, except that keys come in any.
  void compare_orders() {
    std::vector<std::size_t> seen, expected;
    std::map<std::uint64_t, std::deque<std::size_t>> followers;
    real_.for_each([&](token_base& token) {
      auto const index = static_cast<stub&>(token).index;
      if (token.where == token_base::place::follower)
        followers[token.extras->key].push_back(index);
      else
        seen.push_back(index);
    });
    auto const expect = [&](auto const& list) {
      expected.insert(expected.end(), list.begin(), list.end());
    };
    for (auto const& lane : model_.lanes) {
      expect(lane.backlog);
      expect(lane.room);
    }
    for (auto const& operation : model_.operations) expect(operation.limited);
    for (auto const& link : model_.links) {
      expect(link.pinned);
      for (auto const& each : link.out)
        if (each.held) expected.push_back(*each.held);
    }
    REQUIRE(seen == expected);
    for (auto const& [name, of] : model_.keys)
      REQUIRE(of.followers.empty() ? !followers.contains(name) : followers[name] == of.followers);
    seen.clear();
    real_.ready().for_each([&](token_base& t) { seen.push_back(static_cast<stub&>(t).index); });
    expected.assign(model_.ready.begin(), model_.ready.end());
    REQUIRE(seen == expected);
  }

  /// The workers go one by one, or everything is run to its end.
  void finish() {
    bool const dying = pick(2) == 0;
    for (std::size_t at = 0; at != workers_.size() && dying; ++at) {
      worker& one = workers_[at];
      take(one);
      if (one.running != nullptr) end_function(at);
      for (; !one.taken.empty(); one.taken.pop_front()) {
        if (auto* token = one.taken.front()->take(); token != nullptr)
          model_.tokens[static_cast<stub*>(token)->index].claimed = true;
        give(one, one.taken.front());
      }
      one.dead = true;
      collect(at);
      real_.bury(*real_.links()[at], 1);
      model_.bury(at, clock_now);
      compare();
    }
    for (int rounds = 0; !dying && !live_.empty(); ++rounds) {
      REQUIRE(rounds < 1000);
      flush();
      for (std::size_t at = 0; at != workers_.size(); ++at) work(at);
      collect();
      signal_stops();
      for (auto& token : tokens_)
        if (token->pending_note) work_off(*token);
      deliver();
      compare();
    }
    signal_stops();
    for (auto& token : tokens_)
      if (token->pending_note) work_off(*token);
    deliver();
    REQUIRE(live_.empty() && real_.held() == 0 && model_.keys.empty());
    std::uint64_t issued = 0, ended = 0;
    for (auto const& each : operations_) {
      issued += each->issued.get();
      for (auto const& count : each->outcomes) ended += count.get();
      REQUIRE(each->out == 0);
    }
    REQUIRE(issued == tokens_.size() && ended == issued);
  }

  static constexpr std::int64_t never = dispatcher_model::never;
  static time_point at(std::int64_t ns) { return time_point(std::chrono::nanoseconds(ns)); }

  Choices& choices_;
  dispatcher_model model_;
  std::array<worker_front, 3 * cores> fronts_;
  std::vector<std::unique_ptr<operation_record>> operations_;
  std::vector<std::unique_ptr<stub>> tokens_;
  dispatcher real_{{backlog, room}, &manual_now};
  std::vector<worker> workers_;
  std::vector<std::size_t> live_;
  std::vector<bool> started_;
  std::map<std::uint64_t, int> running_keys_;
  std::map<std::uint64_t, std::size_t> last_of_key_;
  std::array<std::size_t, 3> running_operations_{};
};

#undef REQUIRE

}  // namespace tokengate::detail::test
