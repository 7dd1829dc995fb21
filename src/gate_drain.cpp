// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <sched.h>

#include "gate_turn.hpp"
#include "tokengate/detail/fault_point.hpp"
#include "tokengate/detail/tick_clock.hpp"

// The drain: one turn of the loop with a gate. How its handlers run is in gate_turn.cpp.

namespace tokengate::detail {
namespace {

/// Turns between two looks at which core the loop runs on, while it stays awake.
constexpr std::uint64_t core_check = 16;
/// Where many tokens come back together, the waits of one stand for those of so many.
constexpr std::uint64_t sampling = 4;

/// What a worker wrote comes from its core: asked for this many tokens ahead, and to be written,
/// because the memory is about to be used again.
constexpr std::size_t look_ahead = 8;
void prefetch_returned(token_base const* token) noexcept {
  auto const address = reinterpret_cast<std::uintptr_t>(token);  // null for a husk
  __builtin_prefetch(token);
  prefetch_to_write(reinterpret_cast<void const*>(address + cache_line));
}

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
  delivery_here.posted = 0;
  do {
    parking.unpark();
  } while (!parking.try_park());
}

void gate_core::drain(bool continued, std::uint64_t posted_at) {
  auto now = tick_clock::now();
  if (!continued) parking.unpark();
  turn mine(*this);
  auto const until = now + drain_ticks_;
  auto const enough = now + turn_ticks_;
  std::size_t budget = options_.drain_budget;
  // Somebody else is in: he has the drain posted again when he leaves.
  if (!combiner_.enter_or_leave(refill_note_)) return;
  if (!continued) {
    loop_lag_.record(tick_clock::elapsed(posted_at, now));
    turns_ = 0;  // the loop may have slept, and moved
  }
  for (bool first = true;; first = false) {
    if (hot_) now = poll(now);
    work_off(combiner_.take());
    TOKENGATE_FAULT_POINT("drain before collecting");
    intrusive_list<token_base> batch;
    std::size_t const room = room_for_ready(budget);
    std::size_t const returned = collect_batch(batch, budget, room, now);
    budget -= std::min(budget, batch.size());
    if (first) {
      bool const more = !dispatcher_.ready().empty() || returned >= room;
      bool const hot = !more && dispatcher_.held() != 0 && stay_hot(now);
      set_hot(hot);
      bool again = more || hot;
      // The first try may only take notice of a result that has been collected since.
      while (!again && !parking.try_park()) again = anything_returned();
      if (!again) again = anything_held_back() && parking.claim();
      if (!again) ++parks_;
      rest_timer();
      detach_when_idle();
      mine.prepare(batch.size());
      delivery_here.posted = again ? parks_ : 0;  // see may_be_parked()
      leave();
      TOKENGATE_FAULT_POINT("drain decided");
      // Before the handlers run: if one throws, or takes long, the rest is not stuck behind it.
      if (again) continue_drain(more);
    } else {
      mine.prepare(batch.size());
      leave();
    }
    if (batch.empty()) return;
    mine.deliver(batch, now, until);
    // While another turn is posted and results keep coming, they need not wait for it.
    if (budget == 0 || std::exchange(delivery_here.issued_at, 0) > enough) return;
    if (delivery_here.publish_at != 0) publish_staged();
    if (delivery_here.posted == 0 || !combiner_.try_enter()) return;
    now = tick_clock::now();
    if (now > enough) return leave();
    if (dispatcher_.held() != 0 && stay_hot(now)) set_hot(true);
  }
}

/// Inside the combiner: what is to be delivered next, at most `budget`, after taking in `room`
/// more. Gives how much came back.
std::size_t gate_core::collect_batch(intrusive_list<token_base>& batch, std::size_t budget,
                                     std::size_t room, std::uint64_t now) noexcept {
  if (turns_++ % core_check == 0) {
    int const here = ::sched_getcpu();
    if (here >= 0) {
      auto const core = pool_->index_of_core(static_cast<unsigned>(here));
      dispatcher_.avoid_core(core);
      loop_core.store(core, std::memory_order_relaxed);
    }
  }
  std::size_t const returned = collect(room, now);
  if (returned != 0) {
    dispatcher_.pump(now);
    hot_until_ = now + hot_span();
  }
  look(now);
  if (dispatcher_.watches()) dispatcher_.expire(std::chrono::steady_clock::now());
  bury_dead_links(now);

  auto& ready = dispatcher_.ready();
  if (ready.size() <= budget) batch.splice_back(ready);
  while (batch.size() < budget && !ready.empty()) batch.push_back(*ready.pop_front());
  return returned;
}

/// Between two handlers of a turn that takes long: workers would run dry, and sleep. With brief
/// functions they do so anyway, and then it is better to come seldom and with many tokens.
void gate_core::collect_meanwhile(std::uint64_t now) noexcept {
  if (!combiner_.try_enter()) return;
  delivery_here.publish_at = 0;
  admit_staged();
  if (dispatcher_.runs_longer_ones()) {
    if (collect(room_for_ready(options_.drain_budget), now) != 0) {
      dispatcher_.pump(now);
      hot_until_ = now + hot_span();
    }
    look(now);
  }
  leave();
}

/// What has been collected and not delivered is bounded, or a loop that does not keep up with its
/// workers would take in whatever is issued.
std::size_t gate_core::room_for_ready(std::size_t budget) noexcept {
  return budget - std::min(budget, dispatcher_.ready().size());
}

/// For tokens that could get on elsewhere.
void gate_core::look(std::uint64_t now) noexcept {
  if (now - looked_at_ < look_ticks_) return dispatcher_.balance(now);
  looked_at_ = now;
  look_after_ = {};
  dispatcher_.look_around(now);
  (void)anything_held_back();  // the next turn takes it
}

/// Results that a worker has not returned, being in a function that was to be brief.
bool gate_core::anything_held_back() noexcept {
  bool found = false;
  for (auto const& from : dispatcher_.links()) {
    if (from->tokens() < 2) continue;
    from->look_for_held_back();
    found = found || from->returned() != 0;
  }
  return found;
}

/// Takes what came back, about `budget` of it.
std::size_t gate_core::collect(std::size_t budget, std::uint64_t now) noexcept {
  std::size_t taken = 0;
  std::size_t skip = 0;
  // From another core each time, or the first ones could use up the budget of every turn; on each
  // core the light lane first.
  auto& links = dispatcher_.links();
  first_link_ += lane_count;
  if (first_link_ >= links.size()) first_link_ = 0;
  std::size_t next = first_link_;
  for (std::size_t left = links.size(); left != 0 && taken < budget; --left) {
    auto& from = links[next];
    if (++next == links.size()) next = 0;
    if (from->in_flight() == 0) continue;
    std::size_t const count = std::min(from->returned(), budget - taken);
    for (std::size_t i = 0; i != std::min(count, look_ahead); ++i) prefetch_returned(from->out(i));
    taken += count;
    for (std::size_t i = 0; i != count; ++i) {
      if (i + look_ahead < count) prefetch_returned(from->out(look_ahead));
      // Children that were left as notes join the chain before their lead ends: they came first.
      if (token_base* token = from->out(0); token != nullptr && token->leads_others())
        work_off(combiner_.take());
      if (token_base* token = dispatcher_.give_back(*from)) {
        token->operation->run.record(ticks_of(token->ran));
        if (skip != 0) {
          --skip;
        } else {
          bool const many = count - i > sampling;
          record_waits(*token, now, many ? sampling : 1);
          skip = many ? sampling - 1 : 0;
        }
      }
    }
  }
  return taken;
}

void gate_core::record_waits(token_base& token, std::uint64_t now, std::uint64_t times) noexcept {
  auto const dispatched = token.issued + ticks_of(token.dispatched);
  auto const ended = token.started + ticks_of(token.ran);
  wait_backlog_.record(dispatched - token.issued, times);
  wait_mailbox_.record(tick_clock::elapsed(dispatched, token.started), times);
  return_to_loop_.record(tick_clock::elapsed(ended, now), times);
}

}  // namespace tokengate::detail
