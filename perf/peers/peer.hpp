// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../load.hpp"

namespace boost::asio {
class io_context;
}

namespace perf {

/// How the caller waits for its tokens.
enum class shape { callback, deferred, use_awaitable };

/// Where the threads stand.
enum class placement {
  one_worker,       ///< the loop alone on one core, one worker on another, both pinned
  unpinned_worker,  ///< one worker, nothing pinned
  every_core  ///< a worker per usable core, the loop among them: what a user gets without care
};

/// How a workload wants its contenders made.
struct setup {
  shape how = shape::callback;
  placement where = placement::one_worker;
  /// Room for so many tokens at once, where the peer has a bound. 0: as it comes.
  std::size_t room = 0;
  /// Beyond `room` tokens are refused at once, where the peer can.
  bool refuse = false;
  /// The same for peers that count by hand.
  std::size_t hand_bound = 0;
  /// After so long nobody wants the result any more: the peer may give the token up. 0: never.
  std::chrono::nanoseconds deadline{0};
  /// Workers may stay awake for long between two tokens, where the peer can be told.
  bool keep_workers_awake = false;
  /// The loop is not kept awake while tokens are out, where the peer would.
  bool let_the_loop_sleep = false;
};

/// A way to run functions elsewhere and have the result back on an event loop.
class peer {
 public:
  virtual ~peer() = default;

  /// Issues the whole load from the calling thread, the loop's; returns when every token is back.
  virtual void run(load& what) = 0;

  /// Runs the loop for `length` with nothing in flight.
  virtual void idle(std::chrono::nanoseconds length) = 0;

  /// Tokens that are out in the peer's own books; none where it keeps no books.
  virtual std::size_t outstanding() const { return 0; }

  /// For a workload that has something else on the same loop.
  virtual boost::asio::io_context& loop() = 0;
};

/// A peer before it is made.
struct peer_kind {
  std::string name;
  bool stock = false;  ///< what a user of Asio alone would write, as it comes
  std::unique_ptr<peer> (*make)(setup const&) = nullptr;
  /// The only shape it has; a peer without one is made in the shape the workload asks for.
  std::optional<shape> own_shape{};
  /// Takes part only where a workload asks for it by name.
  bool on_request = false;
};

/// All peers of this build, the library's own variants first.
std::vector<peer_kind> const& peers();

}  // namespace perf
