// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "tokengate/detail/block_pool.hpp"

namespace tokengate::detail {

/// What was on its way to receivers that gave up, in the order in which it was first taken: the
/// number that it got then stays with it. It comes before all that was never taken. Not
/// thread-safe.
///
/// The first item needs no memory, so that one receiver can always give back what it has; every
/// further one needs a block of the pool.
template <class T>
class returned_items {
 public:
  returned_items() = default;
  returned_items(returned_items&&) = delete;
  ~returned_items() {
    while (!empty()) pop();
  }

  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T& front() noexcept { return first_->item; }
  [[nodiscard]] T const& front() const noexcept { return first_->item; }
  [[nodiscard]] std::uint64_t front_number() const noexcept { return first_->number; }

  /// False: there is no memory, and `args`, of which the item is made, are as they were.
  template <class... Args>
  [[nodiscard]] bool put(std::uint64_t number, Args&&... args) noexcept {
    place* const made = make(number, std::forward<Args>(args)...);
    if (made == nullptr) return false;
    // Mostly those who came first give up first.
    place** at = first_ != nullptr && last_->number < number ? &last_->next : &first_;
    while (*at != nullptr && (*at)->number < number) at = &(*at)->next;
    made->next = *at;
    *at = made;
    if (made->next == nullptr) last_ = made;
    ++size_;
    return true;
  }
  void pop() noexcept {
    place* const gone = std::exchange(first_, first_->next);
    --size_;
    if (own_ && gone == &*own_) return own_.reset();
    std::destroy_at(gone);
    block_allocator<place>{}.deallocate(gone, 1);
  }

 private:
  struct place {
    template <class... Args>
    explicit place(std::uint64_t number, Args&&... args) noexcept
        : item(make_item(std::forward<Args>(args)...)), number(number) {}
    template <class... Args>
    [[nodiscard]] static T make_item(Args&&... args) noexcept {
      if constexpr (sizeof...(Args) == 1)
        return T(std::forward<Args>(args)...);
      else
        return T{std::forward<Args>(args)...};
    }
    T item;
    std::uint64_t number;
    place* next = nullptr;
  };

  template <class... Args>
  [[nodiscard]] place* make(std::uint64_t number, Args&&... args) noexcept {
    if (!own_) return &own_.emplace(number, std::forward<Args>(args)...);
    try {
      return ::new (static_cast<void*>(block_allocator<place>{}.allocate(1)))
          place(number, std::forward<Args>(args)...);
    } catch (std::bad_alloc const&) {
      return nullptr;
    }
  }

  place* first_ = nullptr;
  place* last_ = nullptr;
  std::size_t size_ = 0;
  std::optional<place> own_{};
};

}  // namespace tokengate::detail
