// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../load.hpp"

namespace perf {

/// How the caller waits for its tokens.
enum class shape { callback, deferred, use_awaitable };

/// Where the threads stand.
enum class placement {
  one_worker,  ///< the loop alone on one core, one worker on another
  every_core   ///< a worker per usable core, the loop among them: what a user gets without care
};

/// A way to run functions elsewhere and have the result back on an event loop.
class peer {
 public:
  virtual ~peer() = default;

  /// Issues the whole load from the calling thread, the loop's; returns when every token is back.
  virtual void run(load& what) = 0;

  /// Runs the loop for `length` with nothing in flight.
  virtual void idle(std::chrono::nanoseconds length) = 0;
};

/// A peer before it is made.
struct peer_kind {
  std::string name;
  bool stock = false;  ///< what a user of Asio alone would write
  std::unique_ptr<peer> (*make)(shape, placement) = nullptr;
  /// The only shape it has; a peer without one is made in the shape the workload asks for.
  std::optional<shape> own_shape{};
};

/// All peers of this build, the library's own variants first.
std::vector<peer_kind> const& peers();

}  // namespace perf
