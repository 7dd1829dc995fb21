// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <concepts>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include "tokengate/actor_options.hpp"
#include "tokengate/impl/actor_turn.hpp"
#include "tokengate/impl/lazy_wait.hpp"

namespace tokengate {

namespace detail {

template <class State, class F, class... Args>
concept handler_of =
    std::invocable<std::decay_t<F>, State&, std::decay_t<Args>...> ||
    std::invocable<std::decay_t<F>, State&, std::stop_token, std::decay_t<Args>...>;

/// A question that was not asked yet. Await it, or give it a completion token.
template <class State, class Message>
class [[nodiscard("an ask does nothing until it is awaited or given a completion token")]] lazy_ask
    : public awaitable_operation {
 public:
  using result_type = typename Message::result;
  using completion_signature = signature_of_t<result_type>;
  using executor_type = asio::any_io_executor;

  lazy_ask(std::shared_ptr<actor_state<State>> actor, std::unique_ptr<Message> message) noexcept
      : actor_(std::move(actor)), message_(std::move(message)) {}

  /// The actor's: where a handler runs that has no executor of its own.
  [[nodiscard]] executor_type get_executor() const noexcept {
    return actor_->executor();
  }

  /// The longest wait for the answer, counted from this call: then error::timed_out, and the
  /// function is not run if it has not started.
  lazy_ask&& within(std::chrono::nanoseconds span)&& noexcept {
    auto const now = wait_clock::now();
    message_->until = span < no_wait_limit - now ? now + span : no_wait_limit;
    return std::move(*this);
  }

  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto operator()(CompletionToken&& token)&& {
    auto const& executor = actor_->executor();
    auto const limit = message_->until;
    return async_wait_until<completion_signature, ask_waiter<State, result_type>>(
        std::move(actor_), executor, limit, std::forward<CompletionToken>(token),
        std::unique_ptr<message_of<State>>(std::move(message_)));
  }

 private:
  std::shared_ptr<actor_state<State>> actor_;
  std::unique_ptr<Message> message_;
};

}  // namespace detail

/// A state that nobody else can touch, and messages to it: functions that get a reference to it,
/// one at a time, in the order in which they came. So they need no lock.
///
///     tokengate::actor<cache> pages(gate, {.name = "pages"}, 1000);   // a cache(1000)
///     pages.tell(&cache::put, key, value);
///     auto found = co_await pages.ask(&cache::find, key);
///
/// On a gate the messages are handled by workers of its lane, many in one token; they are plain
/// functions and may compute. On an executor they are handled there, and may also be coroutines
/// (one at a time all the same); the state is used from that loop, or from a strand over it if it
/// may have several threads. For mutual exclusion alone see async_mutex and monitor; for order
/// alone the key of a token.
///
/// A handler of a tell that throws is a failure of the actor: actor_options::on_failure says what
/// then happens to it. What an ask throws is its answer.
///
/// A handler must not wait for an ask to its own actor: nobody would answer it.
///
/// A handler that takes a std::stop_token behind the state, `f(state, stop, args...)`, is asked to
/// stop by stop(), by the destructor, and when the ask that it answers is given up.
///
/// The state is built before the first message, and destroyed after the last one, where the
/// messages are handled; also when it is restarted. If nothing is handled there any more, because
/// the gate was closed, the context goes, or there is no memory for a last turn, it is destroyed
/// where that is noticed.
///
/// A gate that is full delays the messages and does not refuse them. One that there is no memory
/// to run a turn for has failed, with bad_alloc.
///
/// @par Thread safety  any thread, from inside a token and from inside a handler too; the
/// destructor
///                     by one
/// @par Lifetime       the destructor does as stop() and does not wait: see async_join(). Functions
///                     and arguments are kept by the actor; what they refer to must live until they
///                     were run, also if the ask was given up, so pass values. If the gate, or its
///                     io_context, goes first, the actor ends: error::closed, error::broken_promise
/// @par Cost           a block from the pool per message, two for an ask; a token, or a post, per
///                     batch of messages
/// @par Example        example/11_actor_cache.cpp
template <class State>
class actor {
  using shared = std::shared_ptr<detail::actor_state<State>>;

 public:
  /// On a lane of a gate. The state is made of `args`, each time anew, or, if there is one argument
  /// that is a function giving a State, by calling that. They are used by one thread at a time.
  template <class... Args>
  explicit actor(gate& on, actor_options const& options = {}, Args&&... args)
      : state_(std::make_shared<detail::lane_actor<State>>(
            on, options, factory_of(std::forward<Args>(args)...))) {}
  /// On a loop.
  template <class... Args>
  explicit actor(asio::any_io_executor const& on, actor_options const& options = {}, Args&&... args)
      : state_(std::make_shared<detail::loop_actor<State>>(
            on, options, factory_of(std::forward<Args>(args)...))) {}
  actor(actor&&) noexcept = default;
  actor& operator=(actor&&) = delete;
  ~actor() {
    if (state_) state_->stop();
  }

