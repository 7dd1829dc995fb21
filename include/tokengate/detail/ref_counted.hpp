// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace tokengate::detail {

/// A count inside the object, so that a plain pointer to it can be made an owner at any time.
class ref_counted {
 public:
  ref_counted(ref_counted const&) = delete;
  ref_counted& operator=(ref_counted const&) = delete;

  void add_ref() const noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void drop_ref() const noexcept {
    // acq_rel: what the other owners did happens before the destruction.
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  ref_counted() = default;
  virtual ~ref_counted() = default;

 private:
  mutable std::atomic<std::uint32_t> refs_{0};
};

/// An owner of a counted object.
template <class T>
class ref {
 public:
  ref() = default;
  explicit ref(T* to) noexcept : to_(to) {
    if (to_ != nullptr) to_->add_ref();
  }
  ref(ref const& other) noexcept : ref(other.to_) {}
  ref(ref&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
  template <class U>
  requires std::is_convertible_v<U*, T*> ref(ref<U> other)
  noexcept : to_(other.release()) {}
  ref& operator=(ref other) noexcept {
    std::swap(to_, other.to_);
    return *this;
  }
  ~ref() {
    if (to_ != nullptr) to_->drop_ref();
  }

  [[nodiscard]] T* get() const noexcept { return to_; }
  [[nodiscard]] T* release() noexcept { return std::exchange(to_, nullptr); }
  /// Takes over a reference that was release()d.
  [[nodiscard]] static ref adopt(T* to) noexcept {
    ref owner;
    owner.to_ = to;
    return owner;
  }
  T& operator*() const noexcept { return *to_; }
  T* operator->() const noexcept { return to_; }
  explicit operator bool() const noexcept { return to_ != nullptr; }
  bool operator==(ref const&) const = default;

 private:
  T* to_ = nullptr;
};

}  // namespace tokengate::detail
