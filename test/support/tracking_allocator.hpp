// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <new>
#include <set>
#include <thread>

namespace tokengate::test {

/// What tracking_allocators did.
class allocation_book {
 public:
  /// The allocation after `count` more of them fails.
  void fail_after(int count) { countdown_ = count; }

  [[nodiscard]] std::ptrdiff_t live_bytes() const noexcept { return live_; }
  [[nodiscard]] int allocations() const noexcept { return allocations_; }
  [[nodiscard]] bool only_on(std::thread::id thread) const {
    std::lock_guard hold(mutex_);
    return threads_.empty() || (threads_.size() == 1 && threads_.contains(thread));
  }

  void allocated(std::size_t bytes) {
    if (countdown_ >= 0 && countdown_-- == 0) throw std::bad_alloc();
    ++allocations_;
    live_ += static_cast<std::ptrdiff_t>(bytes);
    note_thread();
  }
  void freed(std::size_t bytes) {
    live_ -= static_cast<std::ptrdiff_t>(bytes);
    note_thread();
  }

 private:
  void note_thread() {
    std::lock_guard hold(mutex_);
    threads_.insert(std::this_thread::get_id());
  }

  std::atomic<std::ptrdiff_t> live_{0};
  std::atomic<int> allocations_{0};
  std::atomic<int> countdown_{-1};
  mutable std::mutex mutex_;
  std::set<std::thread::id> threads_;
};

/// A standard allocator that keeps a book.
template <class T>
class tracking_allocator {
 public:
  using value_type = T;

  explicit tracking_allocator(allocation_book& book) noexcept : book_(&book) {}
  template <class U>
  tracking_allocator(tracking_allocator<U> const& other) noexcept : book_(other.book_) {}

  [[nodiscard]] T* allocate(std::size_t n) {
    book_->allocated(n * sizeof(T));
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{alignof(T)}));
  }
  void deallocate(T* block, std::size_t n) noexcept {
    book_->freed(n * sizeof(T));
    ::operator delete (block, n * sizeof(T), std::align_val_t{alignof(T)});
  }

  template <class U>
  bool operator==(tracking_allocator<U> const& other) const noexcept {
    return book_ == other.book_;
  }

 private:
  template <class>
  friend class tracking_allocator;
  allocation_book* book_;
};

}  // namespace tokengate::test
