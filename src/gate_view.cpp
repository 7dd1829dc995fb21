// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <spdlog/spdlog.h>

#include "gate_core.hpp"
#include "tokengate/detail/tick_clock.hpp"
#include "tokengate/logging.hpp"

// What there is to look at.

namespace tokengate::detail {
namespace {

constexpr std::chrono::seconds between_warnings{1};

operation_snapshot view(operation_record const& from, double ns) {
  auto const ended = [&](token_state state) {
    return from.outcomes[static_cast<std::size_t>(state)].get();
  };
  operation_snapshot s;
  s.name = from.name;
  s.weight = from.options.weight;
  s.issued = from.issued.get();
  s.completed = ended(token_state::completed);
  s.failed = ended(token_state::failed);
  s.killed = ended(token_state::killed);
  s.timed_out = ended(token_state::timed_out);
  s.cancelled = ended(token_state::cancelled);
  s.rejected = ended(token_state::rejected);
  s.out = s.issued - s.completed - s.failed - s.killed - s.timed_out - s.cancelled - s.rejected;
  from.run.read_into(s.run, ns);
  return s;
}

token_state state_of(token_base const& token) noexcept {
  if (token.where != token_base::place::slot)
    return token.where == token_base::place::outside ? token_state::created : token_state::waiting;
  return token.way.in.slot->look() != nullptr ? token_state::admitted : token_state::executing;
}

}  // namespace

gate_snapshot gate_core::snapshot() {
  gate_snapshot s;
  double const ns = tick_clock::ns_per_tick();
  enter();
  // A snapshot is some kilobytes of copying; the allocations are made inside the combiner, where a
  // loop that issues meanwhile leaves notes and goes on.
  try {
    for (operation_record const& each : operations_) {
      s.operations.push_back(view(each, ns));
      s.run.merge(s.operations.back().run);
    }
    for (std::size_t lane = 0; lane != lane_count; ++lane) {
      s.lanes[lane].backlog = dispatcher_.waiting(lane);
      s.lanes[lane].waiting = dispatcher_.waiting_room(lane);
      s.lanes[lane].in_flight = dispatcher_.in_flight(lane);
    }
    for (auto const& link : dispatcher_.links())
      if (link->alive())
        s.lanes[link->shared().lane].credits +=
            link->credits() - std::min(link->credits(), link->in_flight());
    wait_backlog_.read_into(s.wait_backlog, ns);
    wait_mailbox_.read_into(s.wait_mailbox, ns);
    return_to_loop_.read_into(s.return_to_loop, ns);
    loop_lag_.read_into(s.loop_lag, ns);
  } catch (...) {
    leave();
    throw;
  }
  s.overloaded = overloaded_;
  s.closed = dispatcher_.closed();
  s.chains_open = dispatcher_.chains_open();
  s.chains_ended = dispatcher_.chains_ended();
  s.withdrawn = dispatcher_.withdrawn();
  leave();
  for (operation_snapshot const& each : s.operations) {
    s.issued += each.issued;
    s.rejected += each.rejected;
    s.expired += each.timed_out;
  }
  s.finished = finished_.load(std::memory_order_relaxed);
  s.destroyed = destroyed_.load(std::memory_order_relaxed);
  s.out = s.issued - std::min(s.issued, s.finished + s.destroyed);
  s.rescued_wakeups = pool_->rescued();
  s.lost_errors = lost_errors_.load(std::memory_order_relaxed);
  return s;
}

live_token gate_core::describe(token_base const& token, std::uint64_t now) const {
  live_token live;
  live.id = token.way.in.id;
  live.operation = token.operation->name;
  live.weight = static_cast<weight>(token.lane);
  live.state = state_of(token);
  live.age = std::chrono::nanoseconds(tick_clock::to_ns(tick_clock::elapsed(token.issued, now)));
  return live;
}

std::vector<live_token> gate_core::tokens() {
  std::vector<live_token> found;
  auto const now = tick_clock::now();
  enter();
  try {
    dispatcher_.for_each([&](token_base& token) { found.push_back(describe(token, now)); });
  } catch (...) {
    leave();
    throw;
  }
  leave();
  return found;
}

void gate_core::log_stuck(drain_report const& report) const noexcept {
  constexpr std::size_t most = 8;
  for (std::size_t i = 0; i != std::min(most, report.stuck.size()); ++i) {
    live_token const& token = report.stuck[i];
    logger()->warn("drain: token {} of {} is still {} after {} ms", token.id, token.operation,
                   to_string(token.state),
                   std::chrono::duration_cast<std::chrono::milliseconds>(token.age).count());
  }
  if (report.stuck.size() > most)
    logger()->warn("drain: and {} more tokens are out", report.stuck.size() - most);
}

/// Once when a lane begins to refuse, once when its backlog is down to a half. Inside the combiner;
/// the log line is rare, and asynchronous if the logger is.
void gate_core::note_overload() noexcept {
  std::uint64_t const refused = dispatcher_.refused();
  bool full = false;
  for (std::size_t lane = 0; lane != lane_count; ++lane)
    full = full || 2 * dispatcher_.waiting(lane) > options_.backlog;
  bool const begun = !overloaded_ && refused != refused_seen_;
  bool const over = overloaded_ && !full;
  refused_seen_ = refused;
  if (begun) {
    overloaded_ = true;
    // At the edge of overload it begins and ends all the time.
    auto const now = std::chrono::steady_clock::now();
    overload_logged_ = now - overload_at_ >= between_warnings;
    if (!overload_logged_) return;
    overload_at_ = now;
    logger()->warn("overload: tokens are refused");
  } else if (over) {
    overloaded_ = false;
    if (overload_logged_)
      logger()->warn("overload is over: {} tokens were refused so far", refused);
  }
}

}  // namespace tokengate::detail
