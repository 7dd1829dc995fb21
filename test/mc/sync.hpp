// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <string_view>

#include "mc/engine.hpp"

/// @file
/// `mc_sync`: the Sync policy under which the protocols of the library run in the model checker.

namespace tokengate::mc {

/// std::atomic as far as the library uses it. Lives and dies within one run.
template <class T>
class atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  using site = std::source_location;
  using order_t = std::memory_order;
  static constexpr order_t seq_cst = std::memory_order_seq_cst;
  static constexpr order_t relaxed = std::memory_order_relaxed;

 public:
  atomic() : atomic(T{}) {}
  atomic(T value) : at_(self().mem.add(this, bits(value))) {}  // NOLINT: as std::atomic
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  T load(order_t order = seq_cst, site where = site::current()) const {
    if (auto* fault = self().mutation({kind::load, order, 0, where})) order = fault->order;
    self().point();
    return value(read_any(order, "load", where));
  }

  void store(T next, order_t order = seq_cst, site where = site::current()) {
    if (auto* fault = self().mutation({kind::store, order, bits(next), where})) {
      if (fault->act == mutant::action::drop) return;
      order = fault->order;
    }
    write(bits(next), order, "store", where);
  }

  T exchange(T next, order_t order = seq_cst, site where = site::current()) {
    return modify(kind::exchange, order, bits(next), where, [next](T) { return next; });
  }
  T fetch_or(T more, order_t order = seq_cst, site where = site::current()) {
    return modify(kind::fetch, order, bits(more), where,
                  [more](T old) { return static_cast<T>(old | more); });
  }
  T fetch_and(T mask, order_t order = seq_cst, site where = site::current()) {
    return modify(kind::fetch, order, bits(mask), where,
                  [mask](T old) { return static_cast<T>(old & mask); });
  }
  T fetch_add(T more, order_t order = seq_cst, site where = site::current()) {
    return modify(kind::fetch, order, bits(more), where,
                  [more](T old) { return static_cast<T>(old + more); });
  }
  T fetch_sub(T less, order_t order = seq_cst, site where = site::current()) {
    return modify(kind::fetch, order, bits(less), where,
                  [less](T old) { return static_cast<T>(old - less); });
  }

  bool compare_exchange_strong(T& expected, T desired, order_t success, order_t failure,
                               site where = site::current()) {
    return compare_exchange(expected, desired, success, failure, false, where);
  }
  bool compare_exchange_weak(T& expected, T desired, order_t success, order_t failure,
                             site where = site::current()) {
    return compare_exchange(expected, desired, success, failure, true, where);
  }
  bool compare_exchange_strong(T& expected, T desired, order_t order = seq_cst,
                               site where = site::current()) {
    return compare_exchange(expected, desired, order, weaker(order), false, where);
  }

 private:
  friend struct mc_sync;

  static engine& self() noexcept { return *engine::current(); }
  static constexpr order_t weaker(order_t order) noexcept {
    return order == std::memory_order_acq_rel   ? std::memory_order_acquire
           : order == std::memory_order_release ? relaxed
                                                : order;
  }
  static std::uint64_t bits(T value) noexcept {
    std::uint64_t all = 0;
    std::memcpy(&all, &value, sizeof(T));
    return all;
  }
  T value(unsigned index) const noexcept {
    const std::uint64_t all = self().mem.value(at_, index);
    T value;
    std::memcpy(&value, &all, sizeof(T));
    return value;
  }

  void traced(const char* what, std::uint64_t seen, order_t order, const site& where) const {
    if (!self().tracing) return;
    constexpr const char* orders[] = {"relaxed", "consume", "acquire",
                                      "release", "acq_rel", "seq_cst"};
    const std::string_view file = where.file_name();
    self().trace(what, " a", at_, " ", seen, " ", orders[static_cast<int>(order)], "\t",
                 file.substr(file.rfind('/') + 1), ":", where.line());
  }

  void read_at(unsigned index, order_t order, const char* what, const site& where) const {
    self().mem.read(self().thread(), at_, index, order);
    self().polled(at_);
    traced(what, self().mem.value(at_, index), order, where);
  }

  /// Reads one of the stores that the view allows.
  unsigned read_any(order_t order, const char* what, const site& where) const {
    const unsigned newest = self().mem.newest(at_);
    const unsigned oldest = self().mem.oldest(self().thread(), at_, order);
    const unsigned index = newest - self().choose.choose(newest - oldest + 1, choices::about::read);
    read_at(index, order, what, where);
    return index;
  }

