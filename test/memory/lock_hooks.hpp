// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <map>
#include <set>
#include <thread>

namespace tokengate::test {

/// Addresses of the mutexes and shared mutexes that each thread has locked.
using locks_by_thread = std::map<std::thread::id, std::set<void const*>>;

/// While it lives, all that is locked by pthread_mutex_* and pthread_rwlock_*, on which Asio and
/// the standard library build, is recorded. One at a time.
class lock_recording {
 public:
  lock_recording() noexcept;
  ~lock_recording() { (void)stop(); }
  lock_recording(lock_recording const&) = delete;
  lock_recording& operator=(lock_recording const&) = delete;

  /// Ends it and gives what was recorded.
  [[nodiscard]] locks_by_thread stop() noexcept;
};

}  // namespace tokengate::test
