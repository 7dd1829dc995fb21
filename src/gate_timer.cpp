// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>
#include <boost/asio/error.hpp>

#include "gate_core.hpp"
#include "tokengate/detail/tick_clock.hpp"

namespace tokengate::detail {

namespace {

/// Nobody polls for results: what was sent off and may be stuck is looked at after the first, and,
/// while nothing else is sent, after twice the time again and again, up to the second.
constexpr std::chrono::milliseconds first_look{1};
constexpr std::chrono::milliseconds longest_look{16};

}  // namespace

void gate_core::look_later() noexcept {
  bool const fresh = dispatcher_.sent_since_look();
  if (look_at_ != dispatcher::time_point::max() && (!fresh || look_after_ == first_look)) return;
  look_after_ = fresh ? first_look : std::clamp(2 * look_after_, first_look, longest_look);
  look_at_ = std::chrono::steady_clock::now() + look_after_;
  set_timer();
}

/// One timer for all deadlines, set only for tokens that wait, and for look_later(). Inside the
/// combiner.
void gate_core::set_timer() noexcept {
  auto const next = std::min(dispatcher_.next_expiry(), look_at_);
  if (next >= timer_at_ || !timer_) return;
  timer_at_ = dispatcher::time_point::max();  // setting it anew cancels the old wait first
  try {
    timer_->expires_at(next);
    timer_->async_wait([self = weak_from_this(), next](boost::system::error_code failed) {
      if (failed == asio::error::operation_aborted) return;
      if (auto gate = self.lock()) static_cast<gate_core&>(*gate).on_timer(next);
    });
    timer_at_ = next;
  } catch (...) {
    // Without memory for the timer a deadline is noticed at dispatch and at pick-up.
    look_at_ = dispatcher::time_point::max();
  }
}

/// Nothing is out that has a deadline: a timer that runs on would keep run() from returning.
void gate_core::rest_timer() noexcept {
  if (timer_at_ == dispatcher::time_point::max() || !timer_) return;
  if (dispatcher_.held() != 0 || dispatcher_.next_expiry() != dispatcher::time_point::max()) return;
  timer_at_ = look_at_ = dispatcher::time_point::max();
  timer_->cancel();
}

void gate_core::on_timer(dispatcher::time_point set_to) noexcept {
  enter();
  if (timer_at_ != set_to) return leave();  // it had gone off when another one was set
  timer_at_ = look_at_ = dispatcher::time_point::max();
  dispatcher_.expire(std::chrono::steady_clock::now());
  dispatcher_.look_around(looked_at_ = tick_clock::now());
  leave();
}

}  // namespace tokengate::detail
