// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "runs.hpp"
#include "spin.hpp"

namespace perf {

using clock = std::chrono::steady_clock;
/// What a function returns, for its handler to check.
using answer = std::uint16_t;

/// Keeps what `held` tasks run on busy until it is released. One at a time.
class hold {
 public:
  hold() { held_ = true; }
  ~hold() { release(); }
  hold(hold const&) = delete;
  hold& operator=(hold const&) = delete;

  void release() {
    held_ = false;
    held_.notify_all();
  }
  static void wait() { held_.wait(true); }

 private:
  inline static std::atomic<bool> held_{false};
};

/// What a function does beside its work: nothing, or wait for the end of a hold first (nothing
/// behind it is taken before), or note when it ended.
enum class manner : std::uint8_t { plain, held, noted };

/// The function a token runs, and the lane it belongs to (0 light, 1 medium, 2 heavy). A peer moves
/// it to the worker and its value back to the handler, as a server moves a request and its answer:
/// what else a function reads or writes would be in the figure, too.
struct task {
  std::uint32_t rounds = 0;
  std::uint8_t lane = 0;
  manner how = manner::plain;
  answer stamp = 0;  ///< comes back as its value

  answer operator()() const {
    if (how != manner::plain) return in_its_manner();
    spin(rounds);
    count_run();
    return stamp;
  }

 private:
  answer in_its_manner() const;
};
// Its way to the worker is measured.
static_assert(sizeof(task) == 8);

/// One place for a token that is out: a peer issues its task, waits, and takes the next.
struct slot {
  task work;
  clock::time_point issued;
  bool armed = false;  ///< open loop: an arrival, not issued yet
};

/// What a workload wants issued, and the record of what came back. A closed loop: `outstanding`
/// slots, each of which takes the next task when its last one is back. Or an open one: a slot for
/// each arrival, which takes one task when its time has come.
///
/// Used by one thread, the loop's.
class load {
 public:
  load(std::size_t outstanding, std::size_t total);
  /// An open loop of tokens that are due so long after its start.
  explicit load(std::vector<std::chrono::nanoseconds> due);

  /// The tasks, issued in this order and then from the start. Without it: one empty task.
  load& mix(std::vector<task> tasks);
  /// The first token runs this one instead.
  load& first(task one);
  /// Stop issuing after `length` instead of after a number of tokens.
  load& until(std::chrono::nanoseconds length);
  /// Take the time of each token, from issue, or from when an arrival was due.
  load& timed();
  /// The same, and how long each result waited for its handler.
  load& note_ends();
  /// Called on the loop just before the token of this number, counted from 0, is issued.
  load& before(std::size_t number, std::function<void()> call);
  load& before_last(std::function<void()> call) { return before(total_ - 1, std::move(call)); }

  /// Fills `place` with the next task. False when there is none: this slot is done.
  bool next(slot& place) {
    if (open_) {
      if (!std::exchange(place.armed, false)) return last();
    } else if (issued_ == total_ || (until_.count() != 0 && late())) {
      return last();
    }
    if (varied_) vary(place);
    if (issued_++ == mark_) mark(place);
    if (timed_ && !open_) place.issued = clock::now();
    return true;
  }

  /// The token of `place` is back on the loop, with what its function gave.
  void finished(slot& place, answer gave) {
    ++completed_;
    if (gave != place.work.stamp) ++wrong_;
    if (timed_) record(place);
  }
  /// The token of `place` is back on the loop: its function was refused or given up.
  void refused(slot&) { ++refused_; }

  std::vector<slot>& slots() { return slots_; }
  /// Called once, on the loop, when the last token is back.
  void when_done(std::function<void()> call) { done_ = std::move(call); }

  /// Open loop: when the token of each slot is due; empty for a closed one.
  std::vector<std::chrono::nanoseconds> const& due() const { return due_; }

  /// The record. Each may be read when the load is done.
  std::size_t issued() const { return issued_; }
  std::size_t completed() const { return completed_; }
  std::size_t refused() const { return refused_; }
  /// Tokens that came back with the value of another one, or of none.
  std::size_t wrong() const { return wrong_; }
  /// Tokens of all loads of this process that were seen to their end: as many functions have run.
  static std::uint64_t all_completed();
  /// From the first issue to the last return.
  std::chrono::duration<double> elapsed() const { return end_ - first_; }
  /// Time per token from the third time around (every slot, every cache is then filled) to the last
  /// issue; 0 for a load too short to say.
  std::chrono::duration<double> settled_time() const;
  /// Heap blocks per token over the same stretch.
  double allocations_per_token() const;
  /// Rounds of work in all timed tasks that came back.
  double rounds() const { return rounds_; }
  /// Nanoseconds from issue to return of each timed token of a lane.
  std::vector<double> const& times(std::uint8_t lane) const { return times_[lane]; }
  /// Nanoseconds from the end of each noted function on its worker to its handler.
  std::vector<double> const& held_back() const { return held_back_; }

 private:
  struct moment {
    std::size_t at;
    std::function<void()> call;
  };
  static constexpr auto unlimited = static_cast<std::size_t>(-1);

  bool late() const { return issued_ != 0 && clock::now() - first_ >= until_; }
  void mark(slot& place);
  void vary(slot& place);
  void set_task(slot& place, task what);
  void settle();
  void dry();
  bool last();
  void record(slot const& place);

  std::vector<slot> slots_;
  std::vector<std::chrono::nanoseconds> due_;
  std::vector<task> tasks_{task{}};
  std::size_t position_ = 0;
  std::size_t total_;
  std::size_t issued_ = 0;
  std::size_t completed_ = 0;
  std::size_t refused_ = 0;
  std::size_t wrong_ = 0;
  std::size_t mark_ = 0;  ///< number of the token before which the next moment comes
  std::vector<moment> moments_;
  std::size_t settled_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint64_t blocks_used_ = 0;
  std::chrono::nanoseconds until_{0};
  task first_task_;
  bool first_differs_ = false;
  bool varied_ = false;  ///< the tasks are not all the same
  bool timed_ = false;
  bool open_ = false;
  bool dry_ = false;
  bool done_called_ = false;
  double rounds_ = 0;
  clock::time_point first_;
  clock::time_point settled_at_;
  clock::time_point dry_at_;
  clock::time_point end_;
  std::vector<double> times_[3];
  std::vector<clock::time_point> ends_;  ///< by the stamps of their functions, or empty
  std::vector<double> held_back_;
  std::function<void()> done_;
};

}  // namespace perf
