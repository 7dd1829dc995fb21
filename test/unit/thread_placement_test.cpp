// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "thread_placement.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "topology.hpp"

namespace tokengate::detail {
namespace {

TEST(weight, lanes_have_names_and_indices) {
  static_assert(lane_index(weight::light) == 0 && lane_index(weight::heavy) + 1 == lane_count);
  EXPECT_EQ(to_string(weight::light), "light");
  EXPECT_EQ(to_string(weight::medium), "medium");
  EXPECT_EQ(to_string(weight::heavy), "heavy");
}

/// An operating system that refuses what a test wants refused.
class fake_scheduler final : public thread_scheduler {
 public:
  int policy() noexcept override { return policy_; }
  int nice() noexcept override { return nice_; }
  int set_policy(int policy) noexcept override {
    if (policy == SCHED_IDLE && refuse_idle_ != 0) return refuse_idle_;
    if (policy == SCHED_BATCH && refuse_batch_ != 0) return refuse_batch_;
    policy_ = policy;
    return 0;
  }
  int set_nice(int nice) noexcept override {
    if (refuse_nice_ != 0) return refuse_nice_;
    nice_ = nice;
    return 0;
  }
  void set_slice(std::chrono::nanoseconds slice) noexcept override { slice_ = slice; }

  std::chrono::nanoseconds slice_{0};
  int policy_ = SCHED_OTHER;
  int nice_ = 0;
  int refuse_idle_ = 0;
  int refuse_batch_ = 0;
  int refuse_nice_ = 0;
};

placement_report applied(fake_scheduler& os, weight lane) {
  placement_report report;
  apply_lane_priority(os, lane, report);
  return report;
}

void expect(placement_report const& report, lane_priority granted, std::string const& priority,
            int nice, int error) {
  EXPECT_EQ(report.granted, granted);
  EXPECT_EQ(report.priority, priority);
  EXPECT_EQ(report.nice, nice);
  EXPECT_EQ(report.priority_errno, error);
}

TEST(lane_priority, each_lane_gets_its_class) {
  fake_scheduler light, medium, heavy;
  expect(applied(light, weight::light), lane_priority::normal, "SCHED_OTHER", 0, 0);
  expect(applied(medium, weight::medium), lane_priority::batch, "SCHED_BATCH", medium_nice, 0);
  expect(applied(heavy, weight::heavy), lane_priority::idle, "SCHED_IDLE", 0, 0);
}

TEST(lane_priority, lower_lanes_are_in_no_hurry) {
  fake_scheduler light, medium, heavy;
  heavy.refuse_idle_ = EPERM;
  (void)applied(light, weight::light);
  (void)applied(medium, weight::medium);
  (void)applied(heavy, weight::heavy);
  EXPECT_EQ(light.slice_.count(), 0);
  EXPECT_EQ(medium.slice_, lower_slice);
  EXPECT_EQ(heavy.slice_, lower_slice);
}

TEST(lane_priority, heavy_without_idle_falls_back_to_batch) {
  fake_scheduler os;
  os.refuse_idle_ = EPERM;
  auto const report = applied(os, weight::heavy);
  expect(report, lane_priority::batch, "SCHED_BATCH", 19, EPERM);
  EXPECT_EQ(report.asked, lane_priority::idle);
}

TEST(lane_priority, lower_nice_value_is_set_even_without_the_policy) {
  fake_scheduler os;
  os.refuse_idle_ = EPERM;
  os.refuse_batch_ = EINVAL;
  expect(applied(os, weight::heavy), lane_priority::none, "SCHED_OTHER", 19, EPERM);
}

TEST(lane_priority, refused_nice_value_is_reported) {
  fake_scheduler os;
  os.refuse_nice_ = EACCES;
  expect(applied(os, weight::medium), lane_priority::batch, "SCHED_BATCH", 0, EACCES);
}

TEST(lane_priority, nice_value_is_relative_and_bounded) {
  fake_scheduler os;
  os.nice_ = 10;
  expect(applied(os, weight::medium), lane_priority::batch, "SCHED_BATCH", 10 + medium_nice, 0);
  os.nice_ = 18;
  expect(applied(os, weight::medium), lane_priority::batch, "SCHED_BATCH", 19, 0);
}

TEST(lane_priority, light_leaves_realtime_but_keeps_the_applications_class) {
  fake_scheduler realtime, batch;
  realtime.policy_ = SCHED_FIFO;
  batch.policy_ = SCHED_BATCH;
  expect(applied(realtime, weight::light), lane_priority::normal, "SCHED_OTHER", 0, 0);
  expect(applied(batch, weight::light), lane_priority::batch, "SCHED_BATCH", 0, 0);
}

/// Places a thread of its own, as a placement cannot be taken back, and reports what it sees.
struct placed {
  placement_report report;
  std::vector<unsigned> mask;
  int policy = -1;
  int nice = 0;
};

placed place(unsigned core, bool pin, weight lane, bool lane_priorities) {
  placed result;
  std::thread([&] {
    result.report = place_current_thread(core, pin, lane, lane_priorities);
    result.mask = affinity_mask();
    result.policy = sched_getscheduler(0);
    result.nice = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
  }).join();
  return result;
}

TEST(place_current_thread, thread_is_pinned_to_each_usable_core) {
  for (auto core : affinity_mask()) {
    auto const result = place(core, true, weight::light, false);
    EXPECT_TRUE(result.report.pinned);
    EXPECT_EQ(result.report.pin_errno, 0);
    EXPECT_EQ(result.mask, std::vector{core});
  }
}

TEST(place_current_thread, core_that_is_not_there_is_reported) {
  for (unsigned core : {1023U, 100000U}) {
    if (core <= affinity_mask().back()) continue;
    auto const result = place(core, true, weight::light, false);
    EXPECT_FALSE(result.report.pinned);
    EXPECT_EQ(result.report.pin_errno, EINVAL) << core;
    EXPECT_EQ(result.mask, affinity_mask());
  }
}

TEST(place_current_thread, nothing_asked_changes_nothing) {
  auto const result = place(affinity_mask().front(), false, weight::heavy, false);
  EXPECT_FALSE(result.report.pinned);
  EXPECT_EQ(result.report.asked, lane_priority::none);
  EXPECT_EQ(result.report.pin_errno, 0);
  EXPECT_EQ(result.report.priority_errno, 0);
  EXPECT_EQ(result.mask, affinity_mask());
  EXPECT_EQ(result.policy, sched_getscheduler(0));
  EXPECT_EQ(result.nice, getpriority(PRIO_PROCESS, 0));
}

TEST(place_current_thread, report_says_what_the_thread_has) {
  for (auto lane : {weight::light, weight::medium, weight::heavy}) {
    auto const result = place(affinity_mask().front(), true, lane, true);
    auto const& report = result.report;
    SCOPED_TRACE(std::string(to_string(lane)) + " " + report.priority);
    EXPECT_EQ(report.nice, result.nice);
    EXPECT_EQ(report.granted == lane_priority::idle, result.policy == SCHED_IDLE);
    EXPECT_EQ(report.granted == lane_priority::batch, result.policy == SCHED_BATCH);
    if (report.priority_errno == 0 && lane == weight::heavy) {
      EXPECT_EQ(report.priority, "SCHED_IDLE");
    }
  }
}

/// Of the calling thread, by sched_getattr(2), which glibc does not declare; 0 where the system
/// does not tell.
std::chrono::nanoseconds slice_of_this_thread() {
  std::uint64_t attributes[6] = {};
  if (syscall(SYS_sched_getattr, 0, attributes, sizeof attributes, 0) != 0) return {};
  return std::chrono::nanoseconds(attributes[3]);
}

/// To what they are: a sandbox may refuse the call as such.
bool may_set_attributes() {
  std::uint64_t attributes[6] = {};
  return syscall(SYS_sched_getattr, 0, attributes, sizeof attributes, 0) == 0 &&
         syscall(SYS_sched_setattr, 0, attributes, 0) == 0;
}

TEST(place_current_thread, slice_reaches_the_system) {
  if (slice_of_this_thread().count() == 0) GTEST_SKIP() << "this Linux has no slices";
  if (!may_set_attributes()) GTEST_SKIP() << "not allowed here";
  std::chrono::nanoseconds light{}, medium{};
  std::thread([&] {
    (void)place_current_thread(0, false, weight::light, true);
    light = slice_of_this_thread();
    (void)place_current_thread(0, false, weight::medium, true);
    medium = slice_of_this_thread();
  }).join();
  EXPECT_EQ(light, slice_of_this_thread());
  EXPECT_EQ(medium, lower_slice);
}

TEST(place_current_thread, lanes_of_other_threads_are_left_alone) {
  auto const nice = getpriority(PRIO_PROCESS, 0);
  place(affinity_mask().front(), true, weight::medium, true);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), nice);
}

