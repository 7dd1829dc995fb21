// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tokengate {

/// One that holds a lock, or waits for it.
struct lock_party {
  std::string owner;        ///< as in lock_owner; empty for nobody in particular
  std::size_t permits = 1;  ///< held or wanted
  bool exclusive = true;    ///< all that there are: a mutex, a writer
};

/// What a lock looked like at one moment. There is one of each lock that can be held: async_mutex,
/// async_shared_mutex, async_semaphore, monitor. async_event, async_latch and async_barrier, which
/// nobody holds, count their waiters.
struct lock_snapshot {
  std::string name;
  std::size_t free = 0;   ///< permits to be had; whoever waits comes first
  std::size_t total = 0;  ///< free ones, and those held
  bool closed = false;
  /// With an owner, each hold by itself; all holds without one are one party, without a name.
  std::vector<lock_party> holders;
  std::vector<lock_party> waiters;  ///< the next one first
};

/// One line: "accounts: held by session 4; waiting: session 7, session 9"
[[nodiscard]] std::string to_string(lock_snapshot const& lock);

}  // namespace tokengate
