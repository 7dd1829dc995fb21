// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <ucontext.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "mc/choices.hpp"
#include "mc/memory.hpp"
#include "mc/mutant.hpp"

/// @file
/// One run of a scenario: its threads are fibers on one real thread, and before each step on shared
/// memory the engine chooses who goes on. Everything is deterministic but the choices.
///
/// Invariants
///  - Exactly one fiber runs; thread number 0 is the caller, which sets up and checks the end.
///  - A failure is kept, the run is left at once and its fibers are abandoned where they stand.

namespace tokengate::mc {

struct bounds {
  unsigned preemptions = 2;  ///< only when searching
  unsigned steps = 600;      ///< per run; more is a livelock
  unsigned spurious = 1;     ///< wake-ups without reason, and weak failures, per run
  unsigned timeouts = 1;     ///< futex waits that run out, per run
};

class engine {
 public:
  /// The engine whose run is under way; null outside.
  static engine*& current() noexcept {
    static engine* instance = nullptr;
    return instance;
  }

  choices choose;
  memory mem;
  bounds limit;
  const mutant* fault = nullptr;
  std::uint64_t faults_hit = 0;
  bool tracing = false;

  // --- a run: begin(), any number of thread(), go() ---

  void begin() {
    current() = this;
    mem.reset();
    choose.rewind();
    thread_ = threads_ = 0;
    steps_ = preemptions_ = spurious_ = timeouts_ = 0;
    version_ = 0;
    failure_.clear();
    trace_.str({});
  }

  void thread(std::string name, std::function<void()> body) {
    fiber& fresh = fibers_.at(++threads_);
    fresh.name = std::move(name);
    fresh.body = std::move(body);
    fresh.state = fiber::ready;
    fresh.polled = 0;
    if (!fresh.stack) fresh.stack = std::make_unique<std::byte[]>(stack_size);
    getcontext(&fresh.context);
    fresh.context.uc_stack.ss_sp = fresh.stack.get();
    fresh.context.uc_stack.ss_size = stack_size;
    fresh.context.uc_link = nullptr;
    makecontext(&fresh.context, &engine::enter, 0);
    mem.inherit(threads_, 0);
  }

  void go() {
    if (threads_ != 0) switch_to(pick(false));
    for (unsigned t = 1; t <= threads_; ++t) mem.inherit(0, t);
  }

  void end() noexcept { current() = nullptr; }

  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  [[nodiscard]] std::string steps() const { return trace_.str(); }

  /// Ends the run as failed. Does not return to a fiber.
  void fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
    if (tracing) trace_ << "    => " << what << "\n";
    if (thread_ != 0) switch_to(0);
  }

  // --- steps ---

  /// A point before a step on shared memory, where another thread may go first.
  void point() {
    if (thread_ == 0) return;
    if (++steps_ > limit.steps) fail("livelock: bound of steps passed");
    switch_to(pick(true));
  }

  /// The thread polls in vain: it goes on when something was stored since.
  void yield() {
    if (thread_ == 0) return;
    fiber& self = fibers_[thread_];
    bool stale = false;
    for (unsigned at = 0; at < max_atomics; ++at) {
      if ((self.polled >> at & 1U) == 0) continue;
      stale = stale || mem.newest(at) != mem.oldest(thread_, at, std::memory_order_relaxed);
      mem.refresh(thread_, at);
    }
    self.polled = 0;
    if (stale) return point();
    if (++steps_ > limit.steps) fail("livelock: bound of steps passed");
    self.state = fiber::polling;
    self.version = version_;
    switch_to(pick(false));
    self.state = fiber::ready;
  }

  /// Asleep on a futex until wake().
  void sleep(const void* address, bool timed) {
    fiber& self = fibers_[thread_];
    self.state = fiber::asleep;
    self.address = address;
    self.timed = timed;
    switch_to(pick(false));
  }

  void wake(const void* address) {
    mem.futex_wake(address);
    std::array<unsigned, max_threads> sleepers{};
    unsigned count = 0;
    for (unsigned t = 1; t <= threads_; ++t)
      if (fibers_[t].state == fiber::asleep && fibers_[t].address == address) sleepers[count++] = t;
    if (count == 0) return;
    fibers_[sleepers[choose.choose(count, choices::about::schedule)]].state = fiber::ready;
  }

