// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <memory>

namespace spdlog {
class logger;
}

namespace tokengate {

/// Hands in the logger that the library shall use from now on, everywhere in the process; null goes
/// back to the default one. Nothing is logged per token, so an ordinary synchronous logger does.
/// @par Thread safety  any thread, at any time; takes a short lock
void set_logger(std::shared_ptr<spdlog::logger> replacement);

/// The logger in use. Unless one was handed in, that is the logger registered with spdlog as
/// "tokengate" if there is one, else a logger of that name, made at the first call on the sinks of
/// spdlog's default logger at level warn: a healthy library is silent. Placement, start and stop
/// are told at level info: `tokengate::logger()->set_level(spdlog::level::info)`.
/// @par Thread safety  any thread, at any time; takes a short lock. Not for hot paths
std::shared_ptr<spdlog::logger> logger();

}  // namespace tokengate
