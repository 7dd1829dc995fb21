// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <variant>

#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/detail/wait_error.hpp"
#include "tokengate/impl/async_wait.hpp"
#include "tokengate/impl/completion.hpp"
#include "tokengate/impl/context_member.hpp"
#include "tokengate/impl/gate_access.hpp"
#include "tokengate/impl/thread_wait.hpp"

namespace tokengate::detail {

[[nodiscard]] std::shared_ptr<gate_core> share(gate_core& gate) noexcept;

template <class R>
class flow_state;

/// Who waits for a flow variable: the one that takes the result, or somebody who only wants to know
/// that it is there.
class flow_waiter_base : public waiter {
 public:
  bool const takes;
  bool given_up = false;  ///< under the mutex of the state

 protected:
  flow_waiter_base(resume_function resume, bool takes) noexcept : waiter(resume), takes(takes) {}
  ~flow_waiter_base() = default;
};

/// For a second wait for a result, and for a variable without a state: std::future_error, as
/// std::future has it.
[[nodiscard]] std::exception_ptr no_result(std::future_errc why) noexcept;

/// Takes the result, when its handler is about to be called: until then it stays for another wait.
template <class R>
class flow_waiter : public flow_waiter_base {
 public:
  flow_waiter(resume_function resume, flow_state<R>* of) noexcept
      : flow_waiter_base(resume, true), of_(of) {}

  template <class F>
  void complete(F&& finish) {
    using value = typename flow_state<R>::value;
    auto failed = outcome == wait_outcome::done ? of_->claim() : exception_of(outcome);
    if constexpr (std::is_void_v<R>) {
      std::move(finish)(std::move(failed));
    } else {
      value given = failed ? value{} : std::move(*of_->result_);
      std::move(finish)(std::move(failed), std::move(given));
    }
  }

 private:
  flow_state<R>* of_;  ///< kept alive by the operation
};

/// The one place between the source of a value and its flow variable.
///
/// Invariant: until ready_ the result is the setter's, who writes it once; from then on it belongs
/// to whoever sets taken_, once. waiting_ is empty once it is ready, and touched under mutex_. One
/// waiter at a time waits to take the result.
template <class R>
class flow_state {
 public:
  using value =
      typename std::conditional_t<std::is_void_v<R>, std::type_identity<std::monostate>,
                                  value_of<std::conditional_t<std::is_void_v<R>, int, R>>>::type;

  explicit flow_state(std::shared_ptr<gate_core> gate) : gate_(std::move(gate)) {}
  explicit flow_state(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  flow_state(flow_state const&) = delete;
  flow_state& operator=(flow_state const&) = delete;
  ~flow_state() {
    // An exception that nobody asked for must not vanish.
    if (error_ && is_ready()) lost_error(gate_.get(), error_);
  }

  [[nodiscard]] bool is_ready() const noexcept {
    // acquire: pairs with set(), the result is written.
    return ready_.load(std::memory_order_acquire);
  }
  /// The flow variable keeps the state, which other threads may ask.
  [[nodiscard]] bool taken() const noexcept { return taken_.load(std::memory_order_relaxed); }
  /// Once ready: null, and the value is the caller's to take; or the exception, which is his then;
  /// or that somebody else has taken it.
  [[nodiscard]] std::exception_ptr claim() noexcept {
    // relaxed: it decides between takers, who have read the result already through ready_.
    if (taken_.exchange(true, std::memory_order_relaxed))
      return no_result(std::future_errc::future_already_retrieved);
    return std::exchange(error_, nullptr);
  }
  [[nodiscard]] std::stop_source& stop() noexcept { return stop_; }
  void stop_with(std::stop_token outer) {
    if (outer.stop_possible()) forward_.emplace(std::move(outer), forward{&stop_});
  }
  /// For handlers without an executor of their own.
  [[nodiscard]] asio::any_io_executor const& executor() const noexcept {
    return gate_ ? executor_of(*gate_) : executor_;
  }

  /// Setter, once.
  void set(std::exception_ptr error, value&& result) {
    error_ = std::move(error);
    try {
      if (!error_) result_.emplace(std::move(result));
    } catch (...) {
      error_ = std::current_exception();  // of its move; whoever waits has to hear of it
    }
    woken_list woken;
    {
      std::lock_guard hold(mutex_);
      ready_.store(true, std::memory_order_release);
      while (waiter* next = waiting_.pop_front()) woken.push_back(*next);
    }
    resume_all(woken);
  }

  /// Takes the result out; rethrows.
  R take() {
    if (auto failed = claim()) std::rethrow_exception(std::move(failed));
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
    prepare_to_block(may_block::plain_threads);
    thread_waiter<flow_waiter<R>> self(this);
    wait_on_thread(*this, self, timeout);
    if (self.outcome == wait_outcome::refused)
      throw boost::system::system_error(error::would_deadlock);
    return self.outcome == wait_outcome::done;
  }

  // As impl/async_wait.hpp wants them.
  [[nodiscard]] bool try_start(flow_waiter_base&) const noexcept { return is_ready(); }
  [[nodiscard]] bool start(flow_waiter_base& self) noexcept {
    std::lock_guard hold(mutex_);
    if (is_ready()) return true;
    if (self.takes && taker_ != nullptr && taker_->linked()) {
      self.outcome = wait_outcome::refused;  // there is one result, and somebody waits for it
      return true;
    }
    if (self.takes) taker_ = &self;
    waiting_.push_back(self);
    return false;
  }
  [[nodiscard]] bool cancel(flow_waiter_base& self) noexcept {
    std::lock_guard hold(mutex_);
    if (!self.linked()) return false;
    waiting_.remove(self);
    self.given_up = true;
    if (taker_ == &self) taker_ = nullptr;
    return true;
  }
  /// The result is taken with the call of the handler, and not before.
  [[nodiscard]] bool retract(flow_waiter_base& self) noexcept {
    std::lock_guard hold(mutex_);
    // Whoever gave it up, such as a limit, is about to write its outcome.
    return !self.given_up && self.outcome == wait_outcome::done;
  }

 private:
  template <class>
  friend class flow_waiter;

  struct forward {
    std::stop_source* to;
    void operator()() const noexcept { to->request_stop(); }
  };

  short_mutex mutex_;
  std::atomic<bool> ready_{false};
  std::atomic<bool> taken_{false};
  wait_list waiting_;
  flow_waiter_base* taker_ = nullptr;  ///< who waits and takes
  std::shared_ptr<gate_core> gate_;
  kept_executor executor_;
  std::exception_ptr error_;
  std::optional<value> result_;
  std::stop_source stop_;
  std::optional<std::stop_callback<forward>> forward_;
};

/// The source of a value, as a completion handler: of a spawned token, and inside a promise.
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
