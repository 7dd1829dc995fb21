// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/system_executor.hpp>
#include <cstddef>
#include <memory>
#include <utility>

#include "tokengate/channel_options.hpp"
#include "tokengate/impl/receive_end.hpp"
#include "tokengate/impl/send_end.hpp"

namespace tokengate {

template <class T>
class channel;

namespace detail {

/// What all handles of a channel can do.
template <class T>
class channel_handle {
 public:
  /// No more items: sends fail with error::closed, those that wait too, and get their items back.
  /// What is in the channel can still be received; after that, and for those who wait, receives end
  /// with error::closed. Any number of times, from anywhere.
  void close() noexcept { state_->close(); }
  /// Ends all waits with error::cancelled. The channel stays open.
  void cancel() noexcept { state_->cancel_all(); }

  [[nodiscard]] bool closed() const noexcept { return state_->closed(); }
  /// Items that lie in it, a moment ago: more than the capacity when cancelled receives have given
  /// some back.
  [[nodiscard]] std::size_t size() const noexcept { return state_->size(); }
  /// What they cost together, by channel_options::cost; without it their number.
  [[nodiscard]] std::size_t cost() const noexcept { return state_->cost(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] std::size_t capacity() const noexcept { return state_->capacity; }
  /// False after it was moved from, or split; nothing else may then be asked.
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr; }
  /// Where handlers run that have no executor of their own.
  [[nodiscard]] asio::any_io_executor const& get_executor() const noexcept {
    return state_->executor;
  }

 protected:
  channel_handle() = default;
  explicit channel_handle(std::shared_ptr<channel_state<T>> state) noexcept
      : state_(std::move(state)) {}
  ~channel_handle() = default;
  channel_handle(channel_handle const&) = default;
  channel_handle(channel_handle&&) noexcept = default;
  channel_handle& operator=(channel_handle const&) = delete;

  std::shared_ptr<channel_state<T>> state_;
};

}  // namespace detail

/// The sending end of a split channel. Copies are further senders; when the last one is gone, the
/// channel is closed.
/// @par Thread safety  as channel
template <class T>
class sender : public detail::channel_handle<T>, public detail::send_end<T, sender<T>> {
 public:
  sender(sender const& other) noexcept : sender(other.state_) {}
  sender(sender&&) noexcept = default;
  sender& operator=(sender other) noexcept {
    this->state_.swap(other.state_);
    return *this;
  }
  ~sender() {
    // acq_rel: what other senders sent comes before the end.
    if (this->state_ && this->state_->senders.fetch_sub(1, std::memory_order_acq_rel) == 1)
      this->state_->close();
  }

 private:
  friend class channel<T>;
  friend class detail::send_end<T, sender>;
  [[nodiscard]] auto const& sending_state() const noexcept { return this->state_; }
  explicit sender(std::shared_ptr<detail::channel_state<T>> state) noexcept
      : detail::channel_handle<T>(std::move(state)) {
    if (this->state_) this->state_->senders.fetch_add(1, std::memory_order_relaxed);
  }
};

/// The receiving end of a split channel. Copies are further receivers, each item goes to one of
/// them; when the last one is gone, the channel is closed and what is left in it is destroyed.
/// @par Thread safety  as channel
template <class T>
class receiver : public detail::channel_handle<T>, public detail::receive_end<T, receiver<T>> {
 public:
  receiver(receiver const& other) noexcept : receiver(other.state_) {}
  receiver(receiver&&) noexcept = default;
  receiver& operator=(receiver other) noexcept {
    this->state_.swap(other.state_);
    return *this;
  }
  ~receiver() {
    if (!this->state_ || this->state_->receivers.fetch_sub(1, std::memory_order_acq_rel) != 1)
      return;
    this->state_->close();
    while (this->try_receive()) {
    }
  }

 private:
  friend class channel<T>;
  friend class detail::receive_end<T, receiver>;
  [[nodiscard]] auto const& receiving_state() const noexcept { return this->state_; }
  explicit receiver(std::shared_ptr<detail::channel_state<T>> state) noexcept
      : detail::channel_handle<T>(std::move(state)) {
    if (this->state_) this->state_->receivers.fetch_add(1, std::memory_order_relaxed);
  }
};

/// A bounded queue of items between coroutines, callbacks and threads, on any executors. Each item
/// goes to one receiver; for all of them see broadcast, for the latest value only see watch.
///
/// First in, first out: items, senders that wait for room, and receivers that wait for items.
/// Nobody is overtaken, by a try_ function neither. Ownership moves, nothing is copied. A send that
/// fails still has its item, a receive that fails took none: an item that was on its way to a
/// receive that is cancelled goes to the next receiver, before all that came after it. Others may
/// have got later ones meanwhile, and a receiver that was told of the end may find such an item.
///
/// @par Thread safety  any thread, any number at a time; one_to_one: one call of each end at a
/// time.
///                  The handle itself is moved and destroyed by one
/// @par Lifetime    when the channel, or all handles of one end, are gone, it is closed; operations
///                  keep what they need
/// @par Cost        all memory for the items at construction, then nothing but recycled blocks for
///                  operations
/// @par Example     example/12_thread_feeds_loop.cpp
template <class T>
class channel : public detail::channel_handle<T>,
                public detail::send_end<T, channel<T>>,
                public detail::receive_end<T, channel<T>> {
 public:
  /// `executor` is for handlers that have none of their own.
  /// @par Errors  std::invalid_argument: see channel_options::max_cost
  channel(asio::any_io_executor executor, channel_options<T> const& options)
      : channel(detail::make_channel_state(std::move(executor), options)) {}
  channel(asio::any_io_executor executor, std::size_t capacity)
      : channel(std::move(executor), channel_options<T>{capacity}) {}
  /// Handlers without an executor run on the system's threads: for threads and coroutines, which
  /// bring their own.
  explicit channel(channel_options<T> const& options) : channel(asio::system_executor(), options) {}
  explicit channel(std::size_t capacity) : channel(channel_options<T>{capacity}) {}

  channel(channel&&) noexcept = default;
  channel& operator=(channel&& other) noexcept {
    this->state_.swap(other.state_);
    receiving_.swap(other.receiving_);
    return *this;
  }
  ~channel() {
    if (this->state_) this->state_->close();
  }

  /// Gives the channel up for its two ends.
  [[nodiscard]] std::pair<sender<T>, receiver<T>> split() && noexcept {
    return {sender<T>(std::exchange(this->state_, nullptr)),
            receiver<T>(std::exchange(receiving_, nullptr))};
  }

 private:
  friend class detail::send_end<T, channel>;
  friend class detail::receive_end<T, channel>;
  using state_pointer = std::shared_ptr<detail::channel_state<T>>;

  explicit channel(state_pointer const& state)
      : detail::channel_handle<T>(detail::counted_anew(state)),
        receiving_(detail::counted_anew(state)) {}

  [[nodiscard]] state_pointer const& sending_state() const noexcept { return this->state_; }
  [[nodiscard]] state_pointer const& receiving_state() const noexcept { return receiving_; }

  /// The same state, counted apart: the two ends are often on two threads, and each operation keeps
  /// the state.
  state_pointer receiving_;
};

}  // namespace tokengate
