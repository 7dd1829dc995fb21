// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/watch_core.hpp"
#include "tokengate/impl/core_state.hpp"
#include "tokengate/impl/lazy_wait.hpp"
#include "tokengate/impl/thread_wait.hpp"

namespace tokengate {

namespace detail {

template <class T>
using watch_state = core_state<watch_core<std::shared_ptr<T const>>>;

/// What one reader has seen. `seen` and `skipped` are guarded by the mutex of the state.
template <class T>
struct watch_view {
  using value = std::shared_ptr<T const>;
  using core = watch_core<value>;

  [[nodiscard]] bool start(typename core::change_waiter& one) noexcept {
    return of->change([&](core& watched, woken_list&) { return watched.wait(one, seen); });
  }
  [[nodiscard]] bool cancel(typename core::change_waiter& one) noexcept {
    return of->change([&](core& watched, woken_list&) { return watched.cancel(one); });
  }
  /// The value counts as seen with the call of the handler, and not before.
  [[nodiscard]] bool retract(typename core::change_waiter& one) noexcept {
    return of->look([&](core const& watched) { return watched.retract(one); });
  }
  [[nodiscard]] value take() noexcept {
    return of->change([&](core& watched, woken_list&) {
      auto const latest = watched.version();
      if (latest != seen) skipped += latest - seen - 1;
      seen = latest;
      return watched.item();
    });
  }

  std::shared_ptr<watch_state<T>> of;
  std::uint64_t seen = 0;
  std::uint64_t skipped = 0;
};

template <class T>
class watch_waiter : public watch_view<T>::core::change_waiter {
 public:
  watch_waiter(waiter::resume_function resume, std::shared_ptr<watch_view<T>> view) noexcept
      : watch_view<T>::core::change_waiter(resume), view_(std::move(view)) {}

  template <class F>
  void complete(F&& finish) {
    auto failed = exception_of(this->outcome);
    auto latest = failed ? nullptr : view_->take();
    std::move(finish)(std::move(failed), std::move(latest));
  }
  [[nodiscard]] std::shared_ptr<T const> take() noexcept { return view_->take(); }

 protected:
  ~watch_waiter() = default;

 private:
  std::shared_ptr<watch_view<T>> view_;
};

}  // namespace detail

/// The latest value of something, and waiting for it to change: configuration, a state, a price.
/// What comes in between is passed over; to see every item take a broadcast. Values are immutable
/// and shared, never copied.
///
/// Its end closes it: readers get what they have not seen, then error::closed.
/// @par Thread safety  any thread, all functions
template <class T>
class watch {
 public:
  using executor_type = asio::any_io_executor;
  using value_type = std::shared_ptr<T const>;
  class reader;

  explicit watch(asio::any_io_executor const& executor, T first = T())
      : state_(std::make_shared<detail::watch_state<T>>(executor, share(std::move(first)))) {}
  template <detail::execution_context_type Context>
  explicit watch(Context& context, T first = T())
      : watch(context.get_executor(), std::move(first)) {}
  watch(watch const&) = delete;
  watch& operator=(watch const&) = delete;
  ~watch() { close(); }

  /// Where handlers run that have no executor of their own.
  [[nodiscard]] executor_type const& get_executor() const noexcept { return state_->executor; }

  /// Puts a new value in place, not null, and tells the readers. Nothing after close().
  /// @par Cost  one block from a recycled pool; those who wait are woken
  void set(T value) { set(share(std::move(value))); }
  void set(value_type value) noexcept {
    state_->change([&](core& watched, detail::woken_list& woken) { watched.set(value, woken); });
  }
  /// The latest value.
  [[nodiscard]] value_type get() const noexcept {
    return state_->look([](core const& watched) { return watched.item(); });
  }

  /// A reader that has seen the current value.
  [[nodiscard]] reader subscribe() const { return reader(state_); }

  /// Gives up all who wait now, with error::cancelled.
  void cancel() noexcept {
    state_->change([](core& watched, detail::woken_list& woken) { watched.cancel_all(woken); });
  }
  /// No more changes: readers get what they have not seen, then error::closed.
  void close() noexcept {
    state_->change([](core& watched, detail::woken_list& woken) { watched.close(woken); });
  }
  [[nodiscard]] bool closed() const noexcept {
    return state_->look([](core const& watched) { return watched.closed(); });
  }

