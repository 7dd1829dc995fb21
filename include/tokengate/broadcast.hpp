// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "tokengate/impl/broadcast_wait.hpp"

namespace tokengate {

/// What a broadcast does about a reader that is too slow.
enum class lag_policy : std::uint8_t {
  wait,  ///< it is waited for: when it is the whole capacity behind, senders wait
  skip   ///< it loses the oldest items, and is told how many
};

/// Where a reader begins that joins late.
enum class join_at : std::uint8_t {
  next,   ///< with the next item that is sent
  oldest  ///< with the oldest that the ring still has
};

/// An item as a reader gets it: shared by all readers, and immutable. Refers to nothing beside an
/// error.
template <class T>
struct broadcast_item {
  std::shared_ptr<T const> value{};
  std::uint64_t skipped = 0;  ///< items that this reader lost right before this one

  [[nodiscard]] T const& operator*() const noexcept { return *value; }
  [[nodiscard]] T const* operator->() const noexcept { return value.get(); }
  [[nodiscard]] explicit operator bool() const noexcept { return value != nullptr; }
};

/// One ring that many readers go through, each at its own pace; each sees every item. For one
/// reader per item take a channel, for only the latest a watch, for topics and handlers the
/// event_bus.
///
/// Nothing is copied: all readers share the item. The ring keeps the last `capacity` items, read or
/// not, until others take their place. Without a reader, items are sent all the same.
///
/// Its end closes it: readers get what was sent before, then error::closed.
/// @par Thread safety  any thread, all functions
template <class T>
class broadcast {
 public:
  using executor_type = asio::any_io_executor;
  using item_type = std::shared_ptr<T const>;
  using completion_signature = void(std::exception_ptr);
  class reader;

  broadcast(asio::any_io_executor const& executor, std::size_t capacity)
      : state_(std::make_shared<detail::broadcast_state<T>>(executor, capacity)) {}
  template <detail::execution_context_type Context>
  broadcast(Context& context, std::size_t capacity) : broadcast(context.get_executor(), capacity) {}
  broadcast(broadcast const&) = delete;
  broadcast& operator=(broadcast const&) = delete;
  ~broadcast() { close(); }

  /// Where handlers run that have no executor of their own.
  [[nodiscard]] executor_type const& get_executor() const noexcept { return state_->executor; }

  /// Sends an item, not null, to all readers. Senders that wait are served in their order.
  /// @par Completion signature  void(std::exception_ptr)
  /// @par Completes with  success, once it is in the ring; error::closed, error::cancelled,
  ///                  error::timed_out: nobody gets it. Who wants it back sends a shared_ptr
  /// @par Executor    the handler's associated executor, else the broadcast's; never inside this
  /// call
  /// @par Cancellation  all types: the wait for room is given up
  /// @par Lifetime    none: the operation keeps what it needs
  /// @par Cost        one block for the item and one for the operation, from a recycled pool or the
  ///                  handler's allocator; readers that wait are woken; a full ring asks every
  ///                  reader
  [[nodiscard]] auto async_send(item_type item) {
    return detail::lazy_wait<completion_signature, detail::broadcast_send_waiter<T>,
                             detail::broadcast_state<T>, item_type>(state_, state_->executor,
                                                                    std::move(item));
  }
  [[nodiscard]] auto async_send(T item) { return async_send(share(std::move(item))); }
  template <std::convertible_to<item_type> Item,
            asio::completion_token_for<completion_signature> CompletionToken>
  auto async_send(Item&& item, CompletionToken&& token) {
    return async_send(item_type(std::forward<Item>(item)))(std::forward<CompletionToken>(token));
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_send(T item, CompletionToken&& token) {
    return async_send(share(std::move(item)))(std::forward<CompletionToken>(token));
  }

  /// Sends if there is room and no sender waits.
  [[nodiscard]] bool try_send(item_type item) noexcept {
    return state_->change(
        [&](core& ring, detail::woken_list& woken) { return ring.try_send(item, woken); });
  }
  [[nodiscard]] bool try_send(T item) { return try_send(share(std::move(item))); }

  /// Blocks a plain thread or a worker until there is room.
  /// @par Errors  system_error: error::would_deadlock on a loop thread, error::timed_out,
  ///              error::closed, error::cancelled
  void send(item_type item, std::chrono::nanoseconds timeout = detail::wait_forever) {
    detail::thread_waiter<detail::broadcast_send_waiter<T>> self(std::move(item));
    detail::wait_on_thread(*state_, self, timeout, detail::may_block::workers_too);
    if (self.outcome != detail::wait_outcome::done)
      throw boost::system::system_error(detail::error_of(self.outcome));
  }
  void send(T item, std::chrono::nanoseconds timeout = detail::wait_forever) {
    send(share(std::move(item)), timeout);
  }

  /// A new reader. It may outlive the broadcast.
  [[nodiscard]] reader subscribe(lag_policy lag = lag_policy::wait, join_at at = join_at::next) {
    return reader(std::make_shared<detail::broadcast_view<T>>(state_, lag == lag_policy::wait,
                                                              at == join_at::oldest));
  }

  /// Gives up all senders that wait now, with error::cancelled.
  void cancel() noexcept {
    state_->change([](core& ring, detail::woken_list& woken) { ring.cancel_sends(woken); });
  }
  /// Takes no more items: error::closed for senders, and for readers that have read all.
  void close() noexcept {
    state_->change([](core& ring, detail::woken_list& woken) { ring.close(woken); });
  }

  /// Takes no more items.
  [[nodiscard]] bool closed() const noexcept {
    return state_->look([](core const& ring) { return ring.closed(); });
  }
  [[nodiscard]] std::size_t capacity() const noexcept {
    return state_->look([](core const& ring) { return ring.capacity(); });
  }
  [[nodiscard]] std::size_t readers() const noexcept {
    return state_->look([](core const& ring) { return ring.readers(); });
  }
  /// Items sent so far.
  [[nodiscard]] std::uint64_t sent() const noexcept {
    return state_->look([](core const& ring) { return ring.sent(); });
  }

 private:
  using core = detail::broadcast_ring<T>;
  static item_type share(T&& item) {
    return std::allocate_shared<T>(detail::block_allocator<T>{}, std::move(item));
  }
  std::shared_ptr<detail::broadcast_state<T>> const state_;
};

/// The end of a broadcast that reads. Its end gives up its receives with error::closed, and nobody
/// waits for it any more. Move-only.
/// @par Thread safety  one thread at a time; the broadcast and other readers any thread meanwhile
template <class T>
class [[nodiscard]] broadcast<T>::reader {
 public:
  using completion_signature = void(std::exception_ptr, broadcast_item<T>);

