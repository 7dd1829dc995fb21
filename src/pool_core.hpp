// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tokengate/worker_pool.hpp"
#include "topology.hpp"
#include "worker.hpp"

namespace tokengate::detail {

/// Under a quota below the usable cores no worker, and no gate but with hot_drain::always, polls
/// for longer: about the CPU time of a sleep and a wake-up, so that waiting costs at most twice as
/// much as without, and far less while work comes.
inline constexpr std::chrono::nanoseconds throttled_patience = std::chrono::microseconds(10);

/// The threads of a worker_pool and what belongs to them. Kept alive by the pool, its gates and the
/// threads themselves, so that any of these may go first.
class pool_core : public std::enable_shared_from_this<pool_core> {
 public:
  explicit pool_core(worker_pool_options options);

  /// Throws std::system_error; what was started is joined then.
  void start();
  void stop() noexcept;
  /// Waits for all threads but the calling one.
  void join() noexcept;

  /// One link to each worker. Throws bad_alloc with nothing attached.
  [[nodiscard]] std::vector<std::shared_ptr<link>> attach(std::shared_ptr<return_bell> const& gate);
  /// The gate of this link is done with it.
  void detach(link& from) noexcept;

  [[nodiscard]] worker& at(std::size_t position) noexcept { return *workers_[position]; }
  [[nodiscard]] bool stopped() const noexcept { return stopped_.load(); }
  [[nodiscard]] std::size_t size() const noexcept { return workers_.size(); }
  [[nodiscard]] std::size_t cores() const noexcept { return cores_.size(); }
  /// Whether more than one gate is attached. A hint.
  [[nodiscard]] bool has_several_gates() const noexcept {
    return gate_count_.load(std::memory_order_relaxed) > 1;
  }
  /// Cores of the process, whether the pool uses them or not.
  [[nodiscard]] std::size_t usable_cores() const noexcept { return machine_.usable; }
  [[nodiscard]] bool throttled() const noexcept;
  /// Dense index of an operating system core, or no_core: also where workers do not stay on theirs.
  [[nodiscard]] std::uint32_t index_of_core(unsigned os_index) const noexcept;
  [[nodiscard]] pool_snapshot snapshot() const;
  [[nodiscard]] std::uint64_t rescued() const noexcept;

  /// Loops that are hot now; see gate_core.
  std::atomic<int> hot_loops{0};

 private:
  void log_placement() const;
  [[nodiscard]] std::vector<std::string> problems() const;

  worker_pool_options const options_;
  topology machine_;
  std::vector<core_info> cores_;
  pool_shared shared_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<std::thread> threads_;
  bool pinned_ = false;  ///< all workers; known when they have been started
  mutable std::mutex gates_mutex_;
  std::vector<std::weak_ptr<return_bell>> gates_;
  std::atomic<int> gate_count_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace tokengate::detail
