// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "tokengate/impl/channel_wait.hpp"
#include "tokengate/impl/lazy_wait.hpp"
#include "tokengate/impl/thread_wait.hpp"

namespace tokengate::detail {

/// The receiving functions of channel<T> and receiver<T>.
template <class T, class Handle>
class receive_end {
  using receive_signature = void(std::exception_ptr, value_of_t<T>);
  using some_signature = void(std::exception_ptr, std::size_t);

 public:
  /// Receives the oldest item. For many at a time see async_receive_some(). With a completion token
  /// as the last argument, or without one as a lazy operation: `T x = co_await
  /// in.async_receive();`.
  /// @par Completion signature  void(std::exception_ptr, T), or of std::optional<T> for a T without
  ///                  default constructor
  /// @par Completes with  the item; error::closed when the channel is closed and nothing is left in
  ///                  it; error::cancelled; error::timed_out
  /// @par Executor    the handler's associated executor, else the channel's; never inside this call
  /// @par Cancellation  terminal, partial, total: nothing was taken. If an item was on its way to
  ///                  the handler, it goes to a receiver that waits, or back before all that came
  ///                  after it; other receivers may have got later ones meanwhile. It needs memory
  ///                  only beside another one that was given back: without it, the receive
  ///                  completes with its item
  /// @par Lifetime    none. An item whose handler is destroyed with its io_context goes with it
  /// @par Cost        one block, recycled; O(1)
  [[nodiscard]] auto async_receive() {
    return lazy_wait<receive_signature, single_receive<T>, channel_state<T>>(state(),
                                                                             state()->executor);
  }
  template <asio::completion_token_for<receive_signature> CompletionToken>
  auto async_receive(CompletionToken&& token) {
    return async_receive()(std::forward<CompletionToken>(token));
  }

  /// Receives all there is, at least one and at most `max`, to the end of `into`: one completion
  /// for as many items as came meanwhile. (One, of a rendezvous channel.)
  /// @par Completion signature  void(std::exception_ptr, std::size_t)
  /// @par Completes with  the number of items; the errors of async_receive()
  /// @par Executor    as async_receive()
  /// @par Cancellation  all types: nothing was taken; items that are on their way are in `into`
  ///                  already and stay there, also if nobody looks at the completion
  /// @par Lifetime    `into`, until the operation completes; nobody else touches it until then
  /// @par Cost        one block, recycled; `into` is made large enough at once, which may throw
  [[nodiscard]] auto async_receive_some(std::vector<T>& into, std::size_t max = all) {
    return lazy_wait<some_signature, batch_receive<T>, channel_state<T>, channel_state<T>*,
                     std::vector<T>*, std::size_t>(state(), state()->executor, state().get(), &into,
                                                   limit(max));
  }
  template <asio::completion_token_for<some_signature> CompletionToken>
  auto async_receive_some(std::vector<T>& into, std::size_t max, CompletionToken&& token) {
    return async_receive_some(into, max)(std::forward<CompletionToken>(token));
  }

  /// Receives without waiting; empty when there is nothing, or somebody waits for it already.
  [[nodiscard]] std::optional<T> try_receive() noexcept {
    thread_waiter<single_receive<T>> self;
    static_cast<void>(state()->try_start(self));
    return std::move(self.received());
  }
  /// The same for all there is, at most `max` or one, to the end of `into`; their number.
  std::size_t try_receive_some(std::vector<T>& into, std::size_t max = all) {
    thread_waiter<batch_receive<T>> self(state().get(), &into, limit(max));
    static_cast<void>(state()->try_start(self));
    return self.taken();
  }

  /// Receives, and blocks a plain thread or a worker for as long as there is nothing.
  /// @par Errors  system_error: error::closed, error::cancelled, error::timed_out;
  ///              error::would_deadlock on a loop thread that would have to wait
  [[nodiscard]] T receive() { return receive(wait_forever); }
  [[nodiscard]] T receive(std::chrono::nanoseconds timeout) {
    thread_waiter<single_receive<T>> self;
    wait_on_thread(*state(), self, timeout, may_block::workers_too);
    if (!self.received()) throw boost::system::system_error(error_of(self.outcome));
    return std::move(*self.received());
  }
  std::size_t receive_some(std::vector<T>& into, std::size_t max = all) {
    return receive_some(into, max, wait_forever);
  }
  std::size_t receive_some(std::vector<T>& into, std::size_t max,
                           std::chrono::nanoseconds timeout) {
    thread_waiter<batch_receive<T>> self(state().get(), &into, limit(max));
    wait_on_thread(*state(), self, timeout, may_block::workers_too);
    self.fill_up();
    if (self.taken() == 0) throw boost::system::system_error(error_of(self.outcome));
    return self.taken();
  }

 protected:
  ~receive_end() = default;

  static constexpr std::size_t all = std::numeric_limits<std::size_t>::max();

 private:
  [[nodiscard]] std::shared_ptr<channel_state<T>> const& state() const noexcept {
    return static_cast<Handle const&>(*this).receiving_state();
  }
  /// At most what can lie in the channel, and at least the one that may be handed over.
  [[nodiscard]] std::size_t limit(std::size_t max) const noexcept {
    return std::clamp<std::size_t>(max, 1, std::max<std::size_t>(state()->capacity, 1));
  }
};

}  // namespace tokengate::detail