 private:
  using core = typename detail::watch_view<T>::core;
  static value_type share(T&& value) {
    return std::allocate_shared<T>(detail::block_allocator<T>{}, std::move(value));
  }
  std::shared_ptr<detail::watch_state<T>> const state_;
};

/// One party that watches, and knows what it has seen. Copies have seen the same, and go their own
/// way from there. It may outlive the watch.
/// @par Thread safety  one thread at a time; the watch and other readers any thread meanwhile
template <class T>
class watch<T>::reader {
 public:
  using completion_signature = void(std::exception_ptr, value_type);

  reader(reader const& other)
      : view_(std::make_shared<detail::watch_view<T>>(
            other.view_->of->look([&](core const&) { return *other.view_; }))) {}
  reader& operator=(reader const& other) {
    if (this != &other) *this = reader(other);
    return *this;
  }
  reader(reader&&) noexcept = default;
  reader& operator=(reader&&) noexcept = default;

  /// Waits for a value that this reader has not seen, and gives the latest. One at a time.
  /// @par Completion signature  void(std::exception_ptr, std::shared_ptr<T const>)
  /// @par Completes with  the latest value at the time of the completion, which counts as seen from
  ///                  then on; error::closed when there is none and never will be,
  ///                  error::cancelled, error::timed_out
  /// @par Executor    the handler's associated executor, else the watch's; never inside this call
  /// @par Cancellation  all types: the wait is given up, nothing counts as seen
  /// @par Lifetime    none: the operation keeps what it needs
  /// @par Cost        one block from a recycled pool or the handler's allocator; constant time
  [[nodiscard]] auto async_changed() {
    return detail::lazy_wait<completion_signature, detail::watch_waiter<T>, detail::watch_view<T>,
                             std::shared_ptr<detail::watch_view<T>>>(view_, view_->of->executor,
                                                                     view_);
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_changed(CompletionToken&& token) {
    return async_changed()(std::forward<CompletionToken>(token));
  }

  /// Whether there is a value that this reader has not seen.
  [[nodiscard]] bool has_changed() const noexcept {
    return view_->of->look([this](core const& of) { return of.version() != view_->seen; });
  }
  /// There are no more changes. Who polls asks before has_changed(): if it was closed, and then
  /// there was nothing new, there never will be.
  [[nodiscard]] bool closed() const noexcept {
    return view_->of->look([](core const& of) { return of.closed(); });
  }
  /// The latest value; it does not count as seen.
  [[nodiscard]] value_type get() const noexcept {
    return view_->of->look([](core const& of) { return of.item(); });
  }
  /// The latest value, which counts as seen.
  [[nodiscard]] value_type get_and_mark_seen() noexcept { return view_->take(); }

  /// Values that were replaced before this reader saw them, since it subscribed, as far as it has
  /// been told: counted with the next value that it sees. A copy begins with as many.
  [[nodiscard]] std::uint64_t skipped() const noexcept {
    return view_->of->look([this](core const&) { return view_->skipped; });
  }

  /// Blocks a plain thread or a worker until there is one that it has not seen.
  /// @par Errors  system_error: error::would_deadlock on a loop thread, error::timed_out,
  ///              error::closed, error::cancelled
  [[nodiscard]] value_type changed(std::chrono::nanoseconds timeout = detail::wait_forever) {
    detail::thread_waiter<detail::watch_waiter<T>> self(view_);
    detail::wait_on_thread(*view_, self, timeout, detail::may_block::workers_too);
    if (self.outcome == detail::wait_outcome::done) return self.take();
    throw boost::system::system_error(detail::error_of(self.outcome));
  }

 private:
  friend class watch;
  explicit reader(std::shared_ptr<detail::watch_state<T>> const& of)
      : view_(std::make_shared<detail::watch_view<T>>(
            of, of->look([](core const& watched) { return watched.version(); }))) {}

  std::shared_ptr<detail::watch_view<T>> view_;
};

}  // namespace tokengate
