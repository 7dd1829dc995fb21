// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

#include "tokengate/detail/channel_waiter.hpp"
#include "tokengate/detail/item_ring.hpp"
#include "tokengate/detail/returned_items.hpp"
#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/detail/spsc_ring.hpp"

namespace tokengate::detail {

/// A bounded channel between one sender and one receiver: calls of one side are made one after the
/// other, though more than one may wait. While nobody waits it takes no lock.
///
/// Invariants
///  - The producer side of the ring belongs to the sender while senders_waiting_ is 0, else to
///    whoever holds mutex_; the consumer side likewise. Both numbers are changed under mutex_, from
///    0 only by the side itself.
///  - Whoever lets mutex_ go leaves the ring settled: a receiver waits only on an empty ring, and
///  has
///    announced it; a sender only on a full one, likewise.
///  - Who took an announcement back (push() or pop() said `wake`) settles before it returns.
template <class T, class Sync = std_sync, class Mutex = basic_short_mutex<Sync>,
          class Slots = item_slots<T>>
class spsc_channel_core {
 public:
  explicit spsc_channel_core(std::size_t capacity) : ring_(capacity) {}
  ~spsc_channel_core() {
    for (auto left = ring_.size(); left != 0; --left) ring_.pop(1, [](T&) {});
  }

  /// Sender, without the lock. True: decided. False: full, or others wait.
  bool try_send(send_waiter<T>& from) noexcept {
    // acquire: pairs with settle(), which has used the producer side.
    if (senders_waiting_.load(std::memory_order_acquire) != 0) return false;
    switch (push(from)) {
      case push_result::full:
        return false;
      case push_result::accepted_wake:
        settle_now();
        return true;
      default:
        return true;
    }
  }
  /// Receiver, without the lock.
  bool try_receive(receive_waiter<T>& to) noexcept {
    if (receivers_waiting_.load(std::memory_order_acquire) != 0) return false;
    auto const got = pop(to);
    if (got.wake) settle_now();
    return got.taken != 0 || got.closed;
  }

  /// Any of the rest takes the lock. True: decided. False: it waits.
  bool send(send_waiter<T>& from) noexcept { return wait(from, senders_); }
  bool receive(receive_waiter<T>& to) noexcept { return wait(to, receivers_); }

  bool cancel(send_waiter<T>& from) noexcept { return cancel(from, senders_); }
  bool cancel(receive_waiter<T>& to) noexcept { return cancel(to, receivers_); }

  /// Receiver: takes the item back from a receive that has not been told of it; see
  /// mpmc_channel_core.
  bool retract(receive_waiter<T>& to) noexcept {
    woken_list woken;
    {
      std::lock_guard hold(mutex_);
      if (to.linked() || !to.holds_item()) return false;
      if (!returned_.put(to.ticket, std::move(to.item()))) return false;
      count_returned();
      to.drop_item();
      settle(woken);
    }
    resume_all(woken);
    return true;
  }

  void close() noexcept {
    ring_.close();
    settle_now();
  }
  void cancel_all() noexcept {
    woken_list woken;
    {
      std::lock_guard hold(mutex_);
      for (wait_list* list : {&receivers_, &senders_})
        while (waiter* next = list->pop_front()) {
          next->outcome = wait_outcome::cancelled;
          woken.push_back(*next);
        }
      count();
    }
    resume_all(woken);
  }

  [[nodiscard]] bool closed() const noexcept { return ring_.closed(); }
  /// What was given back lies beside the ring, and is counted.
  [[nodiscard]] std::size_t size() const noexcept {
    return ring_.size() + returned_count_.load(std::memory_order_relaxed);
  }

 private:
  using ring = spsc_ring<Slots, Sync>;
  using push_result = typename ring::push_result;

