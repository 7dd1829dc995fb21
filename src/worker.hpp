// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "thread_placement.hpp"
#include "tokengate/detail/mailbox.hpp"
#include "tokengate/detail/operation_record.hpp"
#include "tokengate/impl/worker_context.hpp"
#include "tokengate/snapshot.hpp"
#include "tokengate/weight.hpp"

namespace tokengate::detail {

/// What the workers of a pool share.
struct pool_shared {
  /// Never more busy spinners than usable cores minus one.
  std::atomic<int> spinners{0};
  int most_spinners = 0;
  std::uint64_t spin_ticks = 0;  ///< by wait policy
  bool heavy_spins = false;
  std::uint64_t floor_after =
      0;  ///< ticks of uninterrupted work after which a heavier lane gets its turn
};

/// One position: a thread on one core, serving one lane.
///
/// Invariants: local_ and what hangs on it belong to the thread. incoming_ is shared under its
/// mutex and announced by version_. The counters have the thread as their only writer.
class worker {
 public:
  worker(pool_shared& pool, std::size_t position, std::size_t core, unsigned os_index, weight lane)
      : pool_(pool), position_(position), core_(core), os_index_(os_index), lane_(lane) {}

  /// Body of the thread. Returns when stopped, with every slot given back.
  void run();

  /// Once, before the first run(): what the thread was granted.
  void place(bool pin, bool lane_priorities, std::string const& pool_name);

  /// Any thread. May throw bad_alloc.
  void attach(std::shared_ptr<link> added);
  void stop() noexcept;
  /// Any thread: look at the list of links again.
  void poke() noexcept;

  /// The worker itself, from inside a token's function that is about to block: publishes results
  /// that wait for more.
  void publish_finished() noexcept;

  /// Workers of heavier lanes on the same core, which this one must not starve.
  void set_heavier(worker* medium, worker* heavy) noexcept { heavier_ = {medium, heavy}; }

  [[nodiscard]] worker_front& front() noexcept { return front_; }
  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  [[nodiscard]] std::size_t core() const noexcept { return core_; }
  [[nodiscard]] unsigned os_index() const noexcept { return os_index_; }
  [[nodiscard]] weight lane() const noexcept { return lane_; }
  [[nodiscard]] placement_report const& placement() const noexcept { return placement_; }
  [[nodiscard]] std::uint64_t rescued() const noexcept { return rescued_.get(); }
  [[nodiscard]] worker_snapshot snapshot() const;

 private:
  /// The worker's end of a link.
  struct attached {
    std::shared_ptr<link> to;
    std::uint64_t seen = 0;      ///< slots that came
    std::uint64_t started = 0;   ///< of them those that were begun
    std::uint64_t finished = 0;  ///< and those that are done with
    std::uint64_t returned = 0;  ///< and those that the gate may see
    std::uint64_t finished_since = 0;

    [[nodiscard]] bool has_more() const noexcept { return started != seen; }
    [[nodiscard]] slot& next() noexcept { return to->at(started); }
  };

  void refresh() noexcept;
  [[nodiscard]] bool serve(attached& from);
  [[nodiscard]] bool take(attached& from) noexcept;
  void execute(token_base& token, std::uint64_t& now) noexcept;
  void give_back(attached& to) noexcept;
  [[nodiscard]] bool anything() const noexcept;
  [[nodiscard]] bool is_crowded() noexcept;
  [[nodiscard]] bool spin() noexcept;
  void park() noexcept;
  void leave_room(std::uint64_t now) noexcept;
  void end();

  worker_front front_;
  alignas(cache_line) std::atomic<bool> stop_{false};
  std::atomic<std::uint32_t> version_{0};
  std::mutex incoming_mutex_;
  std::vector<std::unique_ptr<attached>> incoming_;
  std::size_t attached_ = 0;  ///< under incoming_mutex_: links in local_, as last seen
  bool ended_ = false;        ///< under incoming_mutex_

  alignas(cache_line) std::vector<std::unique_ptr<attached>> local_;
  std::uint32_t seen_version_ = 0;
  std::uint64_t spin_now_ = 0;  ///< adaptive budget, ticks
  std::uint64_t busy_since_ = 0;
  bool crowded_ = false;    ///< as the gates were told
  std::uint64_t turn_ = 0;  ///< the constants of worker.cpp in ticks
  std::uint64_t publish_after_ = 0;
  std::uint64_t shortest_spin_ = 0;
  std::atomic<worker_state> state_{worker_state::starting};
  counter executed_;
  counter busy_;
  counter parked_;
  counter parks_;
  counter rescued_;

  pool_shared& pool_;
  std::size_t const position_;
  std::size_t const core_;
  unsigned const os_index_;
  weight const lane_;
  placement_report placement_{};
  std::array<worker*, 2> heavier_{};
};

}  // namespace tokengate::detail
