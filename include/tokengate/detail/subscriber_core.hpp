// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <utility>

#include "tokengate/detail/event_base.hpp"
#include "tokengate/detail/event_ring.hpp"
#include "tokengate/detail/returned_items.hpp"
#include "tokengate/event_bus_options.hpp"

namespace tokengate::detail {

/// A reader of a stream that waits for an event.
struct stream_reader : waiter {
  using waiter::waiter;
  /// The event leaves for its handler. Only now its publisher hears that it was handled: until then
  /// the reader may give it back.
  [[nodiscard]] event_ref take() noexcept {
    event_ref taken(std::exchange(event, nullptr));
    if (taken && taken->ledger.tracks_ends())
      if (waiter* const publisher = taken->ledger.ended(delivery_end::handled, nullptr))
        publisher->resume();
    return taken;
  }
  event_base* event = nullptr;  ///< with its reference, when the outcome is `done`
  std::uint64_t ticket = 0;     ///< which one of those that readers took
};

/// What a subscription counts. offered = handled + failed + dropped + undelivered + those that are
/// queued, held or running. All durations in ticks.
struct subscriber_counts {
  std::uint64_t offered = 0;
  std::uint64_t handled = 0;
  std::uint64_t failed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t undelivered = 0;
  std::uint64_t calls = 0;    ///< of the handler, that have returned or thrown
  std::uint64_t lag_sum = 0;  ///< from publishing to the start of the handler
  std::uint64_t lag_max = 0;
  std::uint64_t run_sum = 0;  ///< inside the handler
  std::uint64_t run_max = 0;
};

/// Decides what one subscription takes, when its handler is started, and what is dropped.
///
/// Not thread-safe: everything happens under the lock of the subscription. What is left to do
/// without the lock is added to an aftermath.
///
/// Invariants
///  - FIFO: queue, then the publishers that are held back, oldest first. An offer never overtakes a
///    publisher that is held back.
///  - size + reserved <= capacity, but for what readers gave back: that is first in the queue, and
///    while there is more than the capacity nothing is taken in. Somebody is held back only with
///    full_policy::wait and a full queue; a reader waits only while the queue is empty.
///  - `scheduled`: exactly one runner (a turn of a loop, a token, an issuing thread) is on its way
///  or
///    at work, and it is the only one to call take(). While events are queued, the subscription is
///    not ended and fewer than `concurrency` handlers run, somebody is scheduled. Not for streams.
///  - After end() no take() gives an event.
class subscriber_core {
 public:
  static constexpr std::uint32_t no_handler = 0;  ///< concurrency of a stream: readers come for it

  subscriber_core(std::size_t capacity, full_policy when_full, std::uint32_t concurrency) noexcept
      : capacity_(when_full == full_policy::latest ? 1
                  : capacity == 0                  ? 1
                                                   : capacity),
        concurrency_(concurrency),
        when_full_(when_full) {}

  enum class taken : std::uint8_t {
    accepted,
    full,          ///< nothing happened: hold() or refuse()
    dropped,       ///< the new one went
    disconnected,  ///< that was one too many: the subscription takes no more
    closed         ///< it takes no more: nothing happened
  };
  struct offer_result {
    taken what;
    bool wake = false;  ///< somebody has to run it: the caller
  };

  /// Offers an event, with one reference where it is accepted; the caller keeps it else.
  /// `reserved`: against a place taken by reserve().
  [[nodiscard]] offer_result offer(event_base& event, bool reserved, aftermath& after) noexcept;
  /// After `full`: the publisher is held back. The reference goes with it.
  void hold(held_delivery& publisher) noexcept;
  /// After `full`: the event is dropped.
  void refuse() noexcept {
    ++counts_.offered;
    ++counts_.dropped;
  }

  /// Takes a place for an offer to come. `full` when it would be held back; no place is needed
  /// where it would be dropped or refused.
  enum class reservation : std::uint8_t { made, full, not_needed };
  [[nodiscard]] reservation reserve() noexcept;
  /// True when somebody has to run it.
  [[nodiscard]] bool unreserve(aftermath& after) noexcept;

  /// A publisher that is held back gives up. False: its event was taken, or refused, already.
  [[nodiscard]] bool cancel(held_delivery& publisher, aftermath& after) noexcept;

