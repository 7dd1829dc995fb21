// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "spin.hpp"

namespace perf {

using clock = std::chrono::steady_clock;

/// The function a token runs, and the lane it belongs to (0 light, 1 medium, 2 heavy).
struct task {
  std::uint32_t rounds = 0;
  std::uint8_t lane = 0;

  void operator()() const { spin(rounds); }
};

/// One place for a token that is out: a peer issues its task, waits, and takes the next.
struct slot {
  task work;
  clock::time_point issued;
};

/// What a workload wants issued, and the record of what came back. A closed loop: `outstanding`
/// slots, each of which takes the next task when its last one is back.
///
/// Used by one thread, the loop's; only slot::work is read by a worker, while its token is out.
class load {
 public:
  load(std::size_t outstanding, std::size_t total) : slots_(outstanding), total_(total) {}

  /// The tasks, issued in this order and then from the start. Without it: one empty task.
  load& mix(std::vector<task> tasks);
  /// Stop issuing after `length` instead of after a number of tokens.
  load& until(std::chrono::nanoseconds length);
  /// Take the time of each token.
  load& timed();

  /// Fills `place` with the next task. False when there is none: this slot is done.
  bool next(slot& place) {
    if (issued_ == total_ || (until_.count() != 0 && late())) return last();
    if (position_ == tasks_.size()) position_ = 0;
    place.work = tasks_[position_++];
    if (issued_++ == mark_) mark();
    if (timed_) place.issued = clock::now();
    return true;
  }

  /// The token of `place` is back on the loop.
  void finished(slot const& place) {
    ++completed_;
    if (timed_) record(place);
  }

  std::vector<slot>& slots() { return slots_; }
  /// Called once, on the loop, when the last token is back.
  void when_done(std::function<void()> call) { done_ = std::move(call); }

  /// The record. Each may be read when the load is done.
  std::size_t issued() const { return issued_; }
  std::size_t completed() const { return completed_; }
  /// From the first issue to the last return.
  std::chrono::duration<double> elapsed() const { return end_ - first_; }
  /// Heap blocks per token, counted from the third time around (every slot, every cache is then
  /// filled) until nothing more was issued. 0 for a load too short to say.
  double allocations_per_token() const;
  /// Rounds of work in all timed tasks that came back.
  double rounds() const { return rounds_; }
  /// Nanoseconds from issue to return of each timed token of a lane.
  std::vector<double> const& times(std::uint8_t lane) const { return times_[lane]; }

 private:
  static constexpr auto unlimited = static_cast<std::size_t>(-1);

  bool late() const { return issued_ != 0 && clock::now() - first_ >= until_; }
  void mark();
  bool last();
  void record(slot const& place);

  std::vector<slot> slots_;
  std::vector<task> tasks_{task{}};
  std::size_t position_ = 0;
  std::size_t total_;
  std::size_t issued_ = 0;
  std::size_t completed_ = 0;
  std::size_t mark_ = 0;
  std::size_t settled_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint64_t blocks_used_ = 0;
  std::chrono::nanoseconds until_{0};
  bool timed_ = false;
  bool dry_ = false;
  bool done_called_ = false;
  double rounds_ = 0;
  clock::time_point first_;
  clock::time_point end_;
  std::vector<double> times_[3];
  std::function<void()> done_;
};

}  // namespace perf
