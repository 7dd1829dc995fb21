// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>

#include "tokengate/detail/channel_waiter.hpp"
#include "tokengate/detail/returned_items.hpp"

namespace tokengate::detail {

/// A channel that keeps nothing: a send ends when a receiver has the item. For any number of both.
/// A state machine: the caller locks.
///
/// Invariants: of senders and receivers only one kind waits at a time; nobody is overtaken. Items
/// that receivers gave back are the next ones to be received; receivers do not wait beside them.
template <class T>
class rendezvous_channel_core {
 public:
  bool try_send(send_waiter<T>& from, woken_list& woken) noexcept {
    from.outcome = closed_ ? wait_outcome::closed : wait_outcome::done;
    if (closed_) return true;
    waiter* const next = receivers_.pop_front();
    if (next == nullptr) return false;
    hand_over(*from.item, ++taken_, *next, woken);
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
    if (returned_.empty() && senders_.empty()) {
      if (closed_) to.outcome = wait_outcome::closed;
      return closed_;
    }
    for (; to.wants_more() && !returned_.empty(); returned_.pop()) {
      to.ticket = returned_.front_number();
      to.take(std::move(returned_.front()));
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
    if (to.linked() || !to.holds_item()) return false;
    if (waiter* next = receivers_.pop_front())
      hand_over(to.item(), to.ticket, *next, woken);
    else if (!returned_.put(to.ticket, std::move(to.item())))
      return false;
    to.drop_item();
    return true;
  }

  void close(woken_list& woken) noexcept {
    closed_ = true;
    give_up(wait_outcome::closed, woken);
  }
  void cancel_all(woken_list& woken) noexcept { give_up(wait_outcome::cancelled, woken); }

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t size() const noexcept { return returned_.size(); }
  [[nodiscard]] std::size_t cost() const noexcept { return returned_.size(); }

 private:
  void hand_over(T& item, std::uint64_t number, waiter& who, woken_list& woken) noexcept {
    auto& to = static_cast<receive_waiter<T>&>(who);
    to.take(std::move(item));
    to.ticket = number;
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
  std::uint64_t taken_ = 0;  ///< items, each counted once
  bool closed_ = false;
  returned_items<T> returned_{};
};

}  // namespace tokengate::detail
