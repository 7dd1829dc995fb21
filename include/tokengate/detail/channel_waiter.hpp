// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "tokengate/detail/waiter.hpp"

namespace tokengate::detail {

/// Who wants to put an item into a channel. The item stays where it is until it is accepted:
/// whoever is refused, cancelled or late still has it.
template <class T>
class send_waiter : public waiter {
 public:
  T* item;
  std::size_t cost = 1;

 protected:
  send_waiter(resume_function resume, T& item) noexcept : waiter(resume), item(&item) {}
  ~send_waiter() = default;
};

/// Who wants an item of a channel, or several at once.
template <class T>
class receive_waiter : public waiter {
 public:
  /// Takes an item over. There is room for it: the vector of a batch was made large enough.
  void take(T&& item) noexcept {
    ++taken_;
    if (into_ != nullptr)
      into_->push_back(std::move(item));
    else
      one_.emplace(std::move(item));
  }
  [[nodiscard]] bool wants_more() const noexcept { return taken_ < max_; }
  [[nodiscard]] std::size_t wants() const noexcept { return max_ - taken_; }
  /// Whether it has an item that it could give back: not one of a batch, which the caller has
  /// already.
  [[nodiscard]] bool holds_item() const noexcept { return one_.has_value(); }
  /// The item, to go back into the channel.
  [[nodiscard]] T& item() noexcept { return *one_; }
  void drop_item() noexcept {
    one_.reset();
    taken_ = 0;
  }

  std::uint64_t ticket = 0;  ///< which item it took last, counted by the core
  std::size_t cost = 1;      ///< of that item
  [[nodiscard]] std::size_t taken() const noexcept { return taken_; }

 protected:
  explicit receive_waiter(resume_function resume) noexcept : waiter(resume) {}
  /// A batch, at the end of `into`.
  receive_waiter(resume_function resume, std::vector<T>& into, std::size_t max)
      : waiter(resume), into_(&into), max_(max) {
    into.reserve(into.size() + max);
  }
  ~receive_waiter() = default;

  std::optional<T> one_;

 private:
  std::vector<T>* into_ = nullptr;
  std::size_t max_ = 1;
  std::size_t taken_ = 0;
};

}  // namespace tokengate::detail
