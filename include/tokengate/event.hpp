// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string_view>

#include "tokengate/detail/event_block.hpp"

namespace tokengate {

template <class T>
class event;

namespace detail {
template <class T>
[[nodiscard]] delivery_ledger& ledger_of(event<T> const& of) noexcept;
}

/// One published event, shared by all who get it: a counted reference to a constant value. Cheap to
/// copy, may be kept; the value is destroyed with the last of them, on whatever thread that is.
///
/// @par Thread safety  as std::shared_ptr<T const>
template <class T>
class event {
 public:
  event() = default;
  explicit event(detail::event_ref to) noexcept : to_(std::move(to)) {}

  [[nodiscard]] T const& operator*() const noexcept { return block().value; }
  [[nodiscard]] T const* operator->() const noexcept { return &block().value; }
  explicit operator bool() const noexcept { return static_cast<bool>(to_); }

  /// Of the topic that it was published to; empty for the topic of the type itself.
  [[nodiscard]] std::string_view subject() const noexcept { return to_->subject->text; }

 private:
  friend detail::delivery_ledger& detail::ledger_of<T>(event const& of) noexcept;

  [[nodiscard]] detail::event_block<T> const& block() const noexcept {
    return static_cast<detail::event_block<T> const&>(*to_);
  }

  detail::event_ref to_;
};

template <class T>
detail::delivery_ledger& detail::ledger_of(event<T> const& of) noexcept {
  return of.to_->ledger;
}

}  // namespace tokengate
