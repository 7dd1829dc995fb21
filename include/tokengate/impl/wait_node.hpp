// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>
#include <concepts>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "tokengate/impl/turn_queue.hpp"

namespace tokengate::detail {

template <class Executor>
inline constexpr bool is_loop_executor = false;
template <class Allocator, std::uintptr_t Bits>
inline constexpr bool is_loop_executor<asio::io_context::basic_executor_type<Allocator, Bits>> =
    true;

/// The io_context whose own executor this is, with whatever properties, type-erased too; null for
/// any other: a strand of an io_context is not the io_context.
template <class Executor>
[[nodiscard]] asio::io_context* loop_of(Executor const& executor) noexcept {
  using plain = asio::io_context::executor_type;
  using tracked = std::decay_t<decltype(asio::require(std::declval<plain const&>(),
                                                      asio::execution::outstanding_work.tracked))>;
  if constexpr (is_loop_executor<Executor>) {
    return &executor.context();
  } else if constexpr (requires { executor.template target<plain>(); }) {
    if (auto* found = executor.template target<plain>()) return &found->context();
    if (auto* found = executor.template target<tracked>()) return &found->context();
    if constexpr (!std::same_as<Executor, asio::any_io_executor>)
      if (auto* found = executor.template target<asio::any_io_executor>()) return loop_of(*found);
    return nullptr;
  } else {
    return nullptr;
  }
}

/// The context that an executor dies with; that of the system for one that does not say.
template <class Executor>
[[nodiscard]] asio::execution_context& context_of(Executor const& executor) {
  if constexpr (asio::can_query_v<Executor const&, asio::execution::context_t>)
    return asio::query(executor, asio::execution::context);
  else
    return asio::query(asio::system_executor(), asio::execution::context);
}

/// The io_context in which an executor's handlers run at last, below strands; null where it cannot
/// be told.
template <class Executor>
[[nodiscard]] asio::io_context* loop_below(Executor const& executor) noexcept {
  if (auto* const loop = loop_of(executor)) return loop;
  if constexpr (requires { executor.get_inner_executor(); }) {
    return loop_below(executor.get_inner_executor());
  } else if constexpr (requires { executor.template target<asio::io_context::executor_type>(); }) {
    using plain = asio::io_context::executor_type;
    if (auto* found = executor.template target<asio::strand<plain>>()) return loop_below(*found);
    if (auto* found = executor.template target<asio::strand<asio::any_io_executor>>())
      return loop_below(*found);
    if constexpr (!std::same_as<Executor, asio::any_io_executor>)
      if (auto* found = executor.template target<asio::any_io_executor>())
        return loop_below(*found);
  }
  return nullptr;
}

/// A wait of an asynchronous operation: what the core sees (Waiter), what the queue of its context
/// sees (queued_wait), the handler and the state that it waits in.
template <class State, class Waiter, class Handler, class Executor>
class wait_node final : public Waiter, public queued_wait {
  using allocator =
      typename std::allocator_traits<asio::associated_allocator_t<Handler, block_allocator<void>>>::
          template rebind_alloc<wait_node>;
  using traits = std::allocator_traits<allocator>;
  using tracked = std::decay_t<decltype(asio::prefer(std::declval<Executor const&>(),
                                                     asio::execution::outstanding_work.tracked))>;

 public:
  struct deleter {
    void operator()(wait_node* node) const noexcept { destroy(node); }
  };
  using owner = std::unique_ptr<wait_node, deleter>;

  /// May throw bad_alloc, or what the moves of handler and payload throw.
  template <class Incoming, class... Args>
  [[nodiscard]] static owner create(std::shared_ptr<State> state, Executor const& executor,
                                    Incoming&& handler, Args&&... args) {
    allocator memory{asio::get_associated_allocator(handler, block_allocator<void>{})};
    auto place = traits::allocate(memory, 1);
    try {
      return owner(::new (static_cast<void*>(std::to_address(place)))
                       wait_node(std::move(state), executor, memory,
                                 std::forward<Incoming>(handler), std::forward<Args>(args)...));
    } catch (...) {
      traits::deallocate(memory, place, 1);
      throw;
    }
  }

  [[nodiscard]] Handler& handler() noexcept { return handler_; }
  [[nodiscard]] State& state() noexcept { return *state_; }

  void clear_slot() noexcept {
    if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected())
      slot.clear();
  }
  void post_now() noexcept { post(*this); }

