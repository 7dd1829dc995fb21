// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <memory>
#include <optional>
#include <stop_token>
#include <variant>

#include "tokengate/detail/sync.hpp"
#include "tokengate/impl/token_node.hpp"

namespace tokengate::detail {

/// Throws would_deadlock on a worker, and on a thread that runs the loop of a gate.
void check_may_block();
[[nodiscard]] std::shared_ptr<gate_core> share(gate_core& gate) noexcept;

/// The one place between a token and its flow variable.
///
/// Invariant: word_ decides who touches result and waiter. `empty` and `waited_for`: the setter may
/// write the result and is the only one to. `ready`: the result belongs to the flow variable.
/// Whoever takes word_ out of `waited_for` (setter, cancellation) owns the waiter.
template <class R>
class flow_state : public std::enable_shared_from_this<flow_state<R>> {
 public:
  using value =
      typename std::conditional_t<std::is_void_v<R>, std::type_identity<std::monostate>,
                                  value_of<std::conditional_t<std::is_void_v<R>, int, R>>>::type;
  using handler = asio::any_completion_handler<signature_of_t<R>>;

  explicit flow_state(std::shared_ptr<gate_core> gate) : gate_(std::move(gate)) {}
  ~flow_state() {
    // An exception that nobody asked for must not vanish.
    if (word_.load(std::memory_order_acquire) == ready && error_) lost_error(*gate_, error_);
  }

  [[nodiscard]] bool is_ready() const noexcept {
    return word_.load(std::memory_order_acquire) == ready;
  }
  [[nodiscard]] std::stop_source& stop() noexcept { return stop_; }
  void stop_with(std::stop_token outer) {
    if (outer.stop_possible()) forward_.emplace(std::move(outer), forward{&stop_});
  }
  [[nodiscard]] gate_core& gate() const noexcept { return *gate_; }

  /// Setter, once.
  void set(std::exception_ptr error, value&& result) {
    error_ = std::move(error);
    if (!error_) result_.emplace(std::move(result));
    // acq_rel: release publishes the result, acquire takes the waiter over.
    auto const before = word_.exchange(ready, std::memory_order_acq_rel);
    if (before == blocked) std_sync::futex_wake(word_);
    if (before == waited_for) {
      auto failed = std::exchange(error_, nullptr);
      value given = failed ? value{} : std::move(*result_);
      dispatch(std::move(failed), std::move(given));
    }
  }

  /// Takes the result out; rethrows.
  R take() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    if constexpr (std::is_void_v<R>)
      return;
    else if constexpr (std::is_reference_v<R>)
      return std::move(*result_);
    else if constexpr (std::is_same_v<value, R>)
      return std::move(*result_);
    else
      return std::move(**result_);
  }

  /// Blocks a plain thread. False when the timeout passed first.
  [[nodiscard]] bool block(std::chrono::nanoseconds timeout) {
    if (is_ready()) return true;
    check_may_block();
    std::uint32_t expected = empty;
    if (!word_.compare_exchange_strong(expected, blocked, std::memory_order_acq_rel))
      return expected == ready ? true : throw boost::system::system_error(error::would_deadlock);
    auto const limited = timeout != wait_forever;
    auto const until =
        std::chrono::steady_clock::now() + (limited ? timeout : std::chrono::nanoseconds{});
    while (word_.load(std::memory_order_acquire) == blocked) {
      auto const left = limited ? until - std::chrono::steady_clock::now() : wait_forever;
      if (left.count() <= 0) break;
      std_sync::futex_wait(word_, blocked, left);
    }
    expected = blocked;
    return !word_.compare_exchange_strong(expected, empty, std::memory_order_acq_rel);
  }

