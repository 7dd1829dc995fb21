// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <sched.h>

#include <boost/asio/error.hpp>

#include "gate_core.hpp"
#include "tokengate/detail/tick_clock.hpp"

// The drain: the budgeted batch in which finished tokens reach their handlers.

namespace tokengate::detail {
namespace {

/// Turns between two looks at which core the loop runs on.
constexpr std::uint64_t core_check = 16;

}  // namespace

/// A worker found the drain parked. Runs on the worker's thread, at most once per batch.
void gate_core::ring() noexcept { post_drain(false); }

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

  std::size_t const returned = collect(options_.drain_budget, now);
  if (returned != 0) {
    dispatcher_.pump(now);
    dispatcher_.balance(now);
    hot_until_ = now + hot_span();
  }
  if (dispatcher_.watches())
    dispatcher_.expire(std::chrono::steady_clock::now());
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
  bool const closing = closing_;
  leave();

  // Before the handlers run: if one throws, or takes long, the rest is not stuck behind it.
  if (again) continue_drain(more);
  if (!batch.empty()) deliver(batch);
  if (work_word_.load(std::memory_order_relaxed) == tracked) rest();
  if (closing && !again) let_go_of_loop();
}

/// Takes what came back, about `budget` of it.
std::size_t gate_core::collect(std::size_t budget, std::uint64_t now) noexcept {
  std::size_t taken = 0;
  for (auto& from : dispatcher_.links()) {
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
    if (taken >= budget) break;
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

/// Waits a moment for results, unless somebody wants to get in. Gives the time.
std::uint64_t gate_core::poll(std::uint64_t now) noexcept {
  auto const until = now + poll_ticks_;
  while (!anything_returned() && !combiner_.awaited() && now < until) {
    std_sync::spin_hint();
    now = tick_clock::now();
  }
  return now;
}

bool gate_core::anything_returned() noexcept {
  for (auto const& from : dispatcher_.links())
    if (from->in_flight() != 0 && from->shared().returns.read_available() != 0) return true;
  return false;
}

/// How long to stay hot for the next result: a hand-over and twice the function.
std::uint64_t gate_core::hot_span(std::size_t lane) const noexcept {
  auto const& estimate = dispatcher_.estimate(lane);
  if (!estimate.known()) return hot_limit_;
  return std::min<std::uint64_t>(hot_limit_, hot_base_ + 2 * estimate.mean());
}

std::uint64_t gate_core::hot_span() const noexcept {
  std::uint64_t longest = 0;
  for (std::size_t lane = 0; lane != lane_count; ++lane)
    if (dispatcher_.in_flight(lane) != 0) longest = std::max(longest, hot_span(lane));
  return longest == 0 ? hot_base_ : longest;
}

/// Whether polling for results is worth the loop's core.
bool gate_core::stay_hot(std::uint64_t now) noexcept {
  if (options_.hot == hot_drain::off || now > hot_until_) return false;
  if (options_.hot == hot_drain::always) return true;
  if (pool_->throttled()) return false;
  auto const loops = static_cast<std::size_t>(pool_->hot_loops.load(std::memory_order_relaxed));
  if (dispatcher_.busy_cores() + loops + (hot_ ? 0 : 1) > pool_->usable_cores()) return false;
  for (std::size_t lane = 0; lane != lane_count; ++lane)
    if (dispatcher_.in_flight(lane) != 0 && dispatcher_.estimate(lane).mean() < hot_limit_)
      return true;
  return false;
}

void gate_core::set_hot(bool hot) noexcept {
  if (hot == std::exchange(hot_, hot)) return;
  pool_->hot_loops.fetch_add(hot ? 1 : -1, std::memory_order_relaxed);
}

/// One timer for all deadlines, set only for tokens that wait. Inside the combiner.
void gate_core::set_timer() noexcept {
  auto const next = dispatcher_.next_expiry();
  if (next >= timer_at_ || !timer_) return;
  timer_at_ = dispatcher::time_point::max();  // setting it anew cancels the old wait first
  try {
    timer_->expires_at(next);
    timer_->async_wait([self = weak_from_this()](boost::system::error_code failed) {
      if (failed == asio::error::operation_aborted) return;
      if (auto gate = self.lock()) static_cast<gate_core&>(*gate).on_timer();
    });
    timer_at_ = next;
  } catch (...) {
    // Without memory for the timer a deadline is noticed at dispatch and at pick-up.
  }
}

/// Nothing is out that has a deadline: a timer that runs on would keep run() from returning.
void gate_core::rest_timer() noexcept {
  if (timer_at_ == dispatcher::time_point::max() || !timer_) return;
  if (dispatcher_.held() != 0 || dispatcher_.next_expiry() != dispatcher::time_point::max()) return;
  timer_at_ = dispatcher::time_point::max();
  timer_->cancel();
}

void gate_core::on_timer() noexcept {
  enter();
  timer_at_ = dispatcher::time_point::max();
  dispatcher_.expire(std::chrono::steady_clock::now());
  leave();
}

/// Gives the undelivered rest of a batch back if a handler throws or time is up.
class batch_delivery {
 public:
  batch_delivery(gate_core& gate, intrusive_list<token_base>& batch) noexcept
      : gate_(gate), batch_(batch), outer_(gate_core::delivery_here()) {
    gate_core::delivery_here() = {&gate, 0};
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
    auto const now = tick_clock::now();
    if (now > until) break;
    auto& here = delivery_here();
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
