// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>

#include "tokengate/detail/channel_waiter.hpp"

namespace tokengate::detail {

/// A channel that keeps nothing: a send ends when a receiver has the item. For any number of both.
/// A state machine: the caller locks.
///
/// Invariants: of senders and receivers only one kind waits at a time; nobody is overtaken. An item
/// that a receiver gave back is the next one to be received; receivers do not wait beside it.
template <class T>
class rendezvous_channel_core {
 public:
  bool try_send(send_waiter<T>& from, woken_list& woken) noexcept {
    from.outcome = closed_ ? wait_outcome::closed : wait_outcome::done;
    if (closed_) return true;
    waiter* const next = receivers_.pop_front();
    if (next == nullptr) return false;
    hand_over(*from.item, *next, woken);
    return true;
  }
  bool send(send_waiter<T>& from, woken_list& woken) noexcept {
    if (try_send(from, woken)) return true;
    senders_.push_back(from);
    return false;
  }

  /// A batch takes from all senders that wait.
  bool try_receive(receive_waiter<T>& to, woken_list& woken) noexcept {
    to.outcome = wait_outcome::done;
    if (returned_) {
      to.ticket = ++taken_;
      to.take(std::move(*returned_));
      returned_.reset();
      return true;
    }
    if (senders_.empty()) {
      if (closed_) to.outcome = wait_outcome::closed;
      return closed_;
    }
    while (to.wants_more()) {
      waiter* const next = senders_.pop_front();
      if (next == nullptr) break;
      to.ticket = ++taken_;
      to.take(std::move(*static_cast<send_waiter<T>*>(next)->item));
      settle(*next, wait_outcome::done, woken);
    }
    return true;
  }
  bool receive(receive_waiter<T>& to, woken_list& woken) noexcept {
    if (try_receive(to, woken)) return true;
    receivers_.push_back(to);
    return false;
  }

  bool cancel(send_waiter<T>& from, woken_list&) noexcept { return cancel(from, senders_); }
  bool cancel(receive_waiter<T>& to, woken_list&) noexcept { return cancel(to, receivers_); }

  /// Takes the item back from a receiver that has not been told of it; see mpmc_channel_core.
  bool retract(receive_waiter<T>& to, woken_list& woken) noexcept {
    if (to.linked() || !to.holds_item() || to.ticket != taken_ || returned_) return false;
    --taken_;
    if (waiter* next = receivers_.pop_front())
      hand_over(to.item(), *next, woken);
    else
      returned_.emplace(std::move(to.item()));
    to.drop_item();
    return true;
  }

  void close(woken_list& woken) noexcept {
    closed_ = true;
    give_up(wait_outcome::closed, woken);
  }
  void cancel_all(woken_list& woken) noexcept { give_up(wait_outcome::cancelled, woken); }

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t size() const noexcept { return returned_ ? 1 : 0; }

 private:
  void hand_over(T& item, waiter& who, woken_list& woken) noexcept {
    auto& to = static_cast<receive_waiter<T>&>(who);
    to.take(std::move(item));
    to.ticket = ++taken_;
    settle(to, wait_outcome::done, woken);
  }
  static bool cancel(waiter& who, wait_list& list) noexcept {
    if (!who.linked()) return false;
    list.remove(who);
    return true;
  }
  static void settle(waiter& who, wait_outcome outcome, woken_list& woken) noexcept {
    who.outcome = outcome;
    woken.push_back(who);
  }
  void give_up(wait_outcome outcome, woken_list& woken) noexcept {
    for (wait_list* list : {&receivers_, &senders_})
      while (waiter* next = list->pop_front()) settle(*next, outcome, woken);
  }

  wait_list senders_;
  wait_list receivers_;
  std::optional<T> returned_;
  std::uint64_t taken_ = 0;  ///< items
  bool closed_ = false;
};

}  // namespace tokengate::detail
