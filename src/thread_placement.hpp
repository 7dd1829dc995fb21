// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "tokengate/weight.hpp"

namespace tokengate::detail {

/// Scheduling class of a thread. As what was asked, `none` means nothing was asked; as what was
/// granted, that the thread is in none of the classes that the lane could have.
enum class lane_priority { normal, batch, idle, none };

/// What a thread asked of the operating system and what it got. A refusal is reported, never fatal:
/// the pool works without pinning and without priorities, only less well.
struct placement_report {
  bool pinned = false;
  int pin_errno = 0;  ///< 0 also when pinning was not asked for
  lane_priority asked = lane_priority::none;
  lane_priority granted = lane_priority::none;
  std::string priority;    ///< policy as the operating system reports it, such as "SCHED_IDLE"
  int nice = 0;            ///< nice value as the operating system reports it
  int priority_errno = 0;  ///< the first refusal, also when a fallback was granted
};

/// The part of the operating system's scheduler that a thread uses for itself. A seam for tests.
class thread_scheduler {
 public:
  virtual ~thread_scheduler() = default;
  virtual int policy() noexcept = 0;
  virtual int nice() noexcept = 0;
  virtual int set_policy(int policy) noexcept = 0;  ///< 0 or an errno
  virtual int set_nice(int nice) noexcept = 0;      ///< 0 or an errno
  /// A wish, for normal threads and SCHED_BATCH: Linux before 6.12 takes no notice of it.
  virtual void set_slice(std::chrono::nanoseconds slice) noexcept = 0;
};

/// Added to the inherited nice value in the medium lane. Measured on Linux 6.18, a light thread
/// woken on the core of a spinning medium one, p99: below 0.4 ms while the light lane uses up to 57
/// % of the core, but a time slice of 3 to 4 ms at 77 %. With equal priority that slice is seen at
/// 33 %, with nice 10 not even at 77 %. Still 5: the default lane should not starve beside a busy
/// event loop or another process on its core.
inline constexpr int medium_nice = 5;

/// Time slice of SCHED_BATCH workers, longer than Linux gives by itself: to the scheduler who asks
/// for a long slice is in no hurry, so that loops and light workers go first; the share of the core
/// stays. Not longer, because two such workers on one core wait for each other's slice. See record
/// 6 in doc/decision.
inline constexpr std::chrono::milliseconds lower_slice{4};

/// Asks for the scheduling class of a lane and fills the priority fields of `report`:
/// light is normal, medium SCHED_BATCH with a higher nice value, heavy SCHED_IDLE or, where that is
/// refused, SCHED_BATCH with nice 19. Nice values are relative to the inherited one.
void apply_lane_priority(thread_scheduler& os, weight lane, placement_report& report) noexcept;

/// Pins the calling thread to a core and puts it in the scheduling class of its lane, each if
/// asked.
///
/// What is lowered here cannot be raised again without privileges: a thread is placed once.
placement_report place_current_thread(unsigned os_index, bool pin, weight lane,
                                      bool lane_priorities) noexcept;

/// Names the calling thread for debuggers and `top`; cut to the 15 bytes that Linux keeps.
void set_current_thread_name(std::string_view name) noexcept;

/// CPU time used by a thread that has not been joined; nullopt once it has ended.
std::optional<std::chrono::nanoseconds> thread_cpu_time(pthread_t thread) noexcept;

/// Blocks signals in the calling thread while it creates threads, which inherit the mask, so that
/// the application's handlers keep running in its own threads. Signals that a thread raises by a
/// fault of its own stay open, and SIGPROF, without which a profiler would not see the workers.
class signal_mask_guard {
 public:
  signal_mask_guard() noexcept;
  ~signal_mask_guard();
  signal_mask_guard(signal_mask_guard const&) = delete;
  signal_mask_guard& operator=(signal_mask_guard const&) = delete;

 private:
  sigset_t before_;
  bool blocked_;
};

}  // namespace tokengate::detail