  /// The runner's next event; null and not scheduled any more when there is none to handle now.
  [[nodiscard]] event_base* take(aftermath& after) noexcept;
  /// The handler that got the event is at its end. True when somebody has to run the subscription.
  [[nodiscard]] bool finish(event_base& event, bool well, std::exception_ptr error,
                            std::uint64_t lag, std::uint64_t run, aftermath& after) noexcept;
  /// The runner goes without looking again: true when somebody else has to run.
  [[nodiscard]] bool rest() noexcept;
  /// No runner could be made: the next offer asks for one again.
  void unschedule() noexcept { scheduled_ = false; }
  /// The handler of an event that was taken a while ago is about to be called. False: the
  /// subscription has ended since, and the event is given up.
  [[nodiscard]] bool begin(event_base& event, aftermath& after) noexcept;

  /// A reader's next event. True: decided at once, its outcome is set.
  [[nodiscard]] bool read(stream_reader& reader, aftermath& after) noexcept;
  [[nodiscard]] event_base* try_read(aftermath& after) noexcept;
  [[nodiscard]] bool cancel(stream_reader& reader) noexcept;
  /// Takes the event back from a reader that has not been told of it: a reader that waits gets it,
  /// else it is the first in the queue. (With full_policy::latest it goes if there is a newer one.)
  /// False: there is none, nothing is delivered any more, or there is no memory.
  [[nodiscard]] bool retract(stream_reader& reader, aftermath& after) noexcept;

  /// Takes nothing more; what is queued is handled. Publishers that are held back are let go.
  void close(aftermath& after) noexcept;
  /// Nothing is started any more; what is queued is given up.
  void end(aftermath& after) noexcept;
  /// Waits until it is over(). True: it is. Not for streams: a reader may give its event back.
  [[nodiscard]] bool when_idle(waiter& by) noexcept;
  [[nodiscard]] bool cancel(waiter& by) noexcept;

  [[nodiscard]] bool closed() const noexcept { return state_ != state::open; }
  [[nodiscard]] bool ended() const noexcept { return state_ == state::ended; }
  [[nodiscard]] bool disconnected() const noexcept { return disconnected_; }
  /// It takes nothing more, nothing is queued, and no handler runs.
  [[nodiscard]] bool over() const noexcept { return closed() && queued() == 0 && running_ == 0; }
  [[nodiscard]] bool scheduled() const noexcept { return scheduled_; }
  [[nodiscard]] std::size_t queued() const noexcept { return beside_ + queue_.size(); }
  [[nodiscard]] std::size_t held() const noexcept { return held_.size(); }
  [[nodiscard]] std::size_t reading() const noexcept { return readers_.size(); }
  [[nodiscard]] std::uint32_t running() const noexcept { return running_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::uint32_t concurrency() const noexcept { return concurrency_; }
  [[nodiscard]] full_policy when_full() const noexcept { return when_full_; }
  [[nodiscard]] subscriber_counts const& counts() const noexcept { return counts_; }
  /// The oldest event that waits; null when none does.
  [[nodiscard]] event_base const* oldest() const noexcept {
    if (beside_ != 0) return returned_.front();
    return queue_.empty() ? nullptr : &queue_.front();
  }

 private:
  enum class state : std::uint8_t { open, closing, ended };

  [[nodiscard]] bool has_room() const noexcept { return queued() + reserved_ < capacity_; }
  [[nodiscard]] bool schedule() noexcept;
  void push(event_base& event, aftermath& after) noexcept;
  void wake_idle(aftermath& after) noexcept {
    while (over() && !idle_waiters_.empty()) after.wake(idle_waiters_.pop_front());
  }
  void admit_held(aftermath& after) noexcept;
  void let_go(held_delivery& publisher, aftermath& after) noexcept;
  event_base& pop(aftermath& after) noexcept;
  event_base& pop_oldest() noexcept {
    if (beside_ == 0) return queue_.pop();
    event_base& event = *returned_.front();
    returned_.pop();
    --beside_;
    return event;
  }
  void give(waiter& to, event_base& event, std::uint64_t ticket, aftermath& after) noexcept;
  [[nodiscard]] event_base* fetch(std::uint64_t& ticket, aftermath& after) noexcept;

  event_ring queue_;
  std::size_t const capacity_;
  std::size_t reserved_ = 0;
  std::size_t beside_ = 0;  ///< in returned_
  intrusive_list<held_delivery> held_;
  intrusive_list<waiter> readers_;
  intrusive_list<waiter> idle_waiters_;
  std::uint32_t const concurrency_;
  std::uint32_t running_ = 0;
  full_policy const when_full_;
  state state_ = state::open;
  bool scheduled_ = false;
  bool disconnected_ = false;
  subscriber_counts counts_{};
  // Of a stream: what its readers gave back, which comes before the queue.
  returned_items<event_base*> returned_{};
  std::uint64_t fetched_ = 0;  ///< by readers
};

}  // namespace tokengate::detail
