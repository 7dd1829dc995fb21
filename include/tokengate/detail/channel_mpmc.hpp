// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "tokengate/detail/channel_waiter.hpp"
#include "tokengate/detail/item_ring.hpp"

namespace tokengate::detail {

inline constexpr std::size_t unlimited_cost = std::numeric_limits<std::size_t>::max();

/// A bounded channel for any number of senders and receivers. A state machine: the caller locks.
///
/// Invariants
///  - Receivers wait only while the buffer is empty and the channel is open.
///  - Senders wait only while the first of them does not fit, or the channel would have taken it.
///  - Nobody is overtaken: who comes while others wait for the same thing waits behind them.
template <class T>
class mpmc_channel_core {
 public:
  /// `capacity` items, and together no more than `max_cost`; an item that costs more than that
  /// passes alone. The capacity is not 0.
  explicit mpmc_channel_core(std::size_t capacity, std::size_t max_cost = unlimited_cost)
      : buffer_(capacity), max_cost_(max_cost) {}

  /// True: decided, see its outcome. False: full.
  bool try_send(send_waiter<T>& from, woken_list& woken) noexcept {
    from.outcome = closed_ ? wait_outcome::closed : wait_outcome::done;
    if (closed_) return true;
    if (waiter* next = receivers_.pop_front()) {
      hand_over(*from.item, from.cost, *next, woken);
      return true;
    }
    if (!senders_.empty() || !fits(from)) return false;
    store(from);
    return true;
  }
  /// True: decided. False: it waits.
  bool send(send_waiter<T>& from, woken_list& woken) noexcept {
    if (try_send(from, woken)) return true;
    senders_.push_back(from);
    return false;
  }

  bool try_receive(receive_waiter<T>& to, woken_list& woken) noexcept {
    to.outcome = wait_outcome::done;
    if (buffer_.empty()) {
      if (closed_) to.outcome = wait_outcome::closed;
      return closed_;
    }
    while (to.wants_more() && !buffer_.empty()) {
      entry& next = buffer_.front();
      cost_ -= next.cost;
      to.cost = next.cost;
      to.ticket = ++taken_;
      to.take(std::move(next.item));
      buffer_.pop();
      admit(woken);
    }
    return true;
  }
  bool receive(receive_waiter<T>& to, woken_list& woken) noexcept {
    if (try_receive(to, woken)) return true;
    receivers_.push_back(to);
    return false;
  }

  /// True: it waited, and no longer does; nothing of it was taken.
  bool cancel(send_waiter<T>& from, woken_list& woken) noexcept {
    if (!from.linked()) return false;
    senders_.remove(from);
    admit(woken);  // it may have stood before a smaller one
    return true;
  }
  bool cancel(receive_waiter<T>& to, woken_list&) noexcept {
    if (!to.linked()) return false;
    receivers_.remove(to);
    return true;
  }

  /// Takes the item back from a receiver that has not been told of it. False: it has none, or items
  /// after it were taken since, and order would be lost.
  bool retract(receive_waiter<T>& to, woken_list& woken) noexcept {
    if (to.linked() || !to.holds_item() || to.ticket != taken_) return false;
    if (waiter* next = receivers_.pop_front()) {
      --taken_;
      hand_over(to.item(), to.cost, *next, woken);
    } else {
      if (!buffer_.can_put_back()) return false;
      --taken_;
      buffer_.put_back(entry{std::move(to.item()), to.cost});
      cost_ += to.cost;
    }
    to.drop_item();
    return true;
  }

  void close(woken_list& woken) noexcept {
    closed_ = true;
    give_up(wait_outcome::closed, woken);
  }
  void cancel_all(woken_list& woken) noexcept { give_up(wait_outcome::cancelled, woken); }

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t size() const noexcept { return buffer_.size(); }
  [[nodiscard]] std::size_t cost() const noexcept { return cost_; }

 private:
  struct entry {
    T item;
    std::size_t cost;
  };

  void hand_over(T& item, std::size_t cost, waiter& who, woken_list& woken) noexcept {
    auto& to = static_cast<receive_waiter<T>&>(who);
    to.take(std::move(item));
    to.cost = cost;
    to.ticket = ++taken_;
    to.outcome = wait_outcome::done;
    woken.push_back(to);
  }
  [[nodiscard]] bool fits(send_waiter<T> const& from) const noexcept {
    if (buffer_.full()) return false;
    return buffer_.empty() || from.cost <= max_cost_ - std::min(cost_, max_cost_);
  }
  void store(send_waiter<T>& from) noexcept {
    buffer_.push(entry{std::move(*from.item), from.cost});
    cost_ += from.cost;
  }
  /// Takes in the senders that fit now.
  void admit(woken_list& woken) noexcept {
    while (auto* first = static_cast<send_waiter<T>*>(senders_.front())) {
      if (!fits(*first)) return;
      senders_.pop_front();
      store(*first);
      first->outcome = wait_outcome::done;
      woken.push_back(*first);
    }
  }
  void give_up(wait_outcome outcome, woken_list& woken) noexcept {
    for (wait_list* list : {&receivers_, &senders_})
      while (waiter* next = list->pop_front()) {
        next->outcome = outcome;
        woken.push_back(*next);
      }
  }

  item_ring<entry> buffer_;
  std::size_t max_cost_;
  std::size_t cost_ = 0;
  wait_list senders_;
  wait_list receivers_;
  std::uint64_t taken_ = 0;  ///< items
  bool closed_ = false;
};

}  // namespace tokengate::detail
