// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tokengate/detail/returned_items.hpp"
#include "tokengate/detail/waiter.hpp"

/// @file
/// One ring that many readers go through, each at its own pace.
///
/// Invariants
/// - Items are numbered from 0 in the order they were sent; `head_` is the number of the next one.
///   The ring keeps the last `capacity`: number n lies at n mod capacity until n + capacity is
///   sent.
/// - A reader's `next_` is the number it gets next from the ring, at most `head_`. One that is
///   waited for is never more than the capacity behind; one that is not may be, and loses what was
///   overwritten. What its receives gave back stays with the reader, comes first, and counts as
///   lag: senders may find a reader that is waited for more than the capacity behind by that.
/// - Receives wait in a reader only if nothing is ahead of it; it is in `hungry_` exactly then.
/// - Senders wait only while a reader that is waited for is the whole capacity behind. They are
///   served in their order, and no try_send goes before them.
/// - An item that is overwritten leaves by swap with the one that is sent, so that nothing of the
///   user's is destroyed under the lock.

namespace tokengate::detail {

struct all_readers;
struct hungry_readers;

template <class Item>
class broadcast_core {
 public:
  class reader : public list_hook<all_readers>, public list_hook<hungry_readers> {
   public:
    explicit reader(bool waited_for) noexcept : waited_for_(waited_for) {}
    [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }

   private:
    friend class broadcast_core;
    bool const waited_for_;
    struct given_back {
      Item item;
      std::uint64_t skipped;
    };
    bool open_ = false;
    std::uint64_t next_ = 0;
    returned_items<given_back> returned_{};
    std::uint64_t skipped_ = 0;
    wait_list receives_{};
  };

  class send_waiter : public waiter {
   public:
    Item item;  ///< afterwards the one that it replaced

   protected:
    send_waiter(resume_function resume, Item what) noexcept
        : waiter(resume), item(std::move(what)) {}
    ~send_waiter() = default;
  };

  class receive_waiter : public waiter {
   public:
    Item item{};
    std::uint64_t skipped = 0;  ///< items lost right before this one

   protected:
    using waiter::waiter;
    ~receive_waiter() = default;

   private:
    friend class broadcast_core;
    std::uint64_t number_ = 0;  ///< of the item
    bool given_up_ = false;
  };

  explicit broadcast_core(std::size_t capacity) : ring_(capacity == 0 ? 1 : capacity) {}
  ~broadcast_core() { assert(readers_.empty()); }

  /// `from_oldest`: with what the ring still has, else with the next that is sent.
  void join(reader& who, bool from_oldest) noexcept {
    auto const kept = head_ < ring_.size() ? head_ : ring_.size();
    who.next_ = from_oldest ? head_ - kept : head_;
    who.open_ = true;
    readers_.push_back(who);
    if (who.waited_for_ && who.next_ < floor_) floor_ = who.next_;
  }
  /// Ends its receives, and lets senders go on that were held back by it.
  void leave(reader& who, woken_list& woken) noexcept {
    if (!who.open_) return;
    who.open_ = false;
    end_receives(who, wait_outcome::closed, woken);
    readers_.remove(who);
    serve_senders(woken);
  }

  /// On success the item is the one that was replaced.
  [[nodiscard]] bool try_send(Item& item, woken_list& woken) noexcept {
    if (closed_ || !senders_.empty() || !has_room()) return false;
    publish(item, woken);
    return true;
  }
  /// True: decided at once.
  [[nodiscard]] bool send(send_waiter& one, woken_list& woken) noexcept {
    one.outcome = closed_ ? wait_outcome::closed : wait_outcome::done;
    if (closed_ || try_send(one.item, woken)) return true;
    senders_.push_back(one);
    return false;
  }
  [[nodiscard]] bool cancel(send_waiter& one) noexcept {
    if (!one.linked()) return false;
    senders_.remove(one);
    return true;
  }

  /// False: there is nothing for it now. `skipped`: what was lost right before.
  [[nodiscard]] bool try_receive(reader& who, Item& item, std::uint64_t& skipped,
                                 woken_list& woken) noexcept {
    std::uint64_t number = 0;
    return take_next(who, item, number, skipped, woken);
  }
  /// True: decided at once.
  [[nodiscard]] bool receive(reader& who, receive_waiter& one, woken_list& woken) noexcept {
    one.outcome = wait_outcome::done;
    if (take_next(who, one.item, one.number_, one.skipped, woken)) return true;
    if (closed_ || !who.open_) {
      one.outcome = wait_outcome::closed;
      return true;
    }
    if (who.receives_.empty()) hungry_.push_back(who);
    who.receives_.push_back(one);
    return false;
  }
  [[nodiscard]] bool cancel(reader& who, receive_waiter& one) noexcept {
    if (!one.linked()) return false;
    who.receives_.remove(one);
    if (who.receives_.empty()) hungry_.remove(who);
    one.given_up_ = true;
    return true;
  }
  /// Takes the item back from a receive that has not been told of it: the next receive of the
  /// reader gets it, also when its place in the ring was given to another. False when there is
  /// none, the reader has left, or there is no memory.
  [[nodiscard]] bool retract(reader& who, receive_waiter& one, woken_list& woken) noexcept {
    // Whoever gave it up is about to write its outcome.
    if (one.given_up_ || one.outcome != wait_outcome::done || !who.open_) return false;
    if (!who.receives_.empty()) {
      hand_over(who, std::move(one.item), one.number_, one.skipped, woken);
    } else {
      if (!who.returned_.put(one.number_, std::move(one.item), one.skipped)) return false;
      who.skipped_ -= one.skipped;  // to be told again
      if (who.waited_for_ && position(who) < floor_) floor_ = position(who);
    }
    one.item = Item();
    return true;
  }