  push_result push(send_waiter<T>& from) noexcept {
    auto const result = ring_.push(*from.item);
    from.outcome = result == push_result::closed ? wait_outcome::closed : wait_outcome::done;
    return result;
  }
  typename ring::pop_result pop(receive_waiter<T>& to) noexcept {
    if (!returned_.empty()) [[unlikely]]
      return pop_returned(to);
    auto const got = pop_ring(to);
    to.outcome = got.closed ? wait_outcome::closed : wait_outcome::done;
    return got;
  }
  typename ring::pop_result pop_ring(receive_waiter<T>& to) noexcept {
    auto const got = ring_.pop(to.wants(), [&](T& item) { to.take(std::move(item)); });
    taken_ = taken_ + got.taken;
    to.ticket = taken_;
    return got;
  }
  /// A batch goes on with what is in the ring.
  typename ring::pop_result pop_returned(receive_waiter<T>& to) noexcept {
    std::size_t given = 0;
    for (; to.wants_more() && !returned_.empty(); returned_.pop(), ++given) {
      to.ticket = returned_.front_number();
      to.take(std::move(returned_.front()));
    }
    count_returned();
    typename ring::pop_result got;
    if (to.wants_more()) got = pop_ring(to);
    got.taken += given;
    got.closed = false;
    to.outcome = wait_outcome::done;
    return got;
  }
  /// relaxed: a number for those who ask, it publishes nothing.
  void count_returned() noexcept {
    returned_count_.store(returned_.size(), std::memory_order_relaxed);
  }

  bool wait(waiter& who, wait_list& list) noexcept {
    woken_list woken;
    bool decided = false;
    {
      std::lock_guard hold(mutex_);
      list.push_back(who);
      settle(woken);
      // Its own end is what it returns; the others are resumed.
      decided = !who.linked();
      if (decided) woken.remove(who);
    }
    resume_all(woken);
    return decided;
  }
  bool cancel(waiter& who, wait_list& list) noexcept {
    std::lock_guard hold(mutex_);
    if (!who.linked()) return false;
    list.remove(who);
    count();
    return true;
  }
  void settle_now() noexcept {
    woken_list woken;
    {
      std::lock_guard hold(mutex_);
      settle(woken);
    }
    resume_all(woken);
  }

  /// Serves those who wait, until they have to go on waiting, and that is announced. Under mutex_.
  void settle(woken_list& woken) noexcept {
    do {
      while (auto* first = static_cast<receive_waiter<T>*>(receivers_.front())) {
        auto const got = pop(*first);  // its `wake` is answered below
        if (got.taken == 0 && !got.closed) break;
        receivers_.pop_front();
        woken.push_back(*first);
      }
      while (auto* first = static_cast<send_waiter<T>*>(senders_.front())) {
        if (push(*first) == push_result::full) break;
        senders_.pop_front();
        woken.push_back(*first);
      }
    } while ((!receivers_.empty() && !ring_.announce_consumer()) ||
             (!senders_.empty() && !ring_.announce_producer()));
    if (senders_.empty() && sender_announced_) ring_.withdraw_producer();
    sender_announced_ = !senders_.empty();
    count();
  }
  void count() noexcept {
    // release: hands the sides of the ring back to their owners.
    receivers_waiting_.store(receivers_.size(), std::memory_order_release);
    senders_waiting_.store(senders_.size(), std::memory_order_release);
  }

  ring ring_;
  alignas(cache_line)
      typename Sync::template var<std::uint64_t> taken_{0};  ///< items; as the consumer side
  returned_items<T> returned_{};  ///< comes before what is in the ring; likewise
  alignas(cache_line) typename Sync::template atomic<std::size_t> senders_waiting_{0};
  typename Sync::template atomic<std::size_t> receivers_waiting_{0};
  Mutex mutex_;
  wait_list senders_;
  wait_list receivers_;
  bool sender_announced_ = false;
  typename Sync::template atomic<std::size_t> returned_count_{0};  ///< for size()
};

}  // namespace tokengate::detail
