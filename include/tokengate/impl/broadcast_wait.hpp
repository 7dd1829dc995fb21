// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/broadcast_core.hpp"
#include "tokengate/impl/core_state.hpp"
#include "tokengate/impl/lazy_wait.hpp"
#include "tokengate/impl/thread_wait.hpp"

namespace tokengate::detail {

template <class T>
using broadcast_ring = broadcast_core<std::shared_ptr<T const>>;

/// The sending end, as impl/async_wait.hpp wants it.
template <class T>
struct broadcast_state : core_state<broadcast_ring<T>> {
  using core_state<broadcast_ring<T>>::core_state;
  using ring_type = broadcast_ring<T>;

  [[nodiscard]] bool start(typename ring_type::send_waiter& one) noexcept {
    return this->change([&](ring_type& ring, woken_list& woken) { return ring.send(one, woken); });
  }
  [[nodiscard]] bool cancel(typename ring_type::send_waiter& one) noexcept {
    return this->change([&](ring_type& ring, woken_list&) { return ring.cancel(one); });
  }
};

/// One reading end. Its waits keep it, so it may outlive its handle, which then has left the ring.
template <class T>
struct broadcast_view {
  using ring_type = broadcast_ring<T>;

  broadcast_view(std::shared_ptr<broadcast_state<T>> state, bool waited_for, bool from_oldest)
      : of(std::move(state)), node(waited_for) {
    of->change([&](ring_type& ring, woken_list&) { ring.join(node, from_oldest); });
  }
  void leave() noexcept {
    of->change([&](ring_type& ring, woken_list& woken) { ring.leave(node, woken); });
  }
  [[nodiscard]] bool start(typename ring_type::receive_waiter& one) noexcept {
    return of->change(
        [&](ring_type& ring, woken_list& woken) { return ring.receive(node, one, woken); });
  }
  [[nodiscard]] bool cancel(typename ring_type::receive_waiter& one) noexcept {
    return of->change([&](ring_type& ring, woken_list&) { return ring.cancel(node, one); });
  }
  [[nodiscard]] bool retract(typename ring_type::receive_waiter& one) noexcept {
    return of->change(
        [&](ring_type& ring, woken_list& woken) { return ring.retract(node, one, woken); });
  }

  std::shared_ptr<broadcast_state<T>> const of;
  typename ring_type::reader node;
};

template <class T>
class broadcast_send_waiter : public broadcast_ring<T>::send_waiter {
 public:
  broadcast_send_waiter(waiter::resume_function resume, std::shared_ptr<T const> what) noexcept
      : broadcast_ring<T>::send_waiter(resume, std::move(what)) {}

  template <class F>
  void complete(F&& finish) {
    std::move(finish)(exception_of(this->outcome));
  }

 protected:
  ~broadcast_send_waiter() = default;
};

template <class T, class Received>
class broadcast_receive_waiter : public broadcast_ring<T>::receive_waiter {
 public:
  explicit broadcast_receive_waiter(waiter::resume_function resume) noexcept
      : broadcast_ring<T>::receive_waiter(resume) {}

  template <class F>
  void complete(F&& finish) {
    std::move(finish)(exception_of(this->outcome), Received{std::move(this->item), this->skipped});
  }

 protected:
  ~broadcast_receive_waiter() = default;
};

}  // namespace tokengate::detail
