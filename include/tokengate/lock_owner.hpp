// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tokengate {

namespace detail {
struct owner_node;
struct owner_access;
}  // namespace detail

/// Who takes a lock: one flow of control, such as a session or a request. A coroutine has no
/// identity that a library could ask for, so whoever wants to see names in listings, and wait
/// cycles found, says who it is: `auto held = co_await accounts.async_lock(me);`. Without a name of
/// one's own, a guard stands for its owner: `co_await log.async_lock(held)`.
///
/// Make one per flow, not per lock. Branches that run side by side (`a && b`) each need an owner of
/// their own: the check takes an owner that waits for two things to go on as soon as it has one.
///
/// A handle: copies are the same owner. A default-constructed one is nobody.
/// @par Thread safety  any thread; the handle itself one thread at a time
/// @par Cost           making one: one allocation; copying: a reference count. A lock that is taken
/// with
///                     an owner costs one more block from a recycled pool
class lock_owner {
 public:
  lock_owner() = default;
  explicit lock_owner(std::string name);

  /// The owner of something that is held.
  template <class Held>
  requires requires(Held const& held) {
    { held.owner() } -> std::same_as<lock_owner>;
  }
  lock_owner(Held const& held) : lock_owner(held.owner()) {}  // NOLINT: a guard stands for it

  /// Empty for nobody.
  [[nodiscard]] std::string_view name() const noexcept;
  explicit operator bool() const noexcept { return node_ != nullptr; }

  bool operator==(lock_owner const&) const = default;

 private:
  friend struct detail::owner_access;
  explicit lock_owner(std::shared_ptr<detail::owner_node> node) noexcept : node_(std::move(node)) {}

  std::shared_ptr<detail::owner_node> node_;
};

}  // namespace tokengate
