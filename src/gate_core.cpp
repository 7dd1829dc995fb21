// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "gate_core.hpp"

#include "tokengate/detail/fault_point.hpp"
#include "tokengate/detail/tick_clock.hpp"

// The way in. The drain is in gate_drain.cpp, what any thread may ask of a gate in
// gate_control.cpp, the end of life in gate_life.cpp, what there is to look at in gate_view.cpp.

namespace tokengate::detail {
namespace {

/// What a mailbox has to cover: a wake-up of the loop, and one of the worker.
constexpr std::chrono::nanoseconds hand_over = std::chrono::microseconds(20);
constexpr std::chrono::nanoseconds brief = std::chrono::microseconds(1);
/// Drains that follow each other look this often for tokens that are stuck.
constexpr std::chrono::nanoseconds look_every = std::chrono::microseconds(100);
/// A hot drain polls this long within one turn before the sockets get theirs.
constexpr std::chrono::nanoseconds poll_within_turn = std::chrono::nanoseconds(1500);
/// As long as results keep coming, a turn goes on for about this.
constexpr std::chrono::nanoseconds turn_time = std::chrono::microseconds(8);
/// What handlers issue in a turn is published after about this, or when the turn ends. Later where
/// a token gains nothing by it: all workers of its lane share their cores with busy loops, and each
/// wake-up takes one from a loop for some microseconds. Tokens with a deadline do not wait for
/// that.
constexpr std::chrono::nanoseconds publish_after = std::chrono::microseconds(1);
constexpr std::chrono::nanoseconds publish_crowded_after = std::chrono::microseconds(200);
/// Tokens that a turn takes into the books at once.
constexpr std::uint64_t reserve_work = 64;

std::uint64_t hot_ticks(pool_core const& pool, hot_drain policy,
                        std::chrono::nanoseconds span) noexcept {
  bool const brief = pool.throttled() && policy != hot_drain::always;
  return tick_clock::to_ticks(brief ? std::min(span, throttled_patience) : span);
}

note& issue_note(token_base& token) noexcept {
  note* const mine = std::construct_at(&token.way.note);
  mine->set(note::kind::issue, &token);
  return *mine;
}

gate_options checked(gate_options options) noexcept {
  options.backlog = std::max<std::size_t>(options.backlog, 1);
  options.drain_budget = std::max(options.drain_budget, 1u);
  return options;
}

std::optional<asio::io_context::executor_type> io_context_of(
    asio::any_io_executor const& executor) {
  auto const* const found = executor.target<asio::io_context::executor_type>();
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

}  // namespace

gate_core::gate_core(asio::any_io_executor executor, std::unique_ptr<executor_port> port,
                     std::shared_ptr<pool_core> pool, gate_options const& options)
    : executor_(std::move(executor)),
      loop_(io_context_of(executor_)),
      port_(std::move(port)),
      pool_(std::move(pool)),
      options_(checked(options)),
      poll_ticks_(tick_clock::to_ticks(poll_within_turn)),
      turn_ticks_(tick_clock::to_ticks(turn_time)),
      drain_ticks_(tick_clock::to_ticks(options.drain_time)),
      collect_ticks_(tick_clock::to_ticks(hand_over)),
      look_ticks_(tick_clock::to_ticks(look_every)),
      publish_after_(tick_clock::to_ticks(publish_after)),
      publish_crowded_after_(tick_clock::to_ticks(publish_crowded_after)),
      hot_limit_(hot_ticks(*pool_, options.hot, options.hot_limit)),
      hot_base_(hot_ticks(*pool_, options.hot, std::chrono::microseconds(30))),
      dispatcher_({options_.backlog, options_.waiting}),
      timer_(std::in_place, executor_) {
  dispatcher_.set_hand_over(static_cast<std::uint32_t>(tick_clock::to_ticks(hand_over)));
  dispatcher_.set_brief(static_cast<std::uint32_t>(tick_clock::to_ticks(brief)));
  refill_note_.set(note::kind::refill, nullptr);
  for (weight lane : {weight::light, weight::medium, weight::heavy}) {
    token_options plain;
    plain.operation = to_string(lane);
    plain.weight = lane;
    defaults_[lane_index(lane)] = &add_operation(plain);
  }
}

void gate_core::attach() {
  auto const links = pool_->attach(shared_from_this());
  enter();
  try {
    for (auto const& link : links) dispatcher_.add_link(link, pool_->at(link->position).front());
  } catch (...) {
    dispatcher_.drop_links();
    for (auto const& link : links) pool_->detach(*link);
    leave();
    throw;
  }
  // A pool that is stopped from now on knows this gate and says so.
  if (pool_->stopped()) dispatcher_.close(error::stopped);
  bury_dead_links(tick_clock::now());
  leave();
}

void gate_core::issue(token_base& token) noexcept {
  auto const now = tick_clock::now();
  token.issued = now;
  delivery& here = delivery_here;
  bool const in_turn = here.gate == this;
  if (in_turn) {
    here.issued_at = now;
    if (here.reserved == 0) begin_work(here.reserved = reserve_work);
    --here.reserved;
    bool const crowded = (here.crowded >> token.lane & 1) != 0 && token.extras == nullptr;
    if ((here.stageable >> token.lane & 1) != 0 && here.stage->push(token)) {
      // It may be gone by now: another thread of the loop admits what is staged.
      auto const at = now + (crowded ? publish_crowded_after_ : publish_after_);
      if (here.publish_at == 0 || at < here.publish_at) here.publish_at = at;
      return;
    }
  } else {
    begin_work();
  }
  if (!combiner_.enter_or_leave(issue_note(token))) return;
  admit_staged();
  dispatcher_.admit(token, now);
  hot_until_ = now + hot_span(token.lane);
  if (in_turn && here.stage != nullptr) here.stageable = busy_lanes();
  leave();
}

bool gate_core::issue_or_refuse(token_base& token) noexcept {
  begin_work();
  auto const now = tick_clock::now();
  token.issued = now;
  if (!combiner_.enter_or_leave(issue_note(token))) return true;
  admit_staged();
  dispatcher_.admit(token, now);
  bool const refused = token.where == token_base::place::ready;
  if (refused) dispatcher_.ready().remove(token);
  leave();
  return !refused;
}

void gate_core::end_refused() noexcept {
  finished_.fetch_add(1, std::memory_order_relaxed);
  end_work(1);
}

/// The token lives until its stop note has been worked off, so everything else comes before that.
void gate_core::request_stop(token_base& token, bool running_too) noexcept {
  std::uint8_t const wanted =
      token_base::stop_noted | (running_too ? token_base::stop_requested : 0);
  // acq_rel: pairs with the one in dispatcher::settle; see claim.pml.
  auto const before = token.flags.fetch_or(wanted, std::memory_order_acq_rel);
  if ((before & token_base::ended) != 0) return;
  TOKENGATE_FAULT_POINT("stop noted");
  bool const first = (before & token_base::stop_requested) == 0;
  if (running_too && first && token.ops->request_stop != nullptr) token.ops->request_stop(token);
  if ((before & token_base::stop_noted) == 0) leave_stop_note(token);
}

void gate_core::leave_stop_note(token_base& token) noexcept {
  note& mine = token.extras->stop_note;
  mine.set(note::kind::stop, &token);
  if (!combiner_.enter_or_leave(mine)) return;
  admit_staged();
  dispatcher_.stop(token);
  leave();
}

/// For what is not on the hot path: yields until the holder has left, which takes microseconds.
void gate_core::enter() noexcept {
  while (!combiner_.try_enter()) std::this_thread::yield();
  admit_staged();
}

/// Admits what handlers of this gate have issued in turns that are still going on.
void gate_core::admit_staged() noexcept {
  std::uint64_t now = 0;
  stages_.consume([&](token_base& token) {
    if (now == 0) now = tick_clock::now();
    dispatcher_.admit(token, now);
  });
  if (now != 0) hot_until_ = now + hot_span();
}

/// What is staged was issued before any note that speaks of it was left, so it comes first.
void gate_core::work_off(note* left) noexcept {
  admit_staged();
  while (left != nullptr) {
    note* const next = left->next;  // the note may be gone once it is worked off
    auto* const token = static_cast<token_base*>(left->subject());
    switch (left->what()) {
      case note::kind::issue:
        dispatcher_.admit(*token, token->issued);
        break;
      case note::kind::stop:
        dispatcher_.stop(*token);
        break;
      case note::kind::refill:
        repost_ = true;
        break;
    }
    left = next;
  }
}

/// Collects the workers to wake, so that the system call is made outside the combiner.
struct gate_core::wakes {
  std::array<parking_word<>*, 16> parked;
  std::size_t count = 0;