TEST(set_current_thread_name, long_name_is_cut) {
  std::string seen;
  std::thread([&] {
    char name[32] = {};
    set_current_thread_name("tg0.3h");
    pthread_getname_np(pthread_self(), name, sizeof name);
    seen = name;
    set_current_thread_name("sixteen_letters_and_more");
    pthread_getname_np(pthread_self(), name, sizeof name);
    seen = seen + " " + name;
  }).join();
  EXPECT_EQ(seen, "tg0.3h sixteen_letters");
}

TEST(thread_cpu_time, running_thread_uses_time_that_another_sees) {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop.load(std::memory_order_relaxed)) {
    }
  });
  auto const first = thread_cpu_time(busy.native_handle());
  ASSERT_TRUE(first);
  auto later = first;
  while (later && *later <= *first) {
    std::this_thread::yield();
    later = thread_cpu_time(busy.native_handle());
  }
  EXPECT_TRUE(later);
  stop = true;
  busy.join();
}

bool blocked(int signal) {
  sigset_t set;
  pthread_sigmask(SIG_BLOCK, nullptr, &set);
  return sigismember(&set, signal) == 1;
}

TEST(signal_mask_guard, threads_created_under_it_take_no_asynchronous_signals) {
  bool term = false, user = false, fault = true, profile = true;
  {
    signal_mask_guard guard;
    std::thread([&] {
      term = blocked(SIGTERM);
      user = blocked(SIGUSR1);
      fault = blocked(SIGSEGV);
      profile = blocked(SIGPROF);
    }).join();
  }
  EXPECT_TRUE(term && user);
  EXPECT_FALSE(fault || profile);
}

TEST(signal_mask_guard, mask_is_restored) {
  sigset_t user, before;
  sigemptyset(&user);
  sigaddset(&user, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &user, &before);
  { signal_mask_guard guard; }
  EXPECT_TRUE(blocked(SIGUSR1));
  EXPECT_FALSE(blocked(SIGTERM));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace tokengate::detail
