// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <tuple>
#include <variant>

#include "tokengate/detail/actor_core.hpp"
#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/waiter.hpp"
#include "tokengate/impl/completion.hpp"
#include "tokengate/impl/scope_child.hpp"
#include "tokengate/impl/turn_queue.hpp"

/// @file
/// Messages of an actor: a function and its arguments, and who waits for it.
///
/// Invariants, under the actor's mutex: a message and the operation that waits for it (`from` and
/// `at`) point at each other, or neither does. Who takes the two apart decides the operation's
/// outcome. An operation that is given up leaves the message where it is if it runs already.

namespace tokengate::detail {

template <class State>
class actor_state;
template <class State>
class message_of;

/// The operation behind an async_tell() or an ask().
template <class State>
class message_waiter : public waiter {
 public:
  message_waiter(resume_function resume, std::unique_ptr<message_of<State>> what) noexcept
      : waiter(resume), message(std::move(what)) {}

  std::unique_ptr<message_of<State>> message;  ///< until the actor takes it
  message_of<State>* at = nullptr;             ///< the actor's, which waits for this one
  std::exception_ptr error{};                  ///< with wait_outcome::refused

 protected:
  ~message_waiter() = default;
  [[nodiscard]] std::exception_ptr failure() const noexcept {
    switch (this->outcome) {
      case wait_outcome::cancelled:
        return make_exception(tokengate::error::cancelled);
      case wait_outcome::timed_out:
        return make_exception(tokengate::error::timed_out);
      default:
        return error;
    }
  }
};

template <class State>
class message_of : public actor_message {
 public:
  using actor_message::actor_message;
  virtual ~message_of() = default;

  /// Calls its function. False: that is a coroutine, which tells the actor when it has ended.
  virtual bool handle(State& state, actor_state<State>& actor) = 0;
  /// Moves the answer to who waits for it.
  virtual void give(message_waiter<State>& to) noexcept = 0;
  /// Asks a coroutine to stop. On the actor's executor.
  virtual void stop_coroutine() noexcept {}
  /// What the function's stop token belongs to; without a state where it takes none.
  [[nodiscard]] virtual std::stop_source stopper() const noexcept {
    return std::stop_source(std::nostopstate);
  }

