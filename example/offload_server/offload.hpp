// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "operations.hpp"

namespace offload_server {

namespace asio = boost::asio;

enum class outcome : std::uint8_t { done, refused, failed };

/// What became of one piece of work. Has constructors because g++ 12 mishandles aggregates that
/// are built inside a co_await expression.
struct answer {
  answer() = default;
  answer(outcome how, std::string text) : what(how), body(std::move(text)) {}

  outcome what = outcome::failed;
  std::string body;  ///< the result, or the reason
};

/// Tokens issued and how they ended; all zero in the modes that do not count.
struct token_books {
  std::uint64_t issued = 0;
  std::uint64_t completed = 0;
  std::uint64_t other = 0;  ///< failed, timed out, cancelled, killed or rejected
};

/// Where the server's CPU work runs. The server is the same for each; only this differs.
///
/// Used on the loop's thread, except for size(). Must be destroyed before the loop.
class offload {
 public:
  virtual ~offload() = default;

  /// Computes the answer of a route and resumes the caller on its own executor. Never throws for
  /// overload or for a failed operation: those are outcomes.
  virtual asio::awaitable<answer> run(route which, std::string body) = 0;

  /// Waits until no work is out, or the deadline passed. Nothing new is accepted from then on.
  virtual asio::awaitable<void> drain(std::chrono::milliseconds deadline) = 0;

  virtual std::string stats() const = 0;  ///< JSON for GET /stats
  virtual token_books books() const { return token_books(); }
  virtual std::size_t cores() const = 0;  ///< how many cores the work may use
};

enum class mode : std::uint8_t { inline_handler, thread_pool, tokengate };

const char* name_of(mode which);

struct offload_settings {
  std::size_t cores = 1;      ///< at most this many
  std::size_t backlog = 256;  ///< tokens that may wait per lane, in mode tokengate
};

/// The work in the handler itself: what a first version of a server does.
std::unique_ptr<offload> make_inline_offload(const key_derivation& password);

/// asio::thread_pool, with one post to the pool and one back.
std::unique_ptr<offload> make_pool_offload(std::size_t threads, const key_derivation& password);

/// tokengate: a gate on this loop, and a worker pool.
std::unique_ptr<offload> make_gate_offload(asio::io_context& loop, const offload_settings& settings,
                                           const key_derivation& password);

std::unique_ptr<offload> make_offload(mode which, asio::io_context& loop,
                                      const offload_settings& settings,
                                      const key_derivation& password);

/// The operation behind a route, run on the calling thread.
std::string compute(route which, const std::string& body, const key_derivation& password);

}  // namespace offload_server