  void operator()(parking_word<>& one) noexcept {
    if (count == parked.size()) return one.wake();
    parked[count++] = &one;
  }
  void wake() noexcept {
    for (std::size_t i = 0; i != count; ++i) parked[i]->wake();
    count = 0;
  }
};

/// Leaves the combiner, after working off what others left and publishing what was dispatched.
void gate_core::leave() noexcept {
  wakes to_wake;
  intrusive_list<token_base> running;
  bool start = false;
  bool continued = false;
  std::uint64_t parks = 0;
  do {
    work_off(combiner_.take());
    if (dispatcher_.wants_pump()) [[unlikely]]
      dispatcher_.pump(tick_clock::now());
    if (dispatcher_.has_staged()) dispatcher_.flush(std::ref(to_wake));
    if (overloaded_ || dispatcher_.refused() != refused_seen_) note_overload();
    if (dispatcher_.watches()) set_timer();
    running.splice_back(dispatcher_.to_stop());
    if (std::exchange(repost_, false)) {
      start = continued = true;
    } else if (!start && may_be_parked()) {
      if (wants_drain())
        start = parking.claim();
      else if (dispatcher_.lopsided(pool_->has_several_gates()))
        look_later();
    }
    parks = parks_;
    TOKENGATE_FAULT_POINT("before leaving the combiner");
  } while (!combiner_.try_leave());
  TOKENGATE_FAULT_POINT("combiner left");
  to_wake.wake();
  if (start) {
    if (delivery& here = delivery_here; here.gate == this) here.posted = parks;
    post_drain(continued);
  }
  if (!running.empty()) signal_stops(running);
}

bool gate_core::wants_drain() noexcept {
  return !dispatcher_.ready().empty() || (dispatcher_.held() != 0 && stay_hot(tick_clock::now()));
}

/// Stop callbacks are the user's, so they run here and not in the combiner. Each token is kept by
/// the note that is left afterwards.
void gate_core::signal_stops(intrusive_list<token_base>& running) noexcept {
  while (token_base* token = running.pop_front()) {
    token->ops->request_stop(*token);
    leave_stop_note(*token);
  }
}

}  // namespace tokengate::detail
