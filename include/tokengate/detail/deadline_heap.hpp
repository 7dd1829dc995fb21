// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cassert>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

namespace tokengate::detail {

/// The place of an element that is in no heap; what its index member starts with.
inline constexpr std::size_t not_in_heap = std::numeric_limits<std::size_t>::max();

/// The elements that wait for a moment, the earliest first: a binary heap whose elements know their
/// places, in the member `Index`, so that one that ended early is taken out at once. Owns nothing,
/// knows no clock: `Moment` is any ordered value, such as a time point or ticks. An element leaves
/// before it is destroyed; those that are still in when the heap goes are only let go. Not
/// thread-safe.
template <class T, std::size_t T::*Index,
          std::totally_ordered Moment = std::chrono::steady_clock::time_point>
class deadline_heap {
 public:
  deadline_heap() = default;
  deadline_heap(deadline_heap&&) = delete;
  ~deadline_heap() { clear(); }

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }

  /// Makes room, so that the next pushes up to that size cannot throw.
  void reserve(std::size_t size) { entries_.reserve(size); }

  /// Adds an element that is in no heap. Throws `std::bad_alloc` only, and then nothing changed.
  void push(Moment when, T& item) {
    assert(place(item) == not_in_heap);
    entries_.push_back({when, &item});
    rise(entries_.size() - 1);
  }

  /// Takes an element out, in logarithmic time; one that is in no heap is left alone.
  void remove(T& item) noexcept {
    std::size_t const hole = place(item);
    if (hole == not_in_heap) return;
    assert(hole < entries_.size() && entries_[hole].item == &item);
    place(item) = not_in_heap;
    entry const last = entries_.back();
    entries_.pop_back();
    if (last.item == &item) return;
    // The last entry fills the hole. It comes from another branch, so it may belong above or below.
    set(hole, last);
    rise(hole);
    sink(place(*last.item));
  }

  /// Takes out the earliest element whose moment is not after `now`; null when there is none.
  T* pop_expired(Moment now) noexcept {
    if (empty() || now < entries_.front().when) return nullptr;
    T* const item = entries_.front().item;
    remove(*item);
    return item;
  }

  /// The earliest moment, for setting a timer.
  std::optional<Moment> next() const noexcept {
    if (empty()) return std::nullopt;
    return entries_.front().when;
  }

  void clear() noexcept {
    for (entry const& one : entries_) place(*one.item) = not_in_heap;
    entries_.clear();
  }

 private:
  struct entry {
    Moment when;
    T* item;
  };

  static std::size_t& place(T& item) noexcept { return item.*Index; }

  void set(std::size_t at, entry one) noexcept {
    entries_[at] = one;
    place(*one.item) = at;
  }

  void rise(std::size_t at) noexcept {
    entry const moving = entries_[at];
    while (at != 0) {
      std::size_t const parent = (at - 1) / 2;
      if (!(moving.when < entries_[parent].when)) break;
      set(at, entries_[parent]);
      at = parent;
    }
    set(at, moving);
  }

  void sink(std::size_t at) noexcept {
    entry const moving = entries_[at];
    for (;;) {
      std::size_t child = 2 * at + 1;
      if (child >= entries_.size()) break;
      bool const has_sibling = child + 1 < entries_.size();
      if (has_sibling && entries_[child + 1].when < entries_[child].when) ++child;
      if (!(entries_[child].when < moving.when)) break;
      set(at, entries_[child]);
      at = child;
    }
    set(at, moving);
  }

  std::vector<entry> entries_;
};

}  // namespace tokengate::detail