  void cancel_receives(reader& who, woken_list& woken) noexcept {
    end_receives(who, wait_outcome::cancelled, woken);
  }
  void cancel_sends(woken_list& woken) noexcept { end_sends(wait_outcome::cancelled, woken); }

  /// What was sent can still be received.
  void close(woken_list& woken) noexcept {
    closed_ = true;
    end_sends(wait_outcome::closed, woken);
    while (reader* who = hungry_.front()) end_receives(*who, wait_outcome::closed, woken);
  }

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return ring_.size(); }
  [[nodiscard]] std::size_t readers() const noexcept { return readers_.size(); }
  [[nodiscard]] std::size_t waiting_senders() const noexcept { return senders_.size(); }
  [[nodiscard]] std::uint64_t sent() const noexcept { return head_; }
  /// How many items are ahead of it, lost ones included.
  [[nodiscard]] std::uint64_t lag(reader const& who) const noexcept {
    return head_ - position(who);
  }

 private:
  /// As if what it gave back lay in the ring.
  [[nodiscard]] static std::uint64_t position(reader const& who) noexcept {
    return who.next_ - who.returned_.size();
  }
  [[nodiscard]] bool take_next(reader& who, Item& item, std::uint64_t& number,
                               std::uint64_t& skipped, woken_list& woken) noexcept {
    if (!who.open_ || lag(who) == 0) return false;
    bool const was_full = lag(who) >= ring_.size();
    if (!who.returned_.empty()) [[unlikely]] {
      number = who.returned_.front_number();
      skipped = who.returned_.front().skipped;
      item = std::move(who.returned_.front().item);
      who.returned_.pop();
    } else {
      skipped = was_full ? head_ - who.next_ - ring_.size() : 0;
      number = who.next_ + skipped;
      item = ring_[number % ring_.size()];
      who.next_ = number + 1;
    }
    who.skipped_ += skipped;
    if (was_full && who.waited_for_) serve_senders(woken);
    return true;
  }
  [[nodiscard]] bool has_room() noexcept {
    if (head_ - floor_ < ring_.size()) return true;
    floor_ = head_;
    readers_.for_each([this](reader& each) {
      if (each.waited_for_ && position(each) < floor_) floor_ = position(each);
    });
    return head_ - floor_ < ring_.size();
  }

  void publish(Item& item, woken_list& woken) noexcept {
    auto& place = ring_[head_ % ring_.size()];
    std::swap(place, item);
    ++head_;
    hungry_.for_each([&](reader& each) {
      ++each.next_;
      hand_over(each, place, head_ - 1, 0, woken);
    });
  }
  /// To the first who waits.
  void hand_over(reader& who, Item item, std::uint64_t number, std::uint64_t skipped,
                 woken_list& woken) noexcept {
    auto& one = static_cast<receive_waiter&>(*who.receives_.pop_front());
    if (who.receives_.empty()) hungry_.remove(who);
    one.item = std::move(item);
    one.number_ = number;
    one.skipped = skipped;
    woken.push_back(one);
  }

  void serve_senders(woken_list& woken) noexcept {
    while (!senders_.empty() && has_room()) {
      auto& one = static_cast<send_waiter&>(*senders_.pop_front());
      publish(one.item, woken);
      woken.push_back(one);
    }
  }

  void end_receives(reader& who, wait_outcome how, woken_list& woken) noexcept {
    if (!who.receives_.empty()) hungry_.remove(who);
    end_all(who.receives_, how, woken);
  }
  void end_sends(wait_outcome how, woken_list& woken) noexcept { end_all(senders_, how, woken); }
  static void end_all(wait_list& list, wait_outcome how, woken_list& woken) noexcept {
    while (waiter* first = list.pop_front()) {
      first->outcome = how;
      woken.push_back(*first);
    }
  }

  std::vector<Item> ring_;
  std::uint64_t head_ = 0;
  std::uint64_t floor_ = 0;  ///< no reader that is waited for is before it
  intrusive_list<reader, all_readers> readers_{};
  intrusive_list<reader, hungry_readers> hungry_{};
  wait_list senders_{};
  bool closed_ = false;
};

}  // namespace tokengate::detail