 private:
  /// What Waiter::complete() calls: keeps the arguments, frees the node, calls the handler.
  struct finisher {
    owner own;
    template <class... Args>
    void operator()(Args&&... args) && {
      std::tuple<std::decay_t<Args>...> given(std::forward<Args>(args)...);
      Handler handler(std::move(own->handler_));
      free(own.release());
      std::apply(std::move(handler), std::move(given));
    }
  };

  /// Carries a wait to an executor that is not an io_context.
  struct delivery {
    using allocator_type = block_allocator<void>;
    owner own;
    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    void operator()() { deliver(*own.release()); }
  };

  struct detour {
    tracked executor;
    delivery to;
    void operator()() { asio::dispatch(executor, std::move(to)); }
  };

  template <class Incoming, class... Args>
  wait_node(std::shared_ptr<State> state, Executor const& executor, allocator const& memory,
            Incoming&& handler, Args&&... args)
      : wait_node(loop_of(executor), std::move(state), executor, memory,
                  std::forward<Incoming>(handler), std::forward<Args>(args)...) {}
  template <class Incoming, class... Args>
  wait_node(asio::io_context* loop, std::shared_ptr<State>&& state, Executor const& executor,
            allocator const& memory, Incoming&& handler, Args&&... args)
      : Waiter(&resumed, std::forward<Args>(args)...),
        queued_wait(operations_, turn_queue::of(loop != nullptr ? *loop : context_of(executor)),
                    loop != nullptr),
        memory_(memory),
        state_(std::move(state)),
        work_(loop == nullptr ? std::optional<tracked>(asio::prefer(
                                    executor, asio::execution::outstanding_work.tracked))
                              : std::nullopt),
        handler_(std::forward<Incoming>(handler)) {  // last: what it owns may own the memory
    if (loop == nullptr && loop_below(executor) != nullptr) this->queue().is_loop();
  }
  ~wait_node() = default;

  static wait_node& self(queued_wait& wait) noexcept { return static_cast<wait_node&>(wait); }

  static void destroy(wait_node* node) noexcept {
    [[maybe_unused]] Handler const last(std::move(node->handler_));
    free(node);
  }
  /// Once the handler has been moved out.
  static void free(wait_node* node) noexcept {
    allocator memory{node->memory_};
    node->~wait_node();
    traits::deallocate(memory, node, 1);
  }

  static void resumed(waiter& wait) noexcept {
    auto& node = static_cast<wait_node&>(static_cast<Waiter&>(wait));
    node.queue().complete(node);
  }
  static void deliver(queued_wait& wait) {
    owner own(&self(wait));
    wait_node& node = *own;
    node.clear_slot();
    static_cast<Waiter&>(node).complete(finisher{std::move(own)});
  }
  static void post(queued_wait& wait) noexcept {
    owner own(&self(wait));
    auto const executor = std::move(*own->work_);
    try {
      if constexpr (asio::can_require_v<decltype(executor), asio::execution::blocking_t::never_t>)
        asio::post(executor, delivery{std::move(own)});
      else  // that of an any_completion_handler: from elsewhere, so that it is not called in here
        asio::post(asio::system_executor(), detour{executor, delivery{std::move(own)}});
    } catch (...) {
      // An executor that takes no more: destroyed, not invoked, as by one that goes.
    }
  }
  static void destroy_wait(queued_wait& wait) noexcept { destroy(&self(wait)); }
  static bool give_up(queued_wait& wait, wait_outcome why) noexcept {
    wait_node& node = self(wait);
    if (!node.state_->cancel(static_cast<Waiter&>(node))) return false;
    static_cast<waiter&>(node).outcome = why;
    return true;
  }

  static void retract(queued_wait& wait) noexcept {
    auto& waits = static_cast<Waiter&>(self(wait));
    auto& state = *self(wait).state_;
    if constexpr (requires { state.retract(waits); })
      if (state.retract(waits)) static_cast<waiter&>(waits).outcome = wait_outcome::cancelled;
  }

  static constexpr queued_wait::operations operations_{&deliver, &post, &destroy_wait, &give_up,
                                                       &retract};

  [[no_unique_address]] allocator memory_;
  std::shared_ptr<State> state_;
  std::optional<tracked> work_;  ///< its executor, where turns do not deliver it
  Handler handler_;
};

}  // namespace tokengate::detail
