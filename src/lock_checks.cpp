// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "lock_checks.hpp"

#include <spdlog/logger.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "tokengate/logging.hpp"

#if !defined(TOKENGATE_CHECK_LOCKS)
#if defined(NDEBUG)
#define TOKENGATE_CHECK_LOCKS 0
#else
#define TOKENGATE_CHECK_LOCKS 1
#endif
#endif

namespace tokengate {
namespace {

using handler = std::function<void(lock_cycle const&)>;

struct settings {
  // Relaxed everywhere: nothing else hangs on it.
  std::atomic<bool> on{TOKENGATE_CHECK_LOCKS != 0};
  std::mutex mutex;
  std::shared_ptr<handler const> told;
};

// Never destroyed: static objects may hold locks.
settings& current() {
  static settings& only = *new settings;
  return only;
}

}  // namespace

void set_lock_checks(bool on) noexcept {
  current().on.store(on, std::memory_order_relaxed);
}

bool lock_checks() noexcept {
  return current().on.load(std::memory_order_relaxed);
}

void set_lock_cycle_handler(handler replacement) {
  auto made = replacement ? std::make_shared<handler const>(std::move(replacement)) : nullptr;
  auto& [on, mutex, told] = current();
  std::lock_guard hold(mutex);
  told.swap(made);
}

void detail::report(lock_cycle const& cycle) noexcept {
  try {
    std::unique_lock hold(current().mutex);
    auto const told = current().told;
    hold.unlock();
    if (told)
      (*told)(cycle);
    else
      logger()->error("wait cycle, the wait is refused: {}", to_string(cycle));
  } catch (...) {
    // The wait is refused whether or not it can be told why.
  }
}

}  // namespace tokengate
