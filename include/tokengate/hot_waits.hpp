// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>

#include "tokengate/gate_options.hpp"

namespace tokengate {

/// Whether a loop polls for what other threads complete on it (channels, flow variables, locks,
/// broadcast, watch, the bus) instead of going to sleep after each. It begins when another thread
/// has completed a wait of the loop, and ends after `limit` without another one, or when nothing
/// waits any more. `automatic`, the default: while there is a core for it besides the workers that
/// are awake and the other loops that poll, and with longer and longer pauses after spells that
/// found nothing, and for 2 ms at a time (or `limit`, if that is longer), so that a poll() returns;
/// with `always` it does only when the spell has ended. Sockets and timers get their turn between
/// two turns, which poll for 1.5 us, and for up to 8 us while completions come; the handlers that
/// run_one() counts are more by those turns.
///
/// A wake-up costs the thread that completes a wait a system call, and the loop some tens of
/// microseconds; polling costs the loop's core for at most about as long. Nothing is polled for
/// while nothing is completed.
/// @par Thread safety  any thread, at any time
/// @par Errors  bad_alloc
void hot_waits(boost::asio::io_context& loop, hot_drain policy,
               std::chrono::nanoseconds limit = std::chrono::microseconds(30));

}  // namespace tokengate
