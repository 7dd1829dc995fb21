// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

/// @file
/// Memory of tokens and of what hangs on them. Asio's recycler keeps two blocks per thread, which
/// is right for one operation at a time and wrong for a burst; this pool keeps as many as were out.
///
/// Blocks of one size class are cached per thread; chains of them move between threads through a
/// shared depot, so that a token that is issued on one thread and ended on another does not fall
/// back to malloc. The depot is locked once per chain, not per block. It gets them from the heap in
/// slabs and gives a slab back when all its blocks are free; what it keeps is bounded, see
/// block_pool.cpp.
/// With TOKENGATE_DISABLE_RECYCLING every block comes from operator new, for address sanitizers.

namespace tokengate::detail {

/// Blocks are aligned to this, and their size is a multiple of it.
inline constexpr std::size_t block_alignment = 64;

/// By size class, since the size is known where the type is.
[[nodiscard]] void* allocate_block_of_class(std::size_t index);
void free_block_of_class(void* block, std::size_t index) noexcept;

[[nodiscard]] constexpr std::size_t block_class(std::size_t bytes) noexcept {
  return bytes == 0 ? 0 : (bytes - 1) / block_alignment;
}

/// @par Cost        no allocation once warm, no lock but for one in chain_length calls
/// @par Errors      bad_alloc
[[nodiscard]] inline void* allocate_block(std::size_t bytes) {
  return allocate_block_of_class(block_class(bytes));
}
inline void free_block(void* block, std::size_t bytes) noexcept {
  free_block_of_class(block, block_class(bytes));
}

/// A stateless standard allocator over the pool.
template <class T>
struct block_allocator {
  using value_type = T;

  block_allocator() = default;
  template <class U>
  block_allocator(block_allocator<U> const&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t n) {
    if constexpr (alignof(T) > block_alignment)
      return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{alignof(T)}));
    else
      return static_cast<T*>(allocate_block(n * sizeof(T)));
  }
  void deallocate(T* block, std::size_t n) noexcept {
    if constexpr (alignof(T) > block_alignment)
      ::operator delete (block, n * sizeof(T), std::align_val_t{alignof(T)});
    else
      free_block(block, n * sizeof(T));
  }

  template <class U>
  bool operator==(block_allocator<U> const&) const noexcept {
    return true;
  }
};

/// Owns one object in the pool.
struct block_deleter {
  template <class T>
  void operator()(T* object) const noexcept {
    std::destroy_at(object);
    block_allocator<T>{}.deallocate(object, 1);
  }
};
template <class T>
using block_ptr = std::unique_ptr<T, block_deleter>;

/// May throw bad_alloc, or what the constructor throws.
template <class T, class... Args>
[[nodiscard]] block_ptr<T> make_block(Args&&... args) {
  block_allocator<T> pool;
  T* const place = pool.allocate(1);
  try {
    return block_ptr<T>(::new (static_cast<void*>(place)) T(std::forward<Args>(args)...));
  } catch (...) {
    pool.deallocate(place, 1);
    throw;
  }
}

}  // namespace tokengate::detail
