// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <type_traits>
#include <utility>

#include "tokengate/detail/subscriber.hpp"
#include "tokengate/detail/tick_clock.hpp"
#include "tokengate/event.hpp"
#include "tokengate/impl/is_awaitable.hpp"

namespace tokengate {

/// A handler with a key: on a gate, events with the same key are handled one after another in the
/// order of their publication, others beside each other. See by_key().
template <class Key, class Handler>
struct keyed_handler {
  Key key;
  Handler handler;
};

/// Gives a handler a key: `key(event)` is an integer or anything that std::hash knows. It is called
/// on the thread that publishes, so it is short; what it throws counts as thrown by the handler.
template <class Key, class Handler>
[[nodiscard]] keyed_handler<std::decay_t<Key>, std::decay_t<Handler>> by_key(Key&& key,
                                                                             Handler&& handler) {
  return {std::forward<Key>(key), std::forward<Handler>(handler)};
}

namespace detail {

/// Where errors of a handler go when its subscription has no sink: the log, at level error.
void log_handler_error(subscriber const& of, std::exception_ptr const& error) noexcept;
struct log_sink {};

template <class T, class Function>
concept event_function = std::invocable<Function&, T const&> || std::invocable < Function&,
        event<T>
const& > ;

template <class T, class Function>
struct event_result : std::invoke_result<Function&, event<T> const&> {};
template <class T, class Function>
requires std::invocable<Function&, T const&>
struct event_result<T, Function> : std::invoke_result<Function&, T const&> {
};
template <class T, class Function>
using event_result_t = typename event_result<T, Function>::type;

/// Tells the sink of a subscription, which must not throw.
template <class Sink>
void tell_sink(Sink& sink, subscriber const& of, std::exception_ptr const& error) noexcept {
  if constexpr (std::same_as<Sink, log_sink>) {
    (void)sink;
    log_handler_error(of, error);
  } else {
    try {
      std::invoke(sink, error);
    } catch (...) {
      log_handler_error(of, std::current_exception());
    }
  }
}

/// One event in the hands of a handler: from take() of the core to finish(). Where it goes without
/// an end, because its context went away, it counts as failed. Whoever has it owns a reference to
/// the subscriber, and lets it go later.
class handling {
 public:
  handling() = default;
  handling(subscriber& of, event_base* event) noexcept
      : of_(&of), event_(event), started_(tick_clock::now()) {}
  handling(handling&& other) noexcept
      : of_(other.of_), event_(std::exchange(other.event_, nullptr)), started_(other.started_) {}
  handling& operator=(handling&& other) noexcept {
    std::swap(of_, other.of_);
    std::swap(event_, other.event_);
    std::swap(started_, other.started_);
    return *this;
  }
  ~handling() {
    if (event_ != nullptr) finish(false, nullptr);
  }

  explicit operator bool() const noexcept { return event_ != nullptr; }
  [[nodiscard]] event_base& event() const noexcept { return *event_; }
  /// It was taken a while ago; the handler starts now. False: the subscription has ended since, and
  /// the event is given up.
  [[nodiscard]] bool start_now() noexcept {
    started_ = tick_clock::now();
    aftermath after;
    std::lock_guard hold(of_->mutex);
    if (of_->core.begin(*event_, after)) return true;
    event_ = nullptr;
    return false;
  }

  void finish(bool well, std::exception_ptr error) noexcept {
    aftermath after;
    bool wake = false;
    {
      std::lock_guard hold(of_->mutex);
      wake = finish(well, error, after);  // a copy: the last one goes without the lock
    }
    if (wake) ref<subscriber>(of_).release()->wake();
  }
  /// The runner goes on with the next event, if there is one; else it is not scheduled any more.
  void finish_and_take(bool well, std::exception_ptr error) noexcept {
    aftermath after;
    std::lock_guard hold(of_->mutex);
    (void)finish(well, error, after);  // a runner is here: nobody else has to come
    event_ = of_->core.take(after);
    // The end of one handler is the start of the next.
  }

 private:
  [[nodiscard]] bool finish(bool well, std::exception_ptr const& error, aftermath& after) noexcept {
    event_base& event = *std::exchange(event_, nullptr);
    auto const lag = tick_clock::elapsed(of_->due(event), started_);
    auto const now = tick_clock::now();
    auto const run = tick_clock::elapsed(std::exchange(started_, now), now);
    return of_->core.finish(event, well, error, lag, run, after);
  }

  subscriber* of_ = nullptr;
  event_base* event_ = nullptr;
  std::uint64_t started_ = 0;
};

/// The runner's next event; without one when it is not scheduled any more.
[[nodiscard]] inline handling take_next(subscriber& from) noexcept {
  aftermath after;
  std::unique_lock hold(from.mutex);
  event_base* const next = from.core.take(after);
  hold.unlock();
  return {from, next};
}

/// A subscriber with its handler and sink.
template <class T, class Base, class Handler, class Sink>
class handling_subscriber : public Base {
 public:
  template <class... Args>
  handling_subscriber(Handler&& handler, Sink&& sink, Args&&... args)
      : Base(std::forward<Args>(args)...), handler_(std::move(handler)), sink_(std::move(sink)) {}

 protected:
  /// Calls the handler; gives what it throws, when the sink has heard of it.
  [[nodiscard]] std::exception_ptr call(event_base& event) noexcept {
    try {
      call_handler(event);
      return nullptr;
    } catch (...) {
      return report(std::current_exception());
    }
  }
  /// The handler's result.
  decltype(auto) call_handler(event_base& event) {
    if constexpr (std::invocable<Handler&, T const&>)
      return std::invoke(handler_, std::as_const(static_cast<event_block<T>&>(event).value));
    else
      return std::invoke(handler_, shared(event));
  }
  [[nodiscard]] static tokengate::event<T> shared(event_base& event) noexcept {
    event.add_refs();
    return tokengate::event<T>(event_ref(&event));
  }
  [[nodiscard]] std::exception_ptr report(std::exception_ptr error) noexcept {
    tell_sink(sink_, *this, error);
    return error;
  }

  Handler handler_;
  Sink sink_;
};

}  // namespace detail
}  // namespace tokengate
