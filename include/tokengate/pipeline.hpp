// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "tokengate/impl/cancel_relay.hpp"
#include "tokengate/impl/mapped_handler.hpp"
#include "tokengate/impl/pipeline_stage.hpp"
#include "tokengate/pipeline_options.hpp"

namespace tokengate {

/// Stages one behind the other, joined by channels: items go in at one end, results come out at the
/// other, and each stage works on several of them at once if it may.
///
///     auto pages = tokengate::pipeline<path>(gate)
///                      .stage({.name = "read", .weight = light}, read)
///                      .stage({.name = "compress", .parallel = 4}, compress);
///     co_await pages.async_push(file);                     // waits while the pipeline is full
///     std::optional<page> done = co_await pages.async_pull();
///
/// A stage's function takes an item and gives the next one. A plain function runs as a token on its
/// lane, several at once, hence as const; a coroutine runs on the gate's loop. A last stage that
/// gives nothing is a sink: the pipeline is then joined instead of pulled from.
///
/// It needs a stage: what begins to use it without one throws std::logic_error.
///
/// Everything is bounded, from end to end: who is slow makes those before it wait. Ordered stages
/// keep the order of items, whatever their parallelism.
///
/// The first exception ends the pipeline: what is inside is dropped and counted, what runs is asked
/// to stop, push, pull and join give the exception. Cancellation is the same with
/// error::cancelled.
///
/// @par Thread safety  push, pull, close, cancel and snapshot by any thread; stage() and the
///                     destructor by one
/// @par Lifetime       the gate, until the pipeline is joined. The destructor cancels and does not
///                     wait
/// @par Cost           per item and stage a token or a coroutine, and no allocation once warm
///                     besides; channels and places are allocated by stage()
/// @par Example        example/10_pipeline.cpp
template <class In, class Out = In>
class pipeline {
  using input = std::shared_ptr<channel<In>>;
  using output = detail::link_of<Out>;
  static constexpr bool sink = std::is_void_v<Out>;

 public:
  using executor_type = asio::any_io_executor;

  /// `capacity`: items that may lie before the first stage.
  explicit pipeline(gate& on, std::size_t capacity = 16) requires std::same_as<In, Out>
      : gate_(&on),
        state_(std::make_shared<detail::pipeline_state>(on.get_executor())),
        first_(make_link<In>(on, capacity)),
        last_(first_) {}
  pipeline(pipeline&&) noexcept = default;
  pipeline& operator=(pipeline&&) = delete;
  ~pipeline() {
    if (state_) state_->cancel();
  }

  /// Adds a stage, before the first item is pushed. The pipeline goes on as the one that is given.
  /// @par Errors  bad_alloc; std::logic_error when the pipeline has been used, which goes on as it
  ///              was
  template <detail::stage_function<Out> F>
  [[nodiscard]] auto stage(stage_options const& options, F&& function) && {
    using made = detail::stage_of<Out, std::decay_t<F>>;
    using result = typename made::result;
    auto next = make_link<result>(*gate_, options.capacity);
    state_->add(std::make_unique<made>(*state_, *gate_, options, last_, next,
                                       std::decay_t<F>(std::forward<F>(function))));
    return pipeline<In, result>(*gate_, std::move(state_), std::move(first_), std::move(next));
  }
  template <detail::stage_function<Out> F>
  [[nodiscard]] auto stage(F&& function) && {
    return std::move(*this).stage(stage_options(), std::forward<F>(function));
  }

