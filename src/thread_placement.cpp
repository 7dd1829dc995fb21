// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "thread_placement.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace tokengate::detail {
namespace {

constexpr int lowest_nice = 19;

/// What sched_setattr(2) takes, in its first version; glibc has no declaration of it before 2.41.
struct scheduling_attributes {
  std::uint32_t size = sizeof(scheduling_attributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;  ///< for a normal thread its time slice in ns; 0 is the system's own
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};
static_assert(sizeof(scheduling_attributes) == 48);

class own_scheduler final : public thread_scheduler {
 public:
  int policy() noexcept override {
    // The flag is part of the answer when a thread's children are not to inherit its class.
    auto const policy = sched_getscheduler(0);
    return policy < 0 ? policy : policy & ~SCHED_RESET_ON_FORK;
  }

  // On Linux the nice value belongs to the thread, and PRIO_PROCESS takes a thread's id.
  int nice() noexcept override { return getpriority(PRIO_PROCESS, thread_id()); }

  int set_policy(int policy) noexcept override {
    sched_param const no_priority{};
    return sched_setscheduler(0, policy, &no_priority) == 0 ? 0 : errno;
  }

  int set_nice(int nice) noexcept override {
    return setpriority(PRIO_PROCESS, thread_id(), nice) == 0 ? 0 : errno;
  }

  void set_slice(std::chrono::nanoseconds slice) noexcept override {
    scheduling_attributes now;
    if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0) return;
    now.runtime = static_cast<std::uint64_t>(slice.count());
    syscall(SYS_sched_setattr, 0, &now, 0);
  }

 private:
  static id_t thread_id() noexcept { return static_cast<id_t>(gettid()); }
};

/// The names are short enough for std::string to hold them without an allocation.
char const* policy_name(int policy) noexcept {
  switch (policy) {
    case SCHED_OTHER:
      return "SCHED_OTHER";
    case SCHED_BATCH:
      return "SCHED_BATCH";
    case SCHED_IDLE:
      return "SCHED_IDLE";
    case SCHED_FIFO:
      return "SCHED_FIFO";
    case SCHED_RR:
      return "SCHED_RR";
    default:
      return "unknown";
  }
}

lane_priority class_of(int policy) noexcept {
  switch (policy) {
    case SCHED_OTHER:
      return lane_priority::normal;
    case SCHED_BATCH:
      return lane_priority::batch;
    case SCHED_IDLE:
      return lane_priority::idle;
    default:
      return lane_priority::none;
  }
}

void read_back(thread_scheduler& os, placement_report& report) noexcept {
  auto const policy = os.policy();
  report.priority = policy_name(policy);
  report.nice = os.nice();
  report.granted = class_of(policy);
}

/// 0 or an errno.
int pin_current_thread(unsigned os_index) noexcept {
  auto const count = std::max<std::size_t>(std::size_t{os_index} + 1, CPU_SETSIZE);
  auto* const set = CPU_ALLOC(count);
  if (set == nullptr) return ENOMEM;
  auto const bytes = CPU_ALLOC_SIZE(count);
  CPU_ZERO_S(bytes, set);
  CPU_SET_S(os_index, bytes, set);
  auto const result = sched_setaffinity(0, bytes, set) == 0 ? 0 : errno;
  CPU_FREE(set);
  return result;
}

}  // namespace

void apply_lane_priority(thread_scheduler& os, weight lane, placement_report& report) noexcept {
  auto const note = [&report](int error) {
    if (report.priority_errno == 0) report.priority_errno = error;
    return error == 0;
  };
  auto const batch = [&](int nice) {
    note(os.set_policy(SCHED_BATCH));
    // Worth having even where the policy was refused: it is the nice value that lets others pass.
    auto const wanted = std::min(os.nice() + nice, lowest_nice);
    note(os.set_nice(wanted));
    os.set_slice(lower_slice);
  };
  switch (lane) {
    case weight::light: {
      report.asked = lane_priority::normal;
      // A class that the application chose for its threads stays, except that a worker that spins
      // under a realtime policy would lock up its core.
      auto const inherited = os.policy();
      if (inherited == SCHED_FIFO || inherited == SCHED_RR) note(os.set_policy(SCHED_OTHER));
      break;
    }
    case weight::medium:
      report.asked = lane_priority::batch;
      batch(medium_nice);
      break;
    case weight::heavy:
      report.asked = lane_priority::idle;
      if (!note(os.set_policy(SCHED_IDLE))) batch(lowest_nice);
      break;
  }
  read_back(os, report);
  // Normal is what every thread is without asking, so for the lower lanes it is no grant.
  if (report.granted == lane_priority::normal && lane != weight::light) {
    report.granted = lane_priority::none;
  }
}

placement_report place_current_thread(unsigned os_index, bool pin, weight lane,
                                      bool lane_priorities) noexcept {
  placement_report report;
  if (pin) {
    report.pin_errno = pin_current_thread(os_index);
    report.pinned = report.pin_errno == 0;
  }
  own_scheduler os;
  if (lane_priorities) {
    apply_lane_priority(os, lane, report);
  } else {
    read_back(os, report);
  }
  return report;
}

void set_current_thread_name(std::string_view name) noexcept {
  char text[16] = {};
  auto const length = std::min(name.size(), sizeof text - 1);
  if (length != 0) std::memcpy(text, name.data(), length);
  pthread_setname_np(pthread_self(), text);
}

std::optional<std::chrono::nanoseconds> thread_cpu_time(pthread_t thread) noexcept {
  clockid_t clock{};
  timespec time{};
  if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

signal_mask_guard::signal_mask_guard() noexcept {
  sigset_t asynchronous;
  sigfillset(&asynchronous);
  for (int open : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF}) {
    sigdelset(&asynchronous, open);
  }
  blocked_ = pthread_sigmask(SIG_BLOCK, &asynchronous, &before_) == 0;
}

signal_mask_guard::~signal_mask_guard() {
  if (blocked_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace tokengate::detail