  template <class Handler>
  void wait(Handler&& incoming) {
    auto const executor = asio::get_associated_executor(incoming, executor_of(*gate_));
    auto tracked = asio::prefer(executor, asio::execution::outstanding_work.tracked);
    using tracked_executor = decltype(tracked);
    work_ = std::make_shared<tracked_executor>(std::move(tracked));
    post_ = [](std::shared_ptr<void> const& work, last_step step) {
      asio::post(*static_cast<tracked_executor const*>(work.get()), std::move(step));
    };
    // Not assigned: in Boost 1.81 the move assignment of any_completion_handler calls itself.
    handler(std::forward<Handler>(incoming)).swap(waiter_);
    // Not that of `incoming`: the type-erased handler has put its own filter there, and refers to
    // it.
    auto slot = asio::get_associated_cancellation_slot(waiter_);
    if (slot.is_connected())
      slot.assign([weak = this->weak_from_this()](asio::cancellation_type type) {
        if (auto self = weak.lock(); self && type != asio::cancellation_type::none) self->cancel();
      });
    std::uint32_t expected = empty;
    if (word_.compare_exchange_strong(expected, waited_for, std::memory_order_acq_rel)) return;
    assert(expected == ready && "a flow variable is waited for once at a time");
    // Ready already. Posted through the typed executor: never inline.
    asio::post(executor, completion());
  }

 private:
  enum : std::uint32_t { empty, waited_for, blocked, ready };

  struct forward {
    std::stop_source* to;
    void operator()() const noexcept { to->request_stop(); }
  };

  /// The wait is given up; the result stays for another one.
  void cancel() {
    std::uint32_t expected = waited_for;
    if (!word_.compare_exchange_strong(expected, empty, std::memory_order_acq_rel)) return;
    // Posted: as with Asio's own operations, the handler does not run inside the emission.
    auto const executor = work_;
    post_(executor, completion(make_exception(error::cancelled), value{}));
  }

  [[nodiscard]] auto completion() {
    auto failed = std::exchange(error_, nullptr);
    value given = failed ? value{} : std::move(*result_);
    return completion(std::move(failed), std::move(given));
  }

  struct last_step {
    std::shared_ptr<void> work;
    handler to;
    std::exception_ptr failed;
    value given;

    void operator()() {
      if (auto slot = asio::get_associated_cancellation_slot(to); slot.is_connected()) slot.clear();
      if constexpr (std::is_void_v<R>)
        std::move(to)(std::move(failed));
      else
        std::move(to)(std::move(failed), std::move(given));
    }
  };

  [[nodiscard]] last_step completion(std::exception_ptr failed, value&& given) {
    return {std::move(work_), std::move(waiter_), std::move(failed), std::move(given)};
  }

  /// A wait is pending, so this is not inside the function that initiated it.
  void dispatch(std::exception_ptr failed, value&& given) {
    auto const executor = asio::get_associated_executor(waiter_, executor_of(*gate_));
    if (executor) {
      asio::dispatch(executor, completion(std::move(failed), std::move(given)));
    } else {
      // Its io_context has gone: destroyed, not invoked, like every handler of it.
      handler gone;
      gone.swap(waiter_);
    }
  }

  std::atomic<std::uint32_t> word_{empty};
  std::shared_ptr<gate_core> gate_;
  std::exception_ptr error_;
  std::optional<value> result_;
  handler waiter_;
  std::shared_ptr<void> work_;  ///< the handler's executor
  void (*post_)(std::shared_ptr<void> const& work, last_step step) = nullptr;  ///< through that
  std::stop_source stop_;
  std::optional<std::stop_callback<forward>> forward_;
};

/// The completion handler of a spawned token.
template <class R>
class flow_setter {
 public:
  using value = typename flow_state<R>::value;
  explicit flow_setter(std::shared_ptr<flow_state<R>> to) noexcept : to_(std::move(to)) {}
  flow_setter(flow_setter&&) noexcept = default;
  flow_setter& operator=(flow_setter&&) = delete;
  ~flow_setter() {
    if (to_) to_->set(make_exception(error::broken_promise), value{});
  }
  void operator()(std::exception_ptr error) && {
    std::exchange(to_, nullptr)->set(std::move(error), value{});
  }
  template <class V>
  void operator()(std::exception_ptr error, V&& given) && {
    std::exchange(to_, nullptr)->set(std::move(error), std::forward<V>(given));
  }

 private:
  std::shared_ptr<flow_state<R>> to_;
};

}  // namespace tokengate::detail