  /// Brings an item in, as soon as there is room. Lazy: await it, or give it a completion token;
  /// `.within(20ms)` limits the wait.
  /// @par Completion signature  void(std::exception_ptr)
  /// @par Completes with  nothing, when the item is inside; what ended the pipeline; else
  ///                      not_sent<In> with the item: error::closed, error::cancelled,
  ///                      error::timed_out
  /// @par Executor        the handler's associated executor, else the gate's; never inline
  /// @par Cancellation    all types: the item is not brought in
  [[nodiscard]] auto async_push(In item) {
    auto begin = [state = state_, to = first_, item = std::move(item)](
                     auto handler, detail::wait_clock::time_point limit) mutable {
      state->start();
      auto done = [state](auto inner, std::exception_ptr failed) {
        if (!failed)
          state->pushed.fetch_add(1, std::memory_order_relaxed);
        else if (auto why = state->error())
          failed = std::move(why);
        std::move(inner)(std::move(failed));
      };
      to->async_send(std::move(item))
          .until(limit)(detail::mapped_handler(std::move(handler), std::move(done)));
    };
    return detail::lazy_operation<void(std::exception_ptr), decltype(begin)>(state_->executor(),
                                                                             std::move(begin));
  }
  template <class CompletionToken>
  auto async_push(In item, CompletionToken&& token) {
    return async_push(std::move(item))(std::forward<CompletionToken>(token));
  }
  /// Without waiting. False: there is no room, or the pipeline takes no more; the item is as it
  /// was.
  [[nodiscard]] bool try_push(In&& item) {
    state_->start();
    if (!first_->try_send(std::move(item))) return false;
    state_->pushed.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

  /// Takes the next result out.
  /// @par Completion signature  void(std::exception_ptr, std::optional<Out>)
  /// @par Completes with  a result; empty, when the pipeline was closed and all results are out;
  ///                      what ended the pipeline; error::cancelled, error::timed_out
  /// @par Executor        the handler's associated executor, else the gate's; never inline
  /// @par Cancellation    all types: nothing is taken
  [[nodiscard]] auto async_pull() requires(!sink) {
    using value = std::optional<Out>;
    auto begin = [state = state_, from = last_](auto handler,
                                                detail::wait_clock::time_point limit) {
      state->start();
      auto done = [state](auto inner, std::exception_ptr failed, auto&& given) {
        value result;
        if (!failed) {
          state->completed.fetch_add(1, std::memory_order_relaxed);
          if constexpr (std::is_same_v<std::decay_t<decltype(given)>, Out>)
            result.emplace(std::move(given));
          else
            result = std::move(given);
        } else if (auto why = state->error()) {
          failed = std::move(why);
        } else if (failed == make_exception(error::closed)) {
          failed = nullptr;
        }
        std::move(inner)(std::move(failed), std::move(result));
      };
      from->async_receive().until(limit)(
          detail::mapped_handler(std::move(handler), std::move(done)));
    };
    return detail::lazy_operation<void(std::exception_ptr, value), decltype(begin)>(
        state_->executor(), std::move(begin));
  }
  template <class CompletionToken>
  auto async_pull(CompletionToken&& token) requires(!sink) {
    return async_pull()(std::forward<CompletionToken>(token));
  }

  /// No more items; those inside go on to the end.
  void close() {
    state_->start();
    first_->close();
  }
  /// Gives everything up, with error::cancelled.
  void cancel() noexcept { state_->cancel(); }

  /// Waits until every stage has ended: after close(), when all items have left their last stage
  /// (results must be pulled, beyond what the last channel holds); after a failure, when no
  /// function runs any more. `.within(20ms)` limits the wait, and the pipeline goes on.
  /// @par Completion signature  void(std::exception_ptr)
  /// @par Completes with  nothing, or what ended the pipeline; error::timed_out
  /// @par Executor        the handler's associated executor, else the gate's; never inline
  /// @par Cancellation    all types: as cancel(), and the join goes on
  [[nodiscard]] auto async_join() {
    auto begin = [state = state_](auto handler, detail::wait_clock::time_point limit) {
      state->start();
      using initiate = detail::initiate_relayed<detail::pipeline_join, detail::pipeline_state>;
      initiate{state->executor(), limit}(std::move(handler), state);
    };
    return detail::lazy_operation<void(std::exception_ptr), decltype(begin)>(state_->executor(),
                                                                             std::move(begin));
  }
  template <class CompletionToken>
  auto async_join(CompletionToken&& token) {
    return async_join()(std::forward<CompletionToken>(token));
  }

  [[nodiscard]] pipeline_snapshot snapshot() const { return state_->snapshot(); }
  [[nodiscard]] executor_type get_executor() const noexcept { return gate_->get_executor(); }

 private:
  template <class, class>
  friend class pipeline;

  pipeline(gate& on, std::shared_ptr<detail::pipeline_state> state, input first, output last)
      : gate_(&on), state_(std::move(state)), first_(std::move(first)), last_(std::move(last)) {}

  template <class T>
  static detail::link_of<T> make_link(gate& on, std::size_t capacity) {
    if constexpr (std::is_void_v<T>)
      return {};
    else
      return std::make_shared<channel<T>>(on.get_executor(), capacity == 0 ? 1 : capacity);
  }

  gate* gate_;
  std::shared_ptr<detail::pipeline_state> state_;
  input first_;
  output last_;
};

}  // namespace tokengate
