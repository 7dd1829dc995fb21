// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tokengate/token_state.hpp"
#include "tokengate/weight.hpp"

namespace tokengate {

// What the library knows about itself at one moment. All types here are plain values: copy them,
// keep them, compare two of them. The counters of one snapshot are read one after another while
// work goes on, so sums over them may be off by what happened meanwhile.

/// A distribution of durations in log-linear buckets.
struct histogram_snapshot {
  std::uint64_t count = 0;
  std::uint64_t sum_ns = 0;
  std::uint64_t max_ns = 0;

  /// Counts per bucket up to the highest one in use, and the length of the buckets' unit.
  std::vector<std::uint64_t> buckets{};
  double unit_ns = 1;

  /// The duration in nanoseconds that `p` percent (0 to 100) of the values do not exceed; 0 when
  /// there are none. At most 1/32 (3.2 %) off, for durations up to 2^42 units; never above
  /// `max_ns`.
  double percentile(double p) const noexcept;

  double mean_ns() const noexcept;

  /// Adds the values of another distribution. Where the units differ by more than one per mille,
  /// the error of `percentile` doubles. Strong exception guarantee.
  void merge(histogram_snapshot const& other);
};

/// The books of one operation. issued = completed + failed + killed + timed_out + cancelled +
/// rejected + out.
struct operation_snapshot {
  std::string name{};
  tokengate::weight weight = tokengate::weight::medium;
  std::uint64_t issued = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t killed = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t rejected = 0;
  std::uint64_t out = 0;  ///< issued and in no final state yet
  histogram_snapshot run{};
};

/// One lane of a gate.
struct lane_snapshot {
  std::uint64_t backlog = 0;    ///< tokens that wait for a credit
  std::uint64_t waiting = 0;    ///< tokens that wait for a place in the backlog
  std::uint64_t in_flight = 0;  ///< tokens in mailboxes, executing, or on the way back
  std::uint64_t credits = 0;    ///< free places in mailboxes
};

/// One gate. issued = finished + destroyed + out.
struct gate_snapshot {
  std::vector<operation_snapshot> operations{};
  std::array<lane_snapshot, 3> lanes{};  ///< indexed by weight

  histogram_snapshot wait_backlog{};    ///< issue to mailbox
  histogram_snapshot wait_mailbox{};    ///< mailbox to start
  histogram_snapshot run{};             ///< start to end of the function
  histogram_snapshot return_to_loop{};  ///< end of the function to its handler
  histogram_snapshot loop_lag{};        ///< how late the loop takes what is posted to it

  std::uint64_t issued = 0;
  std::uint64_t finished = 0;     ///< handlers delivered
  std::uint64_t destroyed = 0;    ///< ended by the destruction of their io_context, unheard
  std::uint64_t out = 0;          ///< neither of the two yet
  std::uint64_t rejected = 0;     ///< never admitted
  std::uint64_t withdrawn = 0;    ///< cancelled before their function started
  std::uint64_t expired = 0;      ///< not run because their deadline had passed
  std::uint64_t lost_errors = 0;  ///< exceptions of detached tokens without an error sink
  std::uint64_t rescued_wakeups =
      0;  ///< of the pool's workers, found by the safety net; anything but 0 is a defect
  std::uint64_t chains_open = 0;  ///< tokens that issued others, while any of them is out
  std::uint64_t chains_ended = 0;
  bool overloaded = false;
  bool closed = false;
};

enum class worker_state : std::uint8_t { starting, spinning, running, parked, stopped };

/// One worker thread.
struct worker_snapshot {
  unsigned core = 0;  ///< as the operating system numbers it
  tokengate::weight lane = tokengate::weight::medium;
  bool pinned = false;
  std::string priority{};  ///< as granted: "SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE"
  std::uint64_t executed = 0;
  std::uint64_t busy_ns = 0;
  std::uint64_t parked_ns = 0;
  std::uint64_t parks = 0;
  worker_state state = worker_state::starting;
};

struct pool_snapshot {
  std::string name{};
  std::vector<worker_snapshot> workers{};
  double usable_cores = 0;  ///< by affinity mask and quota; a quota may grant a part of a core
  std::uint64_t rescued_wakeups = 0;
  std::vector<std::string> problems{};  ///< what the operating system refused, for people
};

/// A token that is out.
struct live_token {
  std::uint64_t id = 0;
  std::string operation{};
  tokengate::weight weight = tokengate::weight::medium;
  token_state state = token_state::created;
  std::chrono::nanoseconds age{0};  ///< since its issue
};

/// What `gate::async_drain` found at its end: whether all tokens ended, and which did not.
struct drain_report {
  bool drained = false;
  std::vector<live_token> stuck{};
};

/// A snapshot as one JSON object (RFC 8259, UTF-8; bytes of a name that are no UTF-8 become
/// U+FFFD). Histograms are given as count, mean, percentiles 50, 90, 99 and 99.9, and maximum.
std::string to_json(gate_snapshot const& snapshot);
std::string to_json(pool_snapshot const& snapshot);

}  // namespace tokengate
