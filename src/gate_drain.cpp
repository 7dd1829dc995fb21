// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <sched.h>

#include "gate_core.hpp"
#include "tokengate/detail/fault_point.hpp"
#include "tokengate/detail/tick_clock.hpp"

// The drain: the budgeted batch in which finished tokens reach their handlers.

namespace tokengate::detail {
namespace {

/// Turns between two looks at which core the loop runs on.
constexpr std::uint64_t core_check = 16;

}  // namespace

/// A worker found the drain parked. Runs on the worker's thread, at most once per batch.
void gate_core::ring() noexcept {
  post_drain(false);
}

void gate_core::post_drain(bool continued) noexcept {
  // The lock keeps the io_context alive while something is posted to it; see context_gone().
  std::unique_lock hold(post_mutex_);
  if (!alive_) {
    hold.unlock();
    return reap();
  }
  try {
    port_->post({shared_from_this(), tick_clock::now(), continued});
  } catch (...) {
    park_drain();
  }
}

/// From inside a drain: the loop runs, so its context is there, and no lock is needed.
void gate_core::continue_drain(bool for_others) noexcept {
  try {
    drain_turn turn{shared_from_this(), tick_clock::now(), true};
    // Deferred, the turn stays with this thread; posted, another thread of the loop may take it.
    for_others ? port_->post(std::move(turn)) : port_->defer(std::move(turn));
  } catch (...) {
    park_drain();
  }
}

/// Out of memory for the wake-up itself: whoever comes next finds the drain parked and tries again.
void gate_core::park_drain() noexcept {
  do {
    parking.unpark();
  } while (!parking.try_park());
}

void gate_core::drain(bool continued, std::uint64_t posted_at) {
  auto now = tick_clock::now();
  if (!continued) parking.unpark();
  // Somebody else is in: he has the drain posted again when he leaves.
  if (!combiner_.enter_or_leave(refill_note_)) return;
  if (hot_) now = poll(now);
  work_off(combiner_.take());
  if (!continued) loop_lag_.record(tick_clock::elapsed(posted_at, now));
  if (turns_++ % core_check == 0) {
    int const here = ::sched_getcpu();
    if (here >= 0) dispatcher_.avoid_core(pool_->index_of_core(static_cast<unsigned>(here)));
  }

  TOKENGATE_FAULT_POINT("drain before collecting");
  std::size_t const returned = collect(options_.drain_budget, now);
  if (returned != 0) {
    dispatcher_.pump(now);
    dispatcher_.balance(now);
    hot_until_ = now + hot_span();
  }
  if (dispatcher_.watches()) dispatcher_.expire(std::chrono::steady_clock::now());
  bury_dead_links(now);

  intrusive_list<token_base> batch;
  if (dispatcher_.ready().size() <= options_.drain_budget) batch.splice_back(dispatcher_.ready());
  while (batch.size() < options_.drain_budget && !dispatcher_.ready().empty())
    batch.push_back(*dispatcher_.ready().pop_front());

  bool const more = !dispatcher_.ready().empty() || returned >= options_.drain_budget;
  bool const hot = !more && dispatcher_.held() != 0 && stay_hot(now);
  set_hot(hot);
  bool again = more || hot;
  // The first try may only take notice of a result that has been collected since.
  while (!again && !parking.try_park()) again = anything_returned();
  rest_timer();
  detach_when_idle();
  leave();

  TOKENGATE_FAULT_POINT("drain decided");
  // Before the handlers run: if one throws, or takes long, the rest is not stuck behind it.
  if (again) continue_drain(more);
  if (!batch.empty()) deliver(batch);
  if (work_word_.load(std::memory_order_relaxed) == tracked) rest();
}

/// Takes what came back, about `budget` of it.
std::size_t gate_core::collect(std::size_t budget, std::uint64_t now) noexcept {
  std::size_t taken = 0;
  // From another core each time, or the first ones could use up the budget of every turn; on each
  // core the light lane first.
  auto& links = dispatcher_.links();
  first_link_ = links.empty() ? 0 : (first_link_ + lane_count) % links.size();
  for (std::size_t i = 0; i != links.size() && taken < budget; ++i) {
    auto& from = links[(first_link_ + i) % links.size()];
    if (from->in_flight() == 0) continue;
    auto one = [&](slot* place) {
      ++taken;
      // Children that were left as notes join the chain before their lead ends: they came first.
      if (place->held != nullptr && place->held->leads_others()) work_off(combiner_.take());
      if (token_base* token = dispatcher_.give_back(*from, *place)) record(*token, now);
    };
    auto& returns = from->shared().returns;
    if (std::size_t there = returns.read_available(); there <= budget - taken) {
      if (there != 0) returns.consume_all(one);
    } else {
      for (slot* place = nullptr; taken < budget && returns.pop(place);) one(place);
    }
  }
  return taken;
}

void gate_core::record(token_base& token, std::uint64_t now) noexcept {
  auto const ticks = [](tick_span span) { return static_cast<std::uint64_t>(span); };
  auto const& way = token.way.flight;
  wait_backlog_.record(ticks(token.dispatched));
  wait_mailbox_.record(ticks(way.started));
  token.operation->run.record(ticks(way.ran));
  auto const ended = token.issued + ticks(token.dispatched + way.started + way.ran);
  return_to_loop_.record(tick_clock::elapsed(ended, now));
}

/// Gives the undelivered rest of a batch back if a handler throws or time is up.
class batch_delivery {
 public:
  batch_delivery(gate_core& gate, intrusive_list<token_base>& batch) noexcept
      : gate_(gate), batch_(batch), outer_(gate_core::delivery_here()) {
    gate_core::delivery_here() = {&gate, 0, 0};
  }
  ~batch_delivery() {
    bool const staged = gate_core::delivery_here().staged_since != 0;
    gate_core::delivery_here() = outer_;
    gate_.finished_.fetch_add(ended, std::memory_order_relaxed);
    if (staged || !batch_.empty()) gate_.after_delivery(batch_);
    gate_.end_work(ended);
    // Here and not after deliver() alone: a handler that throws may have been the last one.
    if (gate_.work_word_.load(std::memory_order_relaxed) == gate_core::tracked) gate_.rest();
  }
  std::size_t ended = 0;

 private:
  gate_core& gate_;
  intrusive_list<token_base>& batch_;
  gate_core::delivery outer_;  ///< of a handler that runs its loop inside itself
};

void gate_core::deliver(intrusive_list<token_base>& batch) {
  batch_delivery guard(*this, batch);
  auto const until = tick_clock::now() + drain_ticks_;
  while (token_base* token = batch.pop_front()) {
    ++guard.ended;  // ends in any case, also when its handler throws
    token->ops->end(token, ending::deliver);
    if (batch.empty()) break;
    // The stamp of what the handler issued, if it did, will do: it is one handler old at most.
    auto& here = delivery_here();
    auto now = std::exchange(here.issued_at, 0);
    if (now == 0) now = tick_clock::now();
    if (now > until) break;
    if (here.staged_since != 0 && now - here.staged_since > publish_after_) {
      here.staged_since = 0;
      publish_staged();
    }
  }
}

void gate_core::publish_staged() noexcept {
  // If somebody else is in, he publishes when he leaves.
  if (combiner_.try_enter()) leave();
}

void gate_core::after_delivery(intrusive_list<token_base>& rest) noexcept {
  enter();
  rest.splice_back(dispatcher_.ready());
  dispatcher_.ready().splice_back(rest);
  leave();
}

}  // namespace tokengate::detail
