// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/sync.hpp"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>
#else
#include <algorithm>
#endif

namespace tokengate::detail {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

#if defined(__linux__)

// The bare system call and not std::atomic::wait, which knows no timeout and spins on its own.
bool std_sync::futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                          std::chrono::nanoseconds timeout) noexcept {
  timespec relative{};
  timespec* limit = nullptr;
  if (timeout != wait_forever) {
    relative.tv_sec = static_cast<time_t>(timeout.count() / 1'000'000'000);
    relative.tv_nsec = static_cast<long>(timeout.count() % 1'000'000'000);
    limit = &relative;
  }
  auto const failed = ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, limit, nullptr, 0);
  return failed == 0 || errno != ETIMEDOUT;
}

void std_sync::futex_wake(std::atomic<std::uint32_t>& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

#else

// Without a futex a sleeper polls: correct, and slow to wake.
bool std_sync::futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                          std::chrono::nanoseconds timeout) noexcept {
  constexpr std::chrono::nanoseconds step = std::chrono::microseconds(100);
  if (word.load(std::memory_order_acquire) != expected) return true;
  std::this_thread::sleep_for(std::min(step, timeout));
  return timeout > step || word.load(std::memory_order_acquire) != expected;
}

void std_sync::futex_wake(std::atomic<std::uint32_t>&) noexcept {}

#endif

}  // namespace tokengate::detail
