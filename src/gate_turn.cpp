// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "gate_turn.hpp"

#include "tokengate/detail/tick_clock.hpp"

// How the handlers of one turn run, and what becomes of the tokens that they issue.

namespace tokengate::detail {

constinit thread_local gate_core::delivery gate_core::delivery_here{};

gate_core::turn::turn(gate_core& gate) noexcept : gate_(gate), outer_(delivery_here) {
  delivery_here = {.gate = &gate};
}

gate_core::turn::~turn() {
  delivery& here = delivery_here;
  if (issue_stage* stage = std::exchange(here.stage, nullptr)) {
    if (here.publish_at != 0) gate_.publish_staged();
    gate_.stages_.give_back(stage);
  }
  std::uint64_t const done = ended_ + here.reserved;
  here = outer_;
  here.stageable = 0;  // what was out then may have come back: the next token goes at once
  here.posted = 0;     // that one may have run
  if (done != 0) gate_.end_work(done);
}

void gate_core::turn::prepare(std::size_t handlers) noexcept {
  delivery& here = delivery_here;
  here.stageable = 0;
  if (handlers < 2) return;  // a single token does not wait for company
  if (here.stage == nullptr) here.stage = gate_.stages_.take();
  if (here.stage != nullptr) here.stageable = gate_.busy_lanes();
  here.crowded = gate_.crowded_lanes();
}

void gate_core::turn::deliver(intrusive_list<token_base>& batch, std::uint64_t now,
                              std::uint64_t until) {
  struct on_exit {
    turn& self;
    intrusive_list<token_base>& batch;
    std::uint64_t ended = 0;

    ~on_exit() {
      gate_core& gate = self.gate_;
      gate.finished_.fetch_add(ended, std::memory_order_relaxed);
      self.ended_ += ended;
      if (batch.empty()) return;
      gate.enter();
      batch.splice_back(gate.dispatcher_.ready());
      gate.dispatcher_.ready().splice_back(batch);
      gate.leave();
    }
  } guard{*this, batch};
  delivery& here = delivery_here;
  // Credits cover a hand-over: workers that have no more run dry. Those that share their cores with
  // busy loops could not go on meanwhile.
  std::uint64_t collect_at = here.crowded != 0 ? until : now + gate_.collect_ticks_;
  while (token_base* token = batch.pop_front()) {
    ++guard.ended;  // ends in any case, also when its handler throws
    token->ops->end(token, ending::deliver);
    if (batch.empty()) break;
    // The stamp of what the handler issued, if it did, will do: it is one handler old at most.
    now = std::exchange(here.issued_at, 0);
    if (now == 0) now = tick_clock::now();
    if (now > until) break;
    if (now > collect_at) {
      gate_.collect_meanwhile(now);
      collect_at = now + gate_.collect_ticks_;
    }
    if (here.publish_at != 0 && now > here.publish_at) gate_.publish_staged();
  }
}

/// Lanes, a bit each, in which a token gains nothing by being sent off at once.
std::uint8_t gate_core::busy_lanes() const noexcept {
  unsigned lanes = 0;
  for (std::size_t lane = 0; lane != lane_count; ++lane)
    lanes |= static_cast<unsigned>(dispatcher_.saturated(lane)) << lane;
  return static_cast<std::uint8_t>(lanes);
}

/// Lanes, a bit each, in which to wake a worker takes a core from a loop.
std::uint8_t gate_core::crowded_lanes() const noexcept {
  unsigned lanes = 0;
  for (std::size_t lane = 0; lane != lane_count; ++lane)
    lanes |= static_cast<unsigned>(dispatcher_.crowded(lane)) << lane;
  return static_cast<std::uint8_t>(lanes);
}

/// Admits what this thread has staged. If somebody else is in, he does it, or the next one.
void gate_core::publish_staged() noexcept {
  delivery_here.publish_at = 0;
  enter();
  leave();
}

/// Workers write the parking word with each batch, so a look at it is dear. A turn that has posted
/// another one, or is about to, does without, until that one has parked: where several threads run
/// the loop, that may be before it ends itself.
bool gate_core::may_be_parked() noexcept {
  delivery const& here = delivery_here;
  if (here.gate == this && here.posted == parks_) return false;
  return parking.looks_parked();
}

}  // namespace tokengate::detail
