// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>
#include <boost/asio/error.hpp>

#include "gate_core.hpp"
#include "tokengate/detail/tick_clock.hpp"

namespace tokengate::detail {

namespace {

/// Nobody polls for results: a token that lies behind one that is stuck, while another worker has
/// nothing, is moved there after about this, if no result comes before.
constexpr std::chrono::milliseconds look_after{1};

}  // namespace

void gate_core::look_later() noexcept {
  if (look_at_ != dispatcher::time_point::max()) return;
  look_at_ = std::chrono::steady_clock::now() + look_after;
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
    timer_->async_wait([self = weak_from_this()](boost::system::error_code failed) {
      if (failed == asio::error::operation_aborted) return;
      if (auto gate = self.lock()) static_cast<gate_core&>(*gate).on_timer();
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

void gate_core::on_timer() noexcept {
  enter();
  timer_at_ = look_at_ = dispatcher::time_point::max();
  dispatcher_.expire(std::chrono::steady_clock::now());
  dispatcher_.look_around(looked_at_ = tick_clock::now());
  leave();
}

}  // namespace tokengate::detail
