// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "tokengate/detail/dispatcher.hpp"
#include "tokengate/detail/mix.hpp"
#include "unit/dispatcher_sequence.hpp"

/// @file
/// Several loops that feed one pool, in virtual time on one thread: what more cores than a test
/// machine has would show.
///
/// Real: each gate's dispatcher (admission, routing, credits, estimates, balance), its links with
/// both counts, the claim of a slot, and the parking words of workers and drains.
///
/// Simulated, as src/gate_drain.cpp and src/worker.cpp do it: loops, which collect when they have
/// delivered all that came before, or every 20 us, stay hot, and park; workers, which serve the
/// gates in turns, spin and park; handlers and functions, by the time they take. Each loop and each
/// worker has a core of its own. Handlers issue the next token as they end, and it is published at
/// once. The combiner, the stages and Asio's scheduler are left out, as are what caches and memory
/// cost when cores share them.

namespace tokengate::detail::test {

using ticks = std::uint64_t;  // virtual nanoseconds
inline constexpr ticks asleep = ~ticks{0};

/// The costs are of the order that the benchmarks measure.
struct loops_setup {
  std::size_t gates = 1;
  std::size_t workers = 1;
  ticks function = 10'000;  ///< mean; from half of it to one and a half
  ticks handler = 5'000;
  ticks issue = 40;
  ticks pick_up = 60;      ///< worker, per token
  ticks look = 100;        ///< until one that polls or spins sees what came
  ticks waking = 5'000;    ///< whoever wakes a sleeper
  ticks wake_up = 20'000;  ///< until the sleeper runs
  ticks hot = 30'000;      ///< a loop polls for this long, and for two functions
  ticks spin = 20'000;
  ticks turn = 50'000;            ///< of a gate with a worker
  ticks drain = 20'000;           ///< a loop looks for results at least as often
  std::size_t budget = 64;        ///< what a loop has collected and not delivered
  ticks shared_lock = 0;          ///< what each handler holds a lock of all loops for
  std::size_t outstanding = 512;  ///< per gate
  std::size_t operations = 1;     ///< per gate
  std::uint64_t preempted = 0;    ///< one function in so many takes so much longer
  ticks preemption = 50'000;
};

struct loops_figures {
  std::vector<std::uint64_t> ended{};  ///< by gate
  std::uint64_t all = 0;
  double busy = 0;  ///< share of the workers' time, with waking loops
  bool each_once = true;