  reader(reader&&) noexcept = default;
  reader& operator=(reader&& other) noexcept {
    if (this != &other) {
      leave();
      view_ = std::move(other.view_);
    }
    return *this;
  }
  ~reader() { leave(); }

  /// Waits for the next item.
  /// @par Completion signature  void(std::exception_ptr, broadcast_item<T>)
  /// @par Completes with  the item, and how many were lost before it; error::closed when there is
  ///                  none and never will be, error::cancelled, error::timed_out
  /// @par Executor    the handler's associated executor, else the broadcast's; never inside this
  /// call
  /// @par Cancellation  all types: the wait is given up and takes no item; one that was on its way
  ///                  is the next that this reader gets. Beside another one that was given back it
  ///                  needs memory for that: without it, the receive completes with its item
  /// @par Lifetime    none: the operation keeps what it needs
  /// @par Cost        one block from a recycled pool or the handler's allocator; constant time
  [[nodiscard]] auto async_receive() {
    return detail::lazy_wait<completion_signature,
                             detail::broadcast_receive_waiter<T, broadcast_item<T>>,
                             detail::broadcast_view<T>>(view_, view_->of->executor);
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_receive(CompletionToken&& token) {
    return async_receive()(std::forward<CompletionToken>(token));
  }

  /// The next item if there is one; else an empty one.
  [[nodiscard]] broadcast_item<T> try_receive() noexcept {
    broadcast_item<T> got;
    static_cast<void>(view_->of->change([&](core& ring, detail::woken_list& woken) {
      return ring.try_receive(view_->node, got.value, got.skipped, woken);
    }));
    return got;
  }

  /// Blocks a plain thread or a worker for the next item.
  /// @par Errors  as broadcast::send
  [[nodiscard]] broadcast_item<T> receive(std::chrono::nanoseconds timeout = detail::wait_forever) {
    detail::thread_waiter<detail::broadcast_receive_waiter<T, broadcast_item<T>>> self;
    detail::wait_on_thread(*view_, self, timeout, detail::may_block::workers_too);
    if (self.outcome != detail::wait_outcome::done)
      throw boost::system::system_error(detail::error_of(self.outcome));
    return {std::move(self.item), self.skipped};
  }

  /// Gives up its receives with error::cancelled. Any thread.
  void cancel() noexcept {
    view_->of->change([this](core& ring, detail::woken_list& woken) {
      ring.cancel_receives(view_->node, woken);
    });
  }

  /// No more items are sent: what is ahead of it can still be received. Who polls asks before
  /// try_receive(): if it was closed, and then there was nothing, there never will be.
  [[nodiscard]] bool closed() const noexcept {
    return view_->of->look([](core const& ring) { return ring.closed(); });
  }
  /// How many items are ahead of it. At most the capacity, unless some are lost already or were
  /// given back by cancelled receives.
  [[nodiscard]] std::uint64_t lag() const noexcept {
    return view_->of->look([this](core const& ring) { return ring.lag(view_->node); });
  }
  /// Items lost since it joined, as far as it has been told.
  [[nodiscard]] std::uint64_t skipped() const noexcept {
    return view_->of->look([this](core const&) { return view_->node.skipped(); });
  }

 private:
  friend class broadcast;
  explicit reader(std::shared_ptr<detail::broadcast_view<T>> view) noexcept
      : view_(std::move(view)) {}
  void leave() noexcept {
    if (view_) view_->leave();
  }

  std::shared_ptr<detail::broadcast_view<T>> view_;
};

}  // namespace tokengate
