// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/version.hpp>
#include <memory>
#include <new>
#include <variant>

#if BOOST_VERSION >= 108200
#include <boost/asio/associated_immediate_executor.hpp>
#endif

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/impl/await_below_1_82.hpp"
#include "tokengate/impl/completion.hpp"
#include "tokengate/impl/gate_access.hpp"

namespace tokengate::detail {

/// Stands for "none" where an associated executor is asked for.
struct no_executor {};

template <class Handler>
concept has_own_executor =
    !std::same_as<asio::associated_executor_t<Handler, no_executor>, no_executor>;

template <class Executor>
[[nodiscard]] bool same_executor(gate_core& gate, Executor const& other) {
  if constexpr (std::same_as<Executor, asio::any_io_executor>) {
    return is_executor_of(gate, other);
  } else {
    auto const* found = executor_of(gate).template target<Executor>();
    return found != nullptr && *found == other;
  }
}

template <class R>
struct kept {
  using type = R;
};
template <class R>
struct kept<R&> {
  using type = value_of_t<R&>;
};
template <>
struct kept<void> {
  using type = std::monostate;
};

/// Where a function's value or exception is kept until the loop takes it. Written once, by the
/// worker; token_base::outcome says which it is.
template <class R>
class outcome_slot {
 public:
  outcome_slot() noexcept {}
  ~outcome_slot() {}

  template <class F>
  void set_from(F&& call) {
    if constexpr (std::is_void_v<R>)
      std::forward<F>(call)();
    else
      ::new (static_cast<void*>(&value_)) value_type(std::forward<F>(call)());
  }
  void set_error(std::exception_ptr error) noexcept {
    std::construct_at(&error_, std::move(error));
  }
  /// Only once, and only after set_from() returned.
  [[nodiscard]] auto take() requires(!std::is_void_v<R>) {
    return value_of_t<R>(std::move(value_));
  }
  [[nodiscard]] std::exception_ptr take_error() noexcept { return std::move(error_); }
  void destroy(token_state outcome) noexcept {
    if (outcome == token_state::completed) value_.~value_type();
    if (outcome == token_state::failed) std::destroy_at(&error_);
  }

 private:
  using value_type = typename kept<R>::type;
  union {
    value_type value_;
    std::exception_ptr error_;
  };
};

/// What a handler on an executor of its own costs extra.
template <class Handler, bool Own = has_own_executor<Handler>>
class foreign_work {
 public:
  void start(Handler const&, gate_core&) {}
  [[nodiscard]] bool active() const noexcept { return false; }
};
template <class Handler>
class foreign_work<Handler, true> {
  using executor = asio::associated_executor_t<Handler, asio::any_io_executor>;
  using tracked = std::decay_t<decltype(asio::prefer(std::declval<executor const&>(),
                                                     asio::execution::outstanding_work.tracked))>;

 public:
  void start(Handler const& handler, gate_core& gate) {
    auto const& mine = handler_executor(handler, gate);
    if (!same_executor(gate, mine)) [[unlikely]]
      begin(mine);
  }
  [[nodiscard]] bool active() const noexcept { return work_ != nullptr; }
  [[nodiscard]] tracked const& get() const noexcept { return *work_; }

 private:
  [[gnu::noinline]] void begin(executor const& mine) {
    work_ = make_block<tracked>(asio::prefer(mine, asio::execution::outstanding_work.tracked));
  }

  block_ptr<tracked> work_;
};

template <class Bound, class Handler>
class token_node final : public token_base {
  using result_type = result_of_t<Bound>;
  using allocator =
      typename std::allocator_traits<asio::associated_allocator_t<Handler, block_allocator<void>>>::
          template rebind_alloc<token_node>;
  using traits = std::allocator_traits<allocator>;

 public:
  /// May throw bad_alloc, before anything is moved from, or what the moves of its arguments throw.
  template <class Incoming>
  static token_node* create(gate_core& gate, operation_record& operation, Bound&& bound,
                            Incoming&& handler) {
    allocator memory{asio::get_associated_allocator(handler, block_allocator<void>{})};
    foreign_work<Handler> work;
    work.start(handler, gate);
    auto place = traits::allocate(memory, 1);
    try {
      return ::new (static_cast<void*>(std::to_address(place))) token_node(
          operation, std::move(bound), std::forward<Incoming>(handler), std::move(work), memory);
    } catch (...) {
      traits::deallocate(memory, place, 1);
      throw;
    }
  }

  [[nodiscard]] Handler& handler() noexcept { return handler_; }

#if BOOST_VERSION >= 108200
  static constexpr bool has_immediate_executor =
      !std::same_as<asio::associated_immediate_executor_t<Handler, asio::any_io_executor>,
                    asio::associated_immediate_executor_t<no_executor, asio::any_io_executor>>;

  /// Ends a token that was refused at once, on the immediate executor of its handler.
  static void refuse(gate_core& gate, token_node* self) {
    auto const executor =
        asio::get_associated_immediate_executor(self->handler_, executor_of(gate));
    struct on_exit {
      gate_core& gate;
      ~on_exit() { end_refused(gate); }
    } books{gate};
    asio::dispatch(executor, delivery(self));
  }
#endif

