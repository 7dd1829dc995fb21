// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <functional>
#include <string>
#include <vector>

/// @file
/// Finding wait cycles among async_mutex, async_shared_mutex, async_semaphore and monitor while a
/// program runs. Off in release builds of the library unless switched on.
///
/// What is found is certain: a wait is refused with error::would_deadlock only if it could not be
/// granted even when every flow that can still run gives back all it holds; only a limit or a
/// cancellation of one of the others could have helped. What cannot be seen: a lock taken without
/// an owner (lock_owner.hpp) while another is held, and waits for anything else, such as an event
/// or a channel.

namespace tokengate {

/// One flow that stands still: `owner` waits for `lock`, which `holder` has (or, when it only
/// stands in the queue for it, is before `owner` in).
struct lock_cycle_step {
  std::string owner;
  std::string lock;
  std::string holder;
  bool holds = true;
};

/// The way from the flow whose wait was refused to where it closes.
using lock_cycle = std::vector<lock_cycle_step>;

/// "session 1 waits for B, held by session 2; session 2 waits for A, held by session 1"
[[nodiscard]] std::string to_string(lock_cycle const& cycle);

/// Switches the check for the locks that are made from now on. At the start it is on if the library
/// was compiled with TOKENGATE_CHECK_LOCKS=1, which is the default where NDEBUG is not defined.
///
/// The operations of checked locks go through one mutex of the process, and take a record each.
/// @par Thread safety  any thread
void set_lock_checks(bool on) noexcept;
[[nodiscard]] bool lock_checks() noexcept;

/// What is called with each cycle found, on the thread that initiates the wait, before its
/// operation fails. It must not throw. Null: the cycle goes to the logger at level error.
/// @par Thread safety  any thread
void set_lock_cycle_handler(std::function<void(lock_cycle const&)> handler);

}  // namespace tokengate
