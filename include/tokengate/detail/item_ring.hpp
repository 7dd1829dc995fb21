// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>

namespace tokengate::detail {

/// Room for a fixed number of items, a power of two, by running index. Owns the memory, not the
/// items: who puts one in takes it out. The indices are the user's.
template <class T>
class item_slots {
 public:
  explicit item_slots(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), places_(new place[mask_ + 1]) {}

  void put(std::size_t index, T&& item) noexcept { std::construct_at(&at(index), std::move(item)); }
  [[nodiscard]] T& at(std::size_t index) noexcept { return places_[index & mask_].item; }
  void take_back(std::size_t index, T& to) noexcept {
    std::destroy_at(&to);
    std::construct_at(&to, std::move(at(index)));
    drop(index);
  }
  void drop(std::size_t index) noexcept { std::destroy_at(&at(index)); }

 private:
  union place {
    place() noexcept {}
    ~place() {}
    T item;
  };
  std::size_t mask_;
  std::unique_ptr<place[]> places_;
};

/// A bounded FIFO that never allocates after its construction. Not thread-safe.
template <class T>
class item_ring {
 public:
  explicit item_ring(std::size_t capacity) : slots_(capacity), capacity_(capacity) {}
  item_ring(item_ring&&) = delete;
  ~item_ring() {
    while (!empty()) pop();
  }

  [[nodiscard]] bool empty() const noexcept { return first_ == last_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t size() const noexcept { return last_ - first_; }
  [[nodiscard]] T& front() noexcept { return slots_.at(first_); }

  void push(T&& item) noexcept {
    assert(size() < capacity_);
    slots_.put(last_++, std::move(item));
  }
  void pop() noexcept { slots_.drop(first_++); }

 private:
  item_slots<T> slots_;
  std::size_t capacity_;
  std::size_t first_ = 0;
  std::size_t last_ = 0;
};

}  // namespace tokengate::detail
