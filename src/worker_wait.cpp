// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>

#include "core_load.hpp"
#include "tokengate/detail/fault_point.hpp"
#include "tokengate/detail/tick_clock.hpp"
#include "worker.hpp"

// How a worker waits when it has found nothing: it spins for a while, then parks.

namespace tokengate::detail {
namespace {

/// A parked worker looks once more after this, in case a wake-up was lost, and then never again.
constexpr std::chrono::milliseconds safety_net{100};

/// Looks for work, eight at a time, between two looks at whether a loop wants the core.
constexpr std::uint32_t crowd_check = 16;

}  // namespace

bool worker::anything() const noexcept {
  if (stop_.load(std::memory_order_relaxed) ||
      version_.load(std::memory_order_relaxed) != seen_version_)
    return true;
  return std::ranges::any_of(
      local_, [](auto const& from) { return from->to->sent.handed_over() != from->started; });
}

/// Whether a loop is busy on this worker's core, which spinning would take from it. Tells the
/// gates.
bool worker::is_crowded() noexcept {
  bool const crowded = placement_.pinned && std::ranges::any_of(local_, [this](auto const& from) {
                         return_bell const& bell = *from->to->bell;
                         return bell.loop_core.load(std::memory_order_relaxed) == core_ &&
                                !bell.parking.looks_parked();
                       });
  if (crowded || crowded_)
    for (auto& each : local_) {
      auto& told = each->to->crowded;
      if (told.load(std::memory_order_relaxed) != crowded)
        told.store(crowded, std::memory_order_relaxed);
    }
  crowded_ = crowded;
  return crowded;
}

/// True when something came. By clock and not by count, and less when it has not paid lately.
bool worker::spin() noexcept {
  if (spin_now_ == 0 || (lane_ == weight::heavy && !pool_.heavy_spins)) return false;
  if (is_crowded()) return false;
  if (pool_.spinners.fetch_add(1, std::memory_order_relaxed) >= pool_.most_spinners) {
    pool_.spinners.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  state_.store(worker_state::spinning, std::memory_order_relaxed);
  auto const until = tick_clock::now() + spin_now_;
  bool found = false;
  std::uint32_t rounds = 0;
  do {
    if (++rounds % crowd_check == 0 && is_crowded()) break;
    for (int i = 0; i != 8 && !found; ++i) {
      found = anything();
      if (!found) std_sync::spin_hint();
    }
  } while (!found && tick_clock::now() < until);
  pool_.spinners.fetch_sub(1, std::memory_order_relaxed);
  spin_now_ = found ? pool_.spin_ticks : std::max(spin_now_ / 2, shortest_spin_);
  return found;
}

void worker::park() noexcept {
  TOKENGATE_FAULT_POINT("worker found nothing");
  if (!front_.parking.try_park()) return;
  core_load::get().awake_workers.fetch_sub(1, std::memory_order_relaxed);
  state_.store(worker_state::parked, std::memory_order_relaxed);
  parks_.add();
  TOKENGATE_FAULT_POINT("worker parked");
  auto const begun = tick_clock::now();
  if (!front_.parking.sleep(safety_net)) {
    // The announcement is one read-modify-write, so nothing can have been lost; look nevertheless.
    // A producer between its push and its notify() gets another moment.
    if (!anything())
      front_.parking.sleep();
    else if (!front_.parking.sleep(safety_net))
      rescued_.add();
  }
  front_.parking.unpark();
  core_load::get().awake_workers.fetch_add(1, std::memory_order_relaxed);
  auto const slept = tick_clock::elapsed(begun, tick_clock::now());
  parked_.add(slept);
  // Work that comes again soon after parking would have been worth a spin.
  if (slept < 4 * pool_.spin_ticks) spin_now_ = pool_.spin_ticks;
}

}  // namespace tokengate::detail