  [[nodiscard]] bool spurious() { return happens(spurious_, limit.spurious); }
  [[nodiscard]] bool times_out() { return happens(timeouts_, limit.timeouts); }

  void stored() noexcept { ++version_; }
  void polled(unsigned at) noexcept { fibers_[thread_].polled |= 1U << at; }
  [[nodiscard]] unsigned thread() const noexcept { return thread_; }

  /// The mutation of this step, if there is one.
  [[nodiscard]] const mutant* mutation(const operation& op) {
    if (fault == nullptr || thread_ == 0 || !fault->hits(op)) return nullptr;
    ++faults_hit;
    return fault;
  }

  template <class... Parts>
  void trace(const Parts&... parts) {
    if (!tracing) return;
    trace_ << "  " << steps_ << "\t" << (thread_ == 0 ? "(outside)" : fibers_[thread_].name)
           << "\t";
    ((trace_ << parts), ...);
    trace_ << "\n";
  }

 private:
  struct fiber {
    enum kind : std::uint8_t { ready, polling, asleep, ended };
    std::string name;
    std::function<void()> body;
    kind state = ready;
    bool timed = false;
    std::uint32_t polled = 0;   ///< atomics loaded since the last yield
    std::uint64_t version = 0;  ///< of memory, when it began to poll
    const void* address = nullptr;
    ucontext_t context{};
    std::unique_ptr<std::byte[]> stack;
  };

  static constexpr std::size_t stack_size = 128 * 1024;

  static void enter() {
    engine& self = *current();
    fiber& me = self.fibers_[self.thread_];
    me.body();
    me.state = fiber::ended;
    ++self.version_;
    if (self.tracing) self.trace("ends");
    self.switch_to(self.pick(false));
  }

  [[nodiscard]] bool happens(unsigned& count, unsigned most) {
    if (thread_ == 0 || count >= most || choose.choose(2, choices::about::event) == 0) return false;
    ++count;
    return true;
  }

  [[nodiscard]] bool runnable(const fiber& other) const noexcept {
    return other.state == fiber::ready ||
           (other.state == fiber::polling && version_ != other.version);
  }

  /// Who goes on; 0 when nobody does.
  [[nodiscard]] unsigned pick(bool may_stay) {
    std::array<unsigned, max_threads> able{};
    unsigned count = 0;
    if (may_stay) able[count++] = thread_;
    for (unsigned t = 1; t <= threads_; ++t)
      if ((t != thread_ || !may_stay) && runnable(fibers_[t])) able[count++] = t;
    if (count == 0) {
      stalled();
      return 0;
    }
    if (may_stay && preemptions_ >= limit.preemptions) return thread_;
    const unsigned taken = choose.choose(count, choices::about::schedule);
    if (may_stay && taken != 0) ++preemptions_;
    return able[taken];
  }

  /// Nobody can go on: fine if all have ended.
  void stalled() {
    std::string stuck;
    bool rescue = false;
    for (unsigned t = 1; t <= threads_; ++t) {
      if (fibers_[t].state == fiber::ended) continue;
      stuck +=
          " " + fibers_[t].name + (fibers_[t].state == fiber::asleep ? "(asleep)" : "(polling)");
      rescue = rescue || (fibers_[t].state == fiber::asleep && fibers_[t].timed);
    }
    if (!stuck.empty()) failure_ = (rescue ? "only a timeout goes on:" : "deadlock:") + stuck;
  }

  void switch_to(unsigned next) {
    if (next == thread_) return;
    ucontext_t& from = thread_ == 0 ? outside_ : fibers_[thread_].context;
    thread_ = next;
    swapcontext(&from, next == 0 ? &outside_ : &fibers_[next].context);
  }

  std::array<fiber, max_threads> fibers_;
  ucontext_t outside_{};
  unsigned thread_ = 0;
  unsigned threads_ = 0;
  unsigned steps_ = 0, preemptions_ = 0, spurious_ = 0, timeouts_ = 0;
  std::uint64_t version_ = 0;
  std::string failure_;
  std::ostringstream trace_;
};

/// For scenarios: ends the run as failed unless `holds`.
inline void require(bool holds, const char* what) {
  if (!holds) engine::current()->fail(what);
}

}  // namespace tokengate::mc
