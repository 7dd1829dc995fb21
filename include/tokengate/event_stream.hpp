// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "tokengate/event.hpp"
#include "tokengate/event_bus_snapshot.hpp"
#include "tokengate/impl/bus_state.hpp"
#include "tokengate/impl/lazy_wait.hpp"

namespace tokengate {

namespace detail {

/// A subscriber that nobody runs: its events are fetched.
class stream_subscriber final : public subscriber {
 public:
  explicit stream_subscriber(subscription_options const& options)
      : subscriber(options, {"stream", subscriber_core::no_handler}) {}
  void wake() noexcept override { drop_ref(); }
};

template <class T>
struct next_event_waiter : stream_reader {
  explicit next_event_waiter(resume_function resume) noexcept : stream_reader(resume) {}
  ~next_event_waiter() { static_cast<void>(take()); }  // goes with its context
  template <class Finish>
  void complete(Finish&& finish) {
    tokengate::event<T> got{take()};
    std::exception_ptr error;
    if (outcome == wait_outcome::closed)
      error = make_exception(disconnected ? error::disconnected : error::closed);
    if (outcome == wait_outcome::cancelled) error = make_exception(error::cancelled);
    if (outcome == wait_outcome::timed_out) error = make_exception(error::timed_out);
    std::move(finish)(std::move(error), std::move(got));
  }
  bool disconnected = false;
  bool started = false;    ///< under the subscription's mutex
  bool abandoned = false;  ///< its deadline passed, on another thread, before it was started
};

/// The stream behind its handle, where readers wait.
template <class T>
class stream_state {
 public:
  stream_state(ref<subscriber> who, std::shared_ptr<bus_state> bus, asio::any_io_executor executor)
      : who_(std::move(who)), bus_(std::move(bus)), executor_(std::move(executor)) {}

  [[nodiscard]] subscriber& who() const noexcept { return *who_; }
  [[nodiscard]] asio::any_io_executor const& executor() const noexcept { return executor_.get(); }
  void end() noexcept { bus_core::end(*who_->space, *who_); }

  [[nodiscard]] bool start(next_event_waiter<T>& by) noexcept {
    aftermath after;
    std::lock_guard hold(who_->mutex);
    by.started = true;
    if (by.abandoned) {
      by.outcome = wait_outcome::timed_out;
      return true;
    }
    by.disconnected = who_->core.disconnected();  // never while a reader waits: there is a place
    return who_->core.read(by, after);
  }
  [[nodiscard]] bool cancel(next_event_waiter<T>& by) noexcept {
    std::lock_guard hold(who_->mutex);
    if (!by.started) by.abandoned = true;
    return by.started && who_->core.cancel(by);
  }
  [[nodiscard]] bool retract(next_event_waiter<T>& by) noexcept {
    aftermath after;
    std::lock_guard hold(who_->mutex);
    return who_->core.retract(by, after);
  }
  [[nodiscard]] event<T> try_next() noexcept {
    aftermath after;
    std::lock_guard hold(who_->mutex);
    return event<T>(event_ref(who_->core.try_read(after)));
  }

 private:
  ref<subscriber> who_;
  std::shared_ptr<bus_state> bus_;
  kept_executor executor_;
};

}  // namespace detail

/// A subscription whose events are fetched one by one: `auto e = co_await stream.async_next();`.
/// Its end, as that of a subscription, gives up what is queued. Move-only; made by
/// event_bus::stream().
///
/// @par Thread safety  any thread may call async_next(), try_next(), unsubscribe() and snapshot();
///                  several readers are served in their order, each event goes to one of them
template <class T>
class [[nodiscard("the stream ends with its handle")]] event_stream {
 public:
  using completion_signature = void(std::exception_ptr, event<T>);

  event_stream() = default;
  explicit event_stream(std::shared_ptr<detail::stream_state<T>> state) noexcept
      : state_(std::move(state)) {}
  event_stream(event_stream &&) noexcept = default;
  event_stream& operator=(event_stream&& other) noexcept {
    auto const gone = std::move(*this);
    state_ = std::move(other.state_);
    return *this;
  }
  ~event_stream() {
    unsubscribe();
  }

  /// Waits for the next event.
  /// @par Completion signature  void(std::exception_ptr, event<T>)
  /// @par Completes with  the event. error::closed: the stream or its bus has ended; after close()
  /// of
  ///                  the bus, when what was queued is read. error::disconnected: by
  ///                  full_policy::disconnect, after what was queued. error::cancelled,
  ///                  error::timed_out: nothing was taken
  /// @par Executor    the handler's associated executor, else the stream's; never inside this call
  /// @par Cancellation  all types: the wait is given up and takes no event; one that is on its way
  ///                  to the handler goes to a reader that waits, or is again the first in the
  ///                  queue, which may then hold more than its capacity (with full_policy::latest
  ///                  it goes if there is a newer one). It comes all the same when the stream has
  ///                  ended, or when there is no memory to keep it beside another one
  /// @par Lifetime    none: the operation keeps what it needs
  /// @par Cost        one block from a recycled pool or the handler's allocator
  [[nodiscard]] auto async_next() const {
    return detail::lazy_wait<completion_signature, detail::next_event_waiter<T>,
                             detail::stream_state<T>>(state_, state_->executor());
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_next(CompletionToken && token) const {
    return async_next()(std::forward<CompletionToken>(token));
  }

  /// The next event if one is queued; else an empty one.
  [[nodiscard]] event<T> try_next() const noexcept {
    return state_->try_next();
  }

  /// Ends the stream: readers that wait get error::closed.
  void unsubscribe() const noexcept {
    if (state_ != nullptr) state_->end();
  }
  [[nodiscard]] bool valid() const noexcept {
    return state_ != nullptr;
  }
  /// Its books, also after its end.
  [[nodiscard]] subscription_snapshot snapshot() const {
    return detail::snapshot_of(state_->who(), state_->who().pattern);
  }

 private:
  std::shared_ptr<detail::stream_state<T>> state_;
};

}  // namespace tokengate