  [[nodiscard]] static void* operator new(std::size_t bytes) { return allocate_block(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { free_block(block, bytes); }

  message_waiter<State>* from = nullptr;
  wait_clock::time_point until = no_wait_limit;  ///< not to be handled after that
};

template <class R>
struct answer_of {
  using type = R;
  using value = value_of_t<R>;
  static constexpr bool coroutine = false;
};
template <>
struct answer_of<void> {
  using type = void;
  using value = std::monostate;
  static constexpr bool coroutine = false;
};
template <class R, class Executor>
struct answer_of<asio::awaitable<R, Executor>> : answer_of<R> {
  static constexpr bool coroutine = true;
};

/// An ask: completes with the answer.
template <class State, class R>
class ask_waiter : public message_waiter<State> {
 public:
  using message_waiter<State>::message_waiter;
  template <class F>
  void complete(F&& finish) {
    auto failed = this->failure();
    if constexpr (std::is_void_v<R>) {
      std::move(finish)(std::move(failed));
    } else {
      value_of_t<R> given = failed ? value_of_t<R>() : std::move(*answer);
      std::move(finish)(std::move(failed), std::move(given));
    }
  }
  std::optional<typename answer_of<R>::value> answer;
};

/// An async_tell: completes when the message has its place.
template <class State>
class tell_waiter : public message_waiter<State> {
 public:
  using message_waiter<State>::message_waiter;
  template <class F>
  void complete(F&& finish) {
    std::move(finish)(this->failure());
  }
};

/// A handler gets the state, and a std::stop_token behind it if it takes one, as a token's function
/// does.
template <class F, class State, class... Args>
inline constexpr bool handler_takes_stop = !std::invocable<F, State&, Args...>;
template <class F, class State, class... Args>
using handler_result =
    typename std::conditional_t<handler_takes_stop<F, State, Args...>,
                                std::invoke_result<F, State&, std::stop_token, Args...>,
                                std::invoke_result<F, State&, Args...>>::type;

/// A function with its arguments. `Ask`: its answer is wanted.
template <class State, bool Ask, class F, class... Args>
class bound_message final : public message_of<State> {
  static constexpr bool takes_stop = handler_takes_stop<F, State, Args...>;
  using raw = handler_result<F, State, Args...>;
  using answered = answer_of<raw>;

 public:
  using result = typename answered::type;

  template <class Function, class... Given>
  explicit bound_message(Function&& function, Given&&... args)
      : message_of<State>(!Ask),
        function_(std::forward<Function>(function)),
        arguments_(std::forward<Given>(args)...) {}

  bool handle(State& state, actor_state<State>& actor) override {
    if constexpr (answered::coroutine) {
      asio::co_spawn(
          actor.executor(), [this, &state] { return call(state); },
          end_of_coroutine(actor.shared_from_this(), *this));
      return false;
    } else if constexpr (std::is_void_v<raw>) {
      call(state);
      if constexpr (Ask) answer_.emplace();
    } else if constexpr (Ask) {
      answer_.emplace(call(state));
    } else {
      static_cast<void>(call(state));
    }
    return true;
  }

  void give(message_waiter<State>& to) noexcept override {
    if constexpr (Ask) {
      try {
        if (answer_) static_cast<ask_waiter<State, result>&>(to).answer = std::move(answer_);
      } catch (...) {
        to.error = std::current_exception();
        to.outcome = wait_outcome::refused;
      }
    }
  }
  void stop_coroutine() noexcept override {
    if constexpr (answered::coroutine) signal_.emit(asio::cancellation_type::all);
  }
  std::stop_source stopper() const noexcept override {
    if constexpr (takes_stop)
      return stop_.source;
    else
      return std::stop_source(std::nostopstate);
  }

 private:
  /// Reports the end of a coroutine, also when it is destroyed with its context.
  class end_of_coroutine {
   public:
    using cancellation_slot_type = asio::cancellation_slot;
    end_of_coroutine(std::shared_ptr<actor_state<State>> actor, bound_message& message) noexcept
        : actor_(std::move(actor)), message_(&message) {}
    end_of_coroutine(end_of_coroutine&&) noexcept = default;
    ~end_of_coroutine() {
      if (actor_) actor_->coroutine_dropped();
    }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
      return message_->signal_.slot();
    }
    template <class... V>
    void operator()(std::exception_ptr failed, V&&... value) {
      auto const actor = std::move(actor_);
      if constexpr (Ask) {
        try {
          if (!failed) message_->answer_.emplace(std::forward<V>(value)...);
        } catch (...) {
          failed = std::current_exception();
        }
      }
      actor->coroutine_ended(std::move(failed));
    }

   private:
    std::shared_ptr<actor_state<State>> actor_;
    bound_message* message_;
  };

  decltype(auto) call(State& state) {
    return std::apply(
        [&](Args&... each) -> decltype(auto) {
          if constexpr (takes_stop)
            return std::invoke(std::move(function_), state, std::move(stop_.token),
                               std::move(each)...);
          else
            return std::invoke(std::move(function_), state, std::move(each)...);
        },
        arguments_);
  }

  struct nothing {};
  /// The token lives here because a coroutine may have taken it by reference.
  struct stopping {
    std::stop_source source;
    std::stop_token token = source.get_token();
  };
  F function_;
  [[no_unique_address]] std::tuple<Args...> arguments_;
  [[no_unique_address]] std::conditional_t<Ask, std::optional<typename answered::value>, nothing>
      answer_;
  [[no_unique_address]] std::conditional_t<answered::coroutine, asio::cancellation_signal, nothing>
      signal_;
  [[no_unique_address]] std::conditional_t<takes_stop, stopping, nothing> stop_;
};

}  // namespace tokengate::detail