  static void destroy(token_node* self) noexcept {
    if ((self->flags.load(std::memory_order_relaxed) & abandoned) != 0) return free(self);
    // What it owns may own the memory.
    [[maybe_unused]] Handler const last = take_handler(*self);
    free(self);
  }

  /// Takes everything out, frees the token, then calls the handler. On the handler's executor.
  static void finish(token_node* self) {
    struct owner {
      token_node* token;
      ~owner() {
        if (token != nullptr) destroy(token);
      }
    } own{self};
    if (self->extras != nullptr) {
      if (auto slot = asio::get_associated_cancellation_slot(self->handler_); slot.is_connected())
        slot.clear();
    }
    auto error = self->failure();
    if constexpr (std::is_void_v<result_type>) {
      Handler handler = take_handler(*self);
      free(std::exchange(own.token, nullptr));
      std::move(handler)(std::move(error));
    } else {
      value_of_t<result_type> value = error ? value_of_t<result_type>() : self->result_.take();
      Handler handler = take_handler(*self);
      free(std::exchange(own.token, nullptr));
      std::move(handler)(std::move(error), std::move(value));
    }
  }

 private:
  template <class Incoming>
  token_node(operation_record& operation, Bound&& bound, Incoming&& handler,
             foreign_work<Handler>&& work, allocator const& memory)
      : token_base(operations, operation),
        memory_(memory),
        bound_(std::move(bound)),
        work_(std::move(work)),
        handler_(std::forward<Incoming>(handler)) {}
  ~token_node() {}

  static Handler take_handler(token_node& self) {
    Handler handler(std::move(self.handler_));
    self.handler_.~Handler();
    return handler;
  }

  /// What is left when the handler has been taken out.
  static void free(token_node* self) noexcept {
    if (self->extras != nullptr) free_extras(*self);
    allocator memory{self->memory_};
    self->result_.destroy(self->outcome);
    self->~token_node();
    traits::deallocate(memory, self, 1);
  }

  [[nodiscard]] std::exception_ptr failure() {
    if (outcome == token_state::completed) return nullptr;
    if (outcome == token_state::failed) return result_.take_error();
    return make_exception(way.in.why);
  }

  static bool run_function(token_base& base) noexcept {
    auto& self = static_cast<token_node&>(base);
    try {
      self.result_.set_from([&]() -> decltype(auto) {
        if constexpr (Bound::takes_stop)
          return self.bound_(self.stop_.source.get_token());
        else
          return self.bound_();
      });
      return true;
    } catch (...) {
      self.result_.set_error(std::current_exception());
      return false;
    }
  }

  static void end_token(token_base* base, ending how) {
    auto* self = static_cast<token_node*>(base);
    if (how == ending::destroy) return destroy(self);
    if constexpr (has_own_executor<Handler>) {
      if (self->work_.active()) [[unlikely]]
        return send_home(self);
    }
    finish(self);
  }

  /// To the executor of its handler. A function of its own: one that is in the way of every token
  /// is worth a twentieth of it.
  [[gnu::noinline]] static void send_home(token_node* self) requires(has_own_executor<Handler>) {
    auto const executor = self->work_.get();
    asio::dispatch(executor, delivery(self));
  }

  static void stop_function(token_base& base) noexcept {
    if constexpr (Bound::takes_stop) static_cast<token_node&>(base).stop_.source.request_stop();
  }

  static void abandon_handler(token_base& base) noexcept {
    auto& self = static_cast<token_node&>(base);
    self.flags.fetch_or(abandoned, std::memory_order_relaxed);
    self.handler_.~Handler();
  }

  /// Carries a token to the executor of its handler.
  class delivery {
   public:
    using allocator_type = asio::associated_allocator_t<Handler, block_allocator<void>>;
    explicit delivery(token_node* token)
        : token_(token),
          memory_(asio::get_associated_allocator(token->handler_, block_allocator<void>{})) {}
    delivery(delivery&& other) noexcept
        : token_(std::exchange(other.token_, nullptr)), memory_(other.memory_) {}
    ~delivery() {
      if (token_ != nullptr) destroy(token_);
    }
    [[nodiscard]] allocator_type get_allocator() const noexcept { return memory_; }
    void operator()() { finish(std::exchange(token_, nullptr)); }

   private:
    token_node* token_;
    allocator_type memory_;
  };

  struct with_stop {
    std::stop_source source;
  };
  struct without_stop {};

  static constexpr token_ops operations{
      &run_function, &end_token, Bound::takes_stop ? &stop_function : nullptr, &abandon_handler};

  [[no_unique_address]] allocator memory_;
  Bound bound_;
  outcome_slot<result_type> result_;
  [[no_unique_address]] std::conditional_t<Bound::takes_stop, with_stop, without_stop> stop_;
  [[no_unique_address]] foreign_work<Handler> work_;
  union {
    Handler handler_;  // may be abandoned while the function runs
  };
};

}  // namespace tokengate::detail
