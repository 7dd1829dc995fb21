// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "tokengate/detail/channel_waiter.hpp"
#include "tokengate/detail/item_ring.hpp"
#include "tokengate/detail/returned_items.hpp"

namespace tokengate::detail {

inline constexpr std::size_t unlimited_cost = std::numeric_limits<std::size_t>::max();

/// A bounded channel for any number of senders and receivers. A state machine: the caller locks.
///
/// Invariants
///  - Items are numbered in the order in which they were sent. What a receiver gave back keeps its
///    number and comes before the buffer: beside it there may be more than the capacity, and
///    senders wait until there is less.
///  - Receivers wait only while nothing is in the channel, and it is open.
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
      hand_over(*from.item, from.cost, ++taken_, *next, woken);
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
    if (size() == 0) {
      if (closed_) to.outcome = wait_outcome::closed;
      return closed_;
    }
    if (!returned_.empty()) [[unlikely]]
      take_returned(to, woken);
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

  /// Takes the item back from a receiver that has not been told of it: it goes to the first who
  /// waits, or before all that was taken after it. False: there is none, or no memory.
  bool retract(receive_waiter<T>& to, woken_list& woken) noexcept {
    if (to.linked() || !to.holds_item()) return false;
    if (waiter* next = receivers_.pop_front()) {
      hand_over(to.item(), to.cost, to.ticket, *next, woken);
    } else {
      if (!returned_.put(to.ticket, std::move(to.item()), to.cost)) return false;
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
  [[nodiscard]] std::size_t size() const noexcept { return returned_.size() + buffer_.size(); }
  [[nodiscard]] std::size_t cost() const noexcept { return cost_; }

 private:
  struct entry {
    T item;
    std::size_t cost;
  };

  void hand_over(T& item, std::size_t cost, std::uint64_t number, waiter& who,
                 woken_list& woken) noexcept {
    auto& to = static_cast<receive_waiter<T>&>(who);
    to.take(std::move(item));
    to.cost = cost;
    to.ticket = number;
    to.outcome = wait_outcome::done;
    woken.push_back(to);
  }
  void take_returned(receive_waiter<T>& to, woken_list& woken) noexcept {
    for (; to.wants_more() && !returned_.empty(); returned_.pop()) {
      entry& next = returned_.front();
      cost_ -= next.cost;
      to.cost = next.cost;
      to.ticket = returned_.front_number();
      to.take(std::move(next.item));
    }
    admit(woken);
  }
  [[nodiscard]] bool fits(send_waiter<T> const& from) const noexcept {
    if (size() >= buffer_.capacity()) return false;
    return size() == 0 || from.cost <= max_cost_ - std::min(cost_, max_cost_);
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
  std::uint64_t taken_ = 0;  ///< items, each counted once
  bool closed_ = false;
  returned_items<entry> returned_{};
};

}  // namespace tokengate::detail
