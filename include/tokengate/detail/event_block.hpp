// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <new>
#include <utility>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/event_base.hpp"

namespace tokengate::detail {

/// An event with its value: one block for both.
template <class T>
struct event_block final : event_base {
  /// May throw bad_alloc, or what the construction of the value throws.
  template <class... Args>
  [[nodiscard]] static event_ref make(Args&&... args) {
    auto* const place = block_allocator<event_block>{}.allocate(1);
    try {
      return event_ref(::new (static_cast<void*>(place)) event_block(std::forward<Args>(args)...));
    } catch (...) {
      block_allocator<event_block>{}.deallocate(place, 1);
      throw;
    }
  }

  T const value;

 private:
  template <class... Args>
  explicit event_block(Args&&... args) : event_base(&free), value(std::forward<Args>(args)...) {}
  ~event_block() = default;

  static void free(event_base* gone) noexcept {
    auto* const self = static_cast<event_block*>(gone);
    self->~event_block();
    block_allocator<event_block>{}.deallocate(self, 1);
  }
};

}  // namespace tokengate::detail