  /// How much more the gate with most got than the one with least.
  [[nodiscard]] double unfairness() const {
    auto const [least, most] = std::ranges::minmax(ended);
    return static_cast<double>(most) / static_cast<double>(std::max<std::uint64_t>(least, 1));
  }
};

class loops_simulation {
 public:
  explicit loops_simulation(loops_setup const& setup) : setup_(setup), workers_(setup.workers) {
    for (std::size_t at = 0; at != setup.gates; ++at) {
      loop& added = *loops_.emplace_back(std::make_unique<loop>());
      for (std::size_t i = 0; i != setup.operations; ++i)
        added.operations.emplace_back("simulated", token_options{});
      added.real.set_hand_over(20'000);
      added.real.set_brief(1'000);
      for (std::size_t core = 0; core != setup.workers; ++core) {
        auto made = std::make_shared<link>(nullptr, core, core, std::uint8_t{0});
        added.real.add_link(made, workers_[core].front);
        workers_[core].from.push_back({&added, std::move(made), {}});
      }
    }
  }

  /// What is done within `length` after `warm`; then all that is out comes to its end.
  loops_figures run(ticks warm = 5'000'000, ticks length = 50'000'000) {
    for (auto& each : loops_)
      for (std::size_t i = 0; i != setup_.outstanding; ++i) issue(*each, 0);
    run_until(warm);
    for (auto& each : loops_) each->ended = 0;
    for (worker& each : workers_) each.busy = 0;
    run_until(warm + length);
    loops_figures found;
    for (auto& each : loops_) found.ended.push_back(each->ended);
    for (auto const ended : found.ended) found.all += ended;
    ticks busy = 0;
    for (worker const& each : workers_) busy += each.busy;
    found.busy = static_cast<double>(busy) / static_cast<double>(length * setup_.workers);
    issuing_ = false;
    run_until(asleep);
    for (auto& each : loops_) found.each_once = found.each_once && ended_once(*each);
    return found;
  }

 private:
  struct token : stub {
    using stub::stub;
    int runs = 0;
  };
  struct sleeper {
    worker_front front{};  ///< of a loop, its parking word only
    ticks next = 0;        ///< when it does its next step
    ticks idle_until = 0;  ///< while it has nothing to do: when it parks
    bool parked = false;
  };
  struct loop : sleeper {
    std::deque<operation_record> operations{};
    std::deque<token> tokens{};
    token* delivering = nullptr;
    ticks charged = 0;  ///< for wake-ups, until its next handler
    ticks collect_at = 0;
    std::uint64_t ended = 0;
    dispatcher real{{4096, 65536}, &manual_now};
  };
  struct mail {
    loop* gate;
    std::shared_ptr<link> to;
    std::uint64_t started = 0;
  };
  struct worker : sleeper {
    std::vector<mail> from{};
    std::size_t at = 0;
    ticks turn_ends = 0;
    bool at_work = false;
    token* running = nullptr;
    ticks busy = 0;
  };

  /// One step after the other, always of whoever is next.
  void run_until(ticks end) {
    for (;;) {
      loop& one = **std::ranges::min_element(loops_, {}, [](auto& each) { return each->next; });
      worker& other = *std::ranges::min_element(workers_, {}, &worker::next);
      ticks const now = std::min(one.next, other.next);
      if (now >= end) return;
      clock_now = static_cast<std::int64_t>(now);
      one.next == now ? step(one, now) : step(other, now);
    }
  }

  void step(loop& of, ticks now) {
    if (std::exchange(of.parked, false)) of.front.parking.unpark();
    if (token* const done = std::exchange(of.delivering, nullptr)) {
      ++done->delivered;
      ++of.ended;
      if (issuing_) issue(of, now);
    }
    bool const meanwhile = now >= of.collect_at && of.real.runs_longer_ones();
    if (of.real.ready().empty() || meanwhile) collect(of, now);
    token_base* const first = of.real.ready().pop_front();
    if (first == nullptr) return idle(of, now, setup_.hot + 2 * setup_.function);
    of.delivering = static_cast<token*>(first);
    of.idle_until = 0;
    of.next = locked(now) + setup_.handler + setup_.issue + std::exchange(of.charged, 0);
  }
  void issue(loop& of, ticks now) {
    auto const at = of.tokens.size();
    token& made = of.tokens.emplace_back(plain, of.operations[mix(at) % setup_.operations], at);
    made.issued = now;
    of.real.admit(made, now);
    publish(of, now);
  }
  void collect(loop& of, ticks now) {
    for (auto& from : of.real.links())
      while (from->returned() != 0 && of.real.ready().size() < setup_.budget)
        of.real.give_back(*from);
    of.collect_at = now + setup_.drain;
    of.real.pump(now);
    of.real.balance(now);
    publish(of, now);
  }
  void publish(loop& of, ticks now) {
    if (!of.real.has_staged()) return;
    of.real.flush([&](parking_word<>& word) {
      for (worker& each : workers_)
        if (&each.front.parking == &word) of.charged += tell(each, true, now);
    });
    for (worker& each : workers_) of.charged += tell(each, false, now);
  }
  /// When the lock of all loops, if there is one, is had.
  ticks locked(ticks now) {
    if (setup_.shared_lock == 0) return now;
    ticks const from = std::max(now, lock_free_);
    lock_free_ = from + setup_.shared_lock;
    return from;
  }

  void step(worker& who, ticks now) {
    if (std::exchange(who.parked, false)) who.front.parking.unpark();
    if (std::exchange(who.at_work, false)) now = give_back(who, now);
    // Its own gate comes once more behind the others: with a new turn.
    for (std::size_t looked = 0; looked <= who.from.size(); ++looked) {
      mail& from = who.from[who.at];
      if (now <= who.turn_ends && from.to->sent.handed_over() != from.started)
        return start(who, from, now);
      who.at = (who.at + 1) % who.from.size();
      who.turn_ends = now + setup_.turn;
    }
    idle(who, now, setup_.spin);
  }
  void start(worker& who, mail& from, ticks now) {
    who.at_work = true;
    slot& place = from.to->at(from.started++);
    bool const lengthy = who.from.size() > 1 && place.expected() == run_length::lengthy;
    who.running = static_cast<token*>(place.take());
    who.front.occupied = lengthy && who.running != nullptr;
    ticks length = setup_.pick_up;
    if (who.running != nullptr) {  // else it is a husk
      ticks const drawn = mix(who.running->index);
      ticks ran = setup_.function / 2 + drawn % setup_.function;
      if (setup_.preempted != 0 && mix(drawn) % setup_.preempted == 0) ran += setup_.preemption;
      ++who.running->runs;
      who.running->started = now;
      who.running->ran = static_cast<tick_span>(ran);
      length += ran;
    }
    who.idle_until = 0;
    who.busy += length;
    who.next = now + length;
  }
  ticks give_back(worker& who, ticks now) {
    if (token* const ran = std::exchange(who.running, nullptr))
      ran->outcome = token_state::completed;
    who.front.occupied = false;
    mail& to = who.from[who.at];
    to.to->returned.hand_over(to.started);
    ticks const waking = tell(*to.gate, to.gate->front.parking.notify(), now);
    who.busy += waking;
    return now + waking;
  }

  /// Something has come for `who`. What that costs whoever says so.
  ticks tell(sleeper& who, bool was_parked, ticks now) const {
    if (was_parked) {
      who.next = now + setup_.wake_up;
      return setup_.waking;
    }
    if (who.idle_until != 0 && !who.parked) who.next = std::min(who.next, now + setup_.look);
    return 0;
  }
  /// It polls or spins for `span`, then parks.
  void idle(sleeper& who, ticks now, ticks span) const {
    if (who.idle_until == 0) who.idle_until = now + span;
    if (now < who.idle_until) {
      who.next = who.idle_until;
      return;
    }
    who.parked = who.front.parking.try_park();
    who.next = who.parked ? asleep : now + setup_.look;
  }

  static bool ended_once(loop& of) {
    return of.real.held() == 0 && of.real.waiting(0) == 0 &&
           std::ranges::all_of(of.tokens, [](token const& each) {
             return each.runs == 1 && each.delivered == 1 && each.outcome == token_state::completed;
           });
  }

  loops_setup const setup_;
  std::vector<worker> workers_;
  std::vector<std::unique_ptr<loop>> loops_;
  ticks lock_free_ = 0;
  bool issuing_ = true;
};

}  // namespace tokengate::detail::test
