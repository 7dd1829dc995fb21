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
/// found nothing. Sockets and timers get their turn between two polls, which last about two
/// microseconds; the handlers that poll() and run_one() count are more by the turns in between.
///
/// A wake-up costs the thread that completes a wait a system call, and the loop some tens of
/// microseconds; polling costs the loop's core for at most about as long. Nothing is polled for
/// while nothing is completed.
/// @par Thread safety  any thread, at any time
/// @par Errors  bad_alloc
void hot_waits(boost::asio::io_context& loop, hot_drain policy,
               std::chrono::nanoseconds limit = std::chrono::microseconds(30));

}  // namespace tokengate
