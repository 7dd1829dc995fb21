// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tokengate/snapshot.hpp"

namespace tokengate {

namespace detail {
class pool_core;
}

/// What a worker does when it has nothing to do, before it parks. Parked workers cost nothing, but
/// waking one costs the waker some microseconds; spinning ones the reverse. Spinning is bounded by
/// clock, adapts to whether it pays, and never occupies more than usable cores minus one.
enum class wait_policy : std::uint8_t {
  efficient,  ///< spins some 20 us while tokens flow; idle costs no CPU
  balanced,   ///< spins some 100 us
  latency     ///< spins some 2 ms, heavy workers too
};

/// How a worker_pool is sized and placed.
class worker_pool_options {
 public:
  worker_pool_options() = default;  // not an aggregate: see token_options

  /// Cores by the operating system's number, in order of preference. Empty: chosen from the
  /// affinity mask and the cgroup quota, physical cores first, SMT siblings last, near NUMA nodes
  /// first.
  std::vector<unsigned> cores{};
  /// At most this many cores; 0 is no limit.
  std::size_t max_cores = 0;
  /// Bind each worker to its core.
  bool pin = true;
  /// Run heavy workers below medium ones and these below light ones, so that a light token never
  /// waits for a heavy function to end.
  bool lane_priorities = true;
  wait_policy wait = wait_policy::efficient;
  /// The first 8 characters begin the thread names, as in "tokengat.0l": core and lane follow.
  std::string name = "tokengate";
};

/// The execution plane: on each core it uses one pinned thread per lane. Shared by any number of
/// gates.
///
/// The lanes of a core share it by operating system priority: heavy runs as SCHED_IDLE, medium as
/// SCHED_BATCH with a raised nice value, light as it is. A worker of a lighter lane that works
/// without a pause leaves a twentieth of the time to the heavier ones of its core. Other processes
/// on these cores do not: beside a busy one, a SCHED_IDLE worker gets next to nothing; where the
/// machine is shared with such, set lane_priorities to false. What the operating system refused is
/// in snapshot().problems and in the log.
///
/// @par Thread safety  all members but the destructor may be called by any thread at any time
/// @par Lifetime       gates keep working order when the pool goes first: their tokens that have
/// not
///                     started end with error::stopped. The destructor joins; when it is called by
///                     one of the pool's own workers, it joins the others and that one ends by
///                     itself.
class worker_pool {
 public:
  /// Starts the threads. The affinity mask is read on the calling thread: pin that one afterwards.
  /// @par Errors  std::invalid_argument for cores that are not usable or named twice;
  ///              std::system_error when a thread could not be started (those started are joined)
  explicit worker_pool(worker_pool_options options = {});
  ~worker_pool();
  worker_pool(worker_pool const&) = delete;
  worker_pool& operator=(worker_pool const&) = delete;

  /// Withdraws what has not started, asks what runs to stop. Does not wait for it.
  void stop();

  /// Positions, that is worker threads.
  [[nodiscard]] std::size_t size() const noexcept;
  /// Cores they are placed on.
  [[nodiscard]] std::size_t cores() const noexcept;

  /// @par Cost  some microseconds; the workers are not disturbed
  [[nodiscard]] pool_snapshot snapshot() const;

 private:
  friend class gate;
  std::shared_ptr<detail::pool_core> core_;
};

}  // namespace tokengate
