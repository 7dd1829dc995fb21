// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "worker.hpp"

#include <time.h>

#include <algorithm>

#include "core_load.hpp"
#include "tokengate/detail/fault_point.hpp"
#include "tokengate/detail/tick_clock.hpp"

// The worker's loop: take from the mailboxes, run, give back. How it waits is in worker_wait.cpp.

namespace tokengate::detail {
namespace {

/// Results that lie finished are published after at most about this, or this many.
constexpr std::chrono::nanoseconds publish_after = std::chrono::microseconds(1);
constexpr std::uint32_t publish_batch = 16;
/// After this long with one gate, the next one gets its turn.
constexpr std::chrono::nanoseconds turn = std::chrono::microseconds(50);
constexpr std::chrono::nanoseconds shortest_spin = std::chrono::microseconds(1);

/// Tokens come from the loop's core: asked for this many ahead, with what the function is bound to.
/// A token that is pulled back meanwhile is not read, only its address is used.
constexpr std::uint32_t look_ahead = 2;
void prefetch_token(token_base const* token) noexcept {
  auto const address = reinterpret_cast<std::uintptr_t>(token);  // may be null: a husk
  prefetch_to_write(reinterpret_cast<void const*>(address + cache_line));
}
void prefetch_token(slot const& place) noexcept {
  prefetch_token(place.look());
}

}  // namespace

constinit thread_local worker_context this_worker;

void worker::place(bool pin, bool lane_priorities, std::string const& pool_name) {
  static constexpr std::array letters{'l', 'm', 'h'};
  set_current_thread_name(pool_name.substr(0, 8) + '.' + std::to_string(os_index_) +
                          letters[lane_index(lane_)]);
  placement_ = place_current_thread(os_index_, pin, lane_, lane_priorities);
}

void worker::attach(std::shared_ptr<link> added) {
  auto end = std::make_unique<attached>();
  end->to = std::move(added);
  {
    std::lock_guard hold(incoming_mutex_);
    if (ended_) {
      end->to->dead.store(true, std::memory_order_release);
    } else {
      incoming_.reserve(attached_ + incoming_.size() + 1);
      incoming_.push_back(std::move(end));
    }
  }
  poke();
}

void worker::poke() noexcept {
  // release: pairs with the acquire in refresh().
  version_.fetch_add(1, std::memory_order_release);
  if (front_.parking.notify()) front_.parking.wake();
}

void worker::stop() noexcept {
  stop_.store(true, std::memory_order_release);
  if (front_.parking.notify()) front_.parking.wake();
}

void worker::run() {
  this_worker = {this, nullptr, nullptr};
  auto& awake = core_load::get().awake_workers;
  awake.fetch_add(1, std::memory_order_relaxed);
  spin_now_ = pool_.spin_ticks;
  turn_ = tick_clock::to_ticks(turn);
  publish_after_ = tick_clock::to_ticks(publish_after);
  shortest_spin_ = tick_clock::to_ticks(shortest_spin);
  while (!stop_.load(std::memory_order_acquire)) {
    refresh();
    bool worked = false;
    for (auto& from : local_) worked = serve(*from) || worked;
    if (worked) continue;
    busy_since_ = 0;
    if (!spin()) park();
  }
  awake.fetch_sub(1, std::memory_order_relaxed);
  end();
  this_worker = {};
}

void worker::refresh() noexcept {
  if (version_.load(std::memory_order_acquire) == seen_version_) return;
  std::lock_guard hold(incoming_mutex_);
  seen_version_ = version_.load(std::memory_order_relaxed);
  if (!incoming_.empty()) {
    // attach() has made room for all of them.
    std::ranges::move(local_, std::back_inserter(incoming_));
    local_.clear();
    local_.swap(incoming_);
  }
  // A closed link is idle for good: its gate has all slots back.
  std::erase_if(local_,
                [](auto const& from) { return from->to->closed.load(std::memory_order_acquire); });
  attached_ = local_.size();
}

/// Looks at what the gate has sent once for the whole batch.
bool worker::take(attached& from) noexcept {
  if (from.has_more()) return true;
  from.seen = from.to->sent.handed_over();
  if (!from.has_more()) return false;
  prefetch_token(from.to->first.load(std::memory_order_relaxed));
  for (auto at = from.started; at != std::min(from.seen, from.started + look_ahead + 1); ++at)
    prefetch_token(from.to->at(at));
  return true;
}

bool worker::serve(attached& from) {
  if (!take(from)) return false;
  state_.store(worker_state::running, std::memory_order_relaxed);
  auto const begun = tick_clock::now();
  auto now = begun;
  if (busy_since_ == 0) busy_since_ = now;
  auto const turn_ends = begun + turn_;
  do {
    slot& place = from.next();
    ++from.started;
    if (from.seen - from.started > look_ahead)
      prefetch_token(from.to->at(from.started + look_ahead));
    TOKENGATE_FAULT_POINT("before claim");
    bool const lengthy = local_.size() > 1 && place.expected() == run_length::lengthy;
    token_base* const token = place.take();
    // Whoever takes long may wait for the handlers of those before: a drain that is awake finds
    // their results by itself, see lane_link::look_for_held_back().
    if (from.returned != from.finished && from.to->bell->parking.is_parked()) give_back(from);
    if (token != nullptr) {
      this_worker.from = from.to.get();
      if (lengthy) front_.occupied.store(true, std::memory_order_relaxed);
      execute(*token, now);
      if (lengthy) front_.occupied.store(false, std::memory_order_relaxed);
    }
    if (from.finished++ == from.returned) from.finished_since = now;
    // Nothing finished waits for a function that may take long.
    if (!from.has_more() || from.next().expected() != run_length::brief ||
        from.finished - from.returned >= publish_batch ||
        now - from.finished_since > publish_after_)
      give_back(from);
    if (now - busy_since_ > pool_.floor_after) {
      give_back(from);
      leave_room(now);
    }
    if (now > turn_ends || stop_.load(std::memory_order_relaxed)) break;
  } while (take(from));
  give_back(from);
  busy_.add(now - begun);
  return true;
}

void worker::execute(token_base& token, std::uint64_t& now) noexcept {
  token.started = now;
  if (token.has_passed_deadline()) return;  // stays `created`: the gate settles it
  this_worker.running = &token;
  token.outcome = token.ops->run(token) ? token_state::completed : token_state::failed;
  this_worker.running = nullptr;
  auto const end = tick_clock::now();
  token.ran = span_of(now, end);
  now = end;
  executed_.add();
}

void worker::give_back(attached& to) noexcept {
  if (to.returned == to.finished) return;
  to.returned = to.finished;
  to.to->returned.hand_over(to.finished);
  // From here on nothing of the tokens is touched any more.
  TOKENGATE_FAULT_POINT("result published");
  if (to.to->bell->parking.notify()) to.to->bell->ring();
}

void worker::publish_finished() noexcept {
  for (auto& each : local_) give_back(*each);
}

/// The floor of the heavier lanes: whoever works without a pause while a heavier worker of its core
/// has something to do sleeps for a twentieth of the time, so that even SCHED_IDLE gets its share.
void worker::leave_room(std::uint64_t now) noexcept {
  busy_since_ = now;
  bool const starving = std::ranges::any_of(heavier_, [](worker* other) {
    if (other == nullptr) return false;
    auto const state = other->state_.load(std::memory_order_relaxed);
    bool const woken = state == worker_state::parked && !other->front_.parking.looks_parked();
    return state == worker_state::running || woken;
  });
  if (!starving) return;
  timespec const pause{0, 1'000'000};
  ::nanosleep(&pause, nullptr);
}

/// Gives every slot back unrun. The gates see `dead` only after the slots.
void worker::end() {
  {
    std::lock_guard hold(incoming_mutex_);
    ended_ = true;
  }
  version_.fetch_add(1, std::memory_order_relaxed);
  refresh();
  for (auto& from : local_) {
    while (take(*from)) {
      for (; from->has_more(); from->finished = ++from->started) (void)from->next().take();
      give_back(*from);
    }
    // release: pairs with the gate's acquire before it buries the link.
    from->to->dead.store(true, std::memory_order_release);
    if (from->to->bell->parking.notify()) from->to->bell->ring();
  }
  local_.clear();
  state_.store(worker_state::stopped, std::memory_order_relaxed);
}

worker_snapshot worker::snapshot() const {
  worker_snapshot s;
  s.core = os_index_;
  s.lane = lane_;
  s.pinned = placement_.pinned;
  s.priority = placement_.priority;
  s.executed = executed_.get();
  s.busy_ns = tick_clock::to_ns(busy_.get());
  s.parked_ns = tick_clock::to_ns(parked_.get());
  s.parks = parks_.get();
  s.state = state_.load(std::memory_order_relaxed);
  return s;
}

}  // namespace tokengate::detail