  /// Sends `function(state, args...)`. Does not wait: false if the mailbox is full (see
  /// actor_options::when_full) or the actor closed. A message that was accepted is handled once, or
  /// counted as dropped.
  /// @par Errors  bad_alloc
  template <class F, class... Args>
  requires detail::handler_of<State, F, Args...>
  bool tell(F&& function, Args&&... args) {
    return state_->tell(make<false>(std::forward<F>(function), std::forward<Args>(args)...));
  }

  /// As tell(), and waits for a place in the mailbox, if that is its policy.
  /// @par Completion signature  void(std::exception_ptr)
  /// @par Completes with  nothing, when the message is in the mailbox; error::backlog_full,
  ///                      error::closed, error::stopped, error::cancelled, error::timed_out
  /// @par Executor        the handler's associated executor, else that of the actor; never inline
  /// @par Cancellation    all types: the message is not sent, unless it was accepted
  template <class F, class... Args>
  requires detail::handler_of<State, F, Args...>
  [[nodiscard]] auto async_tell(F&& function, Args&&... args) {
    using waiter = detail::tell_waiter<State>;
    using message = std::unique_ptr<detail::message_of<State>>;
    return detail::lazy_wait<void(std::exception_ptr), waiter, detail::actor_state<State>, message>(
        state_, state_->executor(),
        message(make<false>(std::forward<F>(function), std::forward<Args>(args)...)));
  }

  /// Asks for what `function(state, args...)` gives. Lazy: await it, give it a completion token, or
  /// limit it first: `co_await pages.ask(&cache::find, key).within(20ms)`.
  /// @par Completion signature  void(std::exception_ptr, R), as lazy_token
  /// @par Completes with  what the function gave or threw; error::backlog_full, error::closed;
  ///                      error::stopped if the actor ended before it; error::cancelled,
  ///                      error::timed_out
  /// @par Executor        the handler's associated executor, else that of the actor; never inline
  /// @par Cancellation    all types: a message that has not started is withdrawn; one that runs is
  ///                      asked to stop, if it takes a stop token, and its answer is dropped
  template <class F, class... Args>
  requires detail::handler_of<State, F, Args...>
  [[nodiscard]] auto ask(F&& function, Args&&... args) {
    auto message = make<true>(std::forward<F>(function), std::forward<Args>(args)...);
    using type = typename decltype(message)::element_type;
    return detail::lazy_ask<State, type>(state_, std::move(message));
  }

  /// No more messages; those accepted are handled, then the actor ends. Messages that wait for a
  /// place by then get it in their turn, and are handled too.
  void close() noexcept { state_->close(); }
  /// No more messages; those accepted are dropped, asks with error::stopped. What runs is asked to
  /// stop, if it takes a stop token, and runs to its end; a coroutine is cancelled.
  void stop() noexcept { state_->stop(); }

  /// Waits for the end of the actor: its state is destroyed then. Spawned into a task_scope, that
  /// is its supervisor: `scope.spawn(pages.async_join())`.
  /// @par Completion signature  void(std::exception_ptr)
  /// @par Completes with  nothing after close() or stop(), or on_actor_failure::stop; else what
  /// ended
  ///                      it, as on_actor_failure::escalate does
  /// @par Executor        the handler's associated executor, else that of the actor; never inline
  /// @par Cancellation    all types: the wait is given up, the actor lives on
  [[nodiscard]] auto async_join() {
    return detail::lazy_wait<void(std::exception_ptr), detail::actor_join,
                             detail::actor_state<State>>(state_, state_->executor());
  }
  template <class CompletionToken>
  auto async_join(CompletionToken&& token) {
    return async_join()(std::forward<CompletionToken>(token));
  }

  [[nodiscard]] actor_snapshot snapshot() const noexcept { return state_->snapshot(); }
  [[nodiscard]] asio::any_io_executor get_executor() const noexcept { return state_->executor(); }

 private:
  template <bool Ask, class F, class... Args>
  [[nodiscard]] auto make(F&& function, Args&&... args) {
    using type = detail::bound_message<State, Ask, std::decay_t<F>, std::decay_t<Args>...>;
    using raw = detail::handler_result<std::decay_t<F>, State, std::decay_t<Args>...>;
    if constexpr (detail::is_awaitable<raw>) {
      if (!state_->has_coroutines())
        throw std::logic_error(
            "tokengate: a coroutine cannot run on a lane; put the actor on an executor");
    } else {
      detail::check_result<raw>();
    }
    return std::make_unique<type>(std::forward<F>(function), std::forward<Args>(args)...);
  }

  template <class Make>
  struct built_by {
    Make& make;
    operator State() const { return make(); }  // NOLINT: constructs in place
  };

  template <class... Args>
  static auto factory_of(Args&&... args) {
    using place = std::optional<State>;
    auto kept = std::make_shared<std::tuple<std::decay_t<Args>...>>(std::forward<Args>(args)...);
    return [kept](place& to) {
      std::apply(
          [&](auto&... each) {
            if constexpr (std::constructible_from<State, decltype(each)...>)
              to.emplace(each...);
            else
              to.emplace(built_by<std::remove_reference_t<decltype(each)>...>{each...});
          },
          *kept);
    };
  }

  shared state_;
};

}  // namespace tokengate
