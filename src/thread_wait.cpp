// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/impl/thread_wait.hpp"

#include "gate_service.hpp"
#include "tokengate/error.hpp"
#include "tokengate/impl/turn_queue.hpp"
#include "worker.hpp"

namespace tokengate::detail {

void prepare_to_block(may_block who) {
  worker* const here = this_worker.self;
  if ((who == may_block::plain_threads && here != nullptr) || gate_service::on_any_loop() ||
      turn_queue::on_any_loop())
    throw boost::system::system_error(error::would_deadlock);
  if (here != nullptr) here->publish_finished();
}

bool sleeping_place::sleep(std::chrono::nanoseconds timeout) noexcept {
  constexpr int spins = 100;
  for (int i = 0; i != spins && timeout.count() > 0; ++i) {
    // acquire here and below: pairs with wake(), the outcome is visible.
    if (word_.load(std::memory_order_acquire) == decided) return true;
    std_sync::spin_hint();
  }
  std::uint32_t expected = awake;
  if (!word_.compare_exchange_strong(expected, asleep, std::memory_order_acq_rel) &&
      expected == decided)
    return true;
  auto const now = std::chrono::steady_clock::now();
  bool const limited = timeout < std::chrono::steady_clock::time_point::max() - now;
  auto const until = now + (limited ? timeout : std::chrono::nanoseconds{});
  while (word_.load(std::memory_order_acquire) != decided) {
    auto const left = limited ? until - std::chrono::steady_clock::now() : wait_forever;
    if (left.count() <= 0) return false;
    std_sync::futex_wait(word_, asleep, left);
  }
  return true;
}

}  // namespace tokengate::detail