  void write_now(std::uint64_t next, order_t order, bool after_read, const char* what,
                 const site& where) {
    self().mem.write(self().thread(), at_, next, order, after_read);
    self().stored();
    traced(what, next, order, where);
  }
  void write(std::uint64_t next, order_t order, const char* what, const site& where) {
    self().point();
    write_now(next, order, false, what, where);
  }

  template <class Change>
  T modify(kind what, order_t order, std::uint64_t operand, const site& where, Change change) {
    const mutant* fault = self().mutation({what, order, operand, where});
    if (fault != nullptr && fault->act == mutant::action::load_first) {
      self().point();
      const T seen = value(read_any(relaxed, "plain load", where));
      if (bits(seen) != fault->value) return seen;
    }
    if (fault != nullptr && fault->act == mutant::action::reorder) order = fault->order;
    self().point();
    const unsigned newest = self().mem.newest(at_);
    if (fault != nullptr && fault->act == mutant::action::drop) return value(newest);
    const bool blind = fault != nullptr && fault->act == mutant::action::store_blind;
    const bool split = fault != nullptr && fault->act == mutant::action::split;
    const T old = value(newest);
    if (!blind) read_at(newest, order, name(what), where);
    if (split) self().point();
    write_now(bits(change(old)), blind ? fault->order : order, !split && !blind, "  writes", where);
    return old;
  }

  bool compare_exchange(T& expected, T desired, order_t success, order_t failure, bool weak,
                        const site& where) {
    const mutant* fault = self().mutation({kind::compare_exchange, success, bits(desired), where});
    const auto act = fault == nullptr ? mutant::action::load_first : fault->act;
    if (act == mutant::action::drop) return false;
    if (act == mutant::action::store_blind) {
      write(bits(desired), fault->order, "blind store", where);
      return true;
    }
    if (act == mutant::action::reorder) {
      success = fault->order;
      if (!acquires(success)) failure = relaxed;
    }
    self().point();
    // A success takes the newest store. A failure is a load: it may return any store that differs.
    const unsigned newest = self().mem.newest(at_);
    const unsigned oldest = self().mem.oldest(self().thread(), at_, failure);
    std::array<unsigned, 64> able{newest};
    unsigned count = 1;
    for (unsigned i = newest; i-- > oldest && count < able.size();)
      if (self().mem.value(at_, i) != bits(expected)) able[count++] = i;
    const unsigned index = able[self().choose.choose(count, choices::about::read)];
    if (value(index) != expected || (weak && self().spurious())) {
      read_at(index, failure, "compare_exchange fails", where);
      expected = value(index);
      return false;
    }
    read_at(newest, success, "compare_exchange", where);
    if (act == mutant::action::split) self().point();
    write_now(bits(desired), success, act != mutant::action::split, "  writes", where);
    return true;
  }

  unsigned at_;
};

/// A plain value that is handed over between threads. Two uses that are not ordered, one of them
/// writing, end the run.
template <class T>
class var {
 public:
  var() = default;
  var(T value) : value_(value) {}  // NOLINT: stands for a T
  var(const var&) = delete;
  var& operator=(const var&) = delete;

  operator T() const {  // NOLINT: stands for a T
    if (auto* run = engine::current(); run && !run->mem.read_plain(run->thread(), log_))
      run->fail("data race: read of a plain variable");
    return value_;
  }
  var& operator=(T next) {
    if (auto* run = engine::current(); run && !run->mem.write_plain(run->thread(), log_))
      run->fail("data race: write of a plain variable");
    value_ = next;
    return *this;
  }
  T operator->() const requires std::is_pointer_v<T> { return static_cast<T>(*this); }

 private:
  T value_{};
  mutable access_log log_;
};

struct mc_sync {
  template <class T>
  using atomic = mc::atomic<T>;
  template <class T>
  using var = mc::var<T>;

  static bool futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                         std::chrono::nanoseconds timeout) {
    engine& run = *engine::current();
    const auto where = std::source_location::current();
    const bool timed = timeout != std::chrono::nanoseconds::max();
    run.point();
    run.mem.futex_acquire(run.thread(), word.at_);
    if (word.value(word.read_any(std::memory_order_relaxed, "futex_wait", where)) != expected)
      return true;
    if (run.spurious()) return true;
    if (timed && run.times_out()) return false;
    run.trace("sleeps");
    run.sleep(&word, timed);
    run.trace("wakes");
    return true;
  }

  /// Uses the address only, as the real one.
  static void futex_wake(atomic<std::uint32_t>& word) {
    engine& run = *engine::current();
    run.point();
    run.trace("futex_wake");
    run.wake(&word);
  }

  static void spin_hint() { engine::current()->yield(); }
};

}  // namespace tokengate::mc
