// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/dispatch.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/scope_core.hpp"
#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/error.hpp"
#include "tokengate/impl/async_wait.hpp"
#include "tokengate/impl/context_member.hpp"
#include "tokengate/impl/scope_body.hpp"
#include "tokengate/impl/scope_host.hpp"
#include "tokengate/impl/scope_task.hpp"
#include "tokengate/impl/serial_executor.hpp"
#include "tokengate/scope_options.hpp"

/// @file
/// What the children of a task scope share. See detail/scope_core.hpp for the decisions.
///
/// Invariants
///  - core_, the first error and the list of waits are touched under mutex_; nothing of a child, of
///    Asio or of the user is called under it.
///  - A child is started, and asked to stop, on its own executor, one after the other; `over_` and
///    its cancellation signal are touched there only.
///  - A child keeps the state. Its handler keeps the child; while it waits, it keeps itself. Each
///    child reports its end once, by its handler's call or by its handler's destruction.
///  - The body of with_scope() is no child: a join does not wait for it. While body_runs_ the first
///    failure and the deadline cancel it with the children, and the deadline is watched for it.

namespace tokengate::detail {

/// To the log: a scope was given up with children that nobody had joined.
void report_abandoned_scope(std::size_t live) noexcept;

class scope_state : public std::enable_shared_from_this<scope_state>, public context_member {
 public:
  scope_state(asio::any_io_executor executor, scope_options const& options)
      : context_member(std::move(executor)),
        core_(options.max_concurrency, options.on_error == on_child_error::cancel_rest),
        serial_(is_serial(this->executor())) {
    auto const now = wait_clock::now();
    if (options.deadline < no_wait_limit - now) until_ = now + options.deadline;
  }
  virtual ~scope_state() = default;

  [[nodiscard]] wait_clock::time_point until() const noexcept { return until_; }
  /// Whether children run on executor() itself.
  [[nodiscard]] bool is_shared() const noexcept { return serial_; }

  /// Takes a child on. `prepare(index)` makes its place, under the lock, and may throw.
  template <class Prepare>
  bool add(std::shared_ptr<scope_task> child, Prepare prepare) {
    {
      std::lock_guard hold(mutex_);
      if (!core_.cancelled()) prepare(next_index_);
      auto const verdict = core_.add(*child);
      if (verdict == scope_core::verdict::refuse) {
        if (!first_error_) first_error_ = reason_;
        return false;
      }
      ++next_index_;
      if (verdict == scope_core::verdict::wait) {
        child->self_ = child;
        return true;
      }
    }
    try {
      watch_deadline();
    } catch (...) {
      ended(*child, std::current_exception());
      return true;
    }
    start(std::move(child));
    return true;
  }

  /// The end of a child.
  void ended(scope_task& child, std::exception_ptr error) noexcept {
    auto const keep_alive = shared_from_this();
    woken_list woken;
    std::shared_ptr<scope_task> next;
    bool cancel_rest = false;
    bool interrupt = false;
    if (error) child.keep(error);
    {
      std::lock_guard hold(mutex_);
      if (error && !first_error_) first_error_ = reason_ ? reason_ : error;
      auto const step = core_.ended(child, error != nullptr);
      if (step.start != nullptr) next = std::move(static_cast<scope_task*>(step.start)->self_);
      interrupt = step.first && body_runs_;
      if (interrupt && !interruption_) interruption_ = first_error_;
      cancel_rest = step.cancel || interrupt;
      if (step.idle) settle(woken);
    }
    if (cancel_rest) cancel(error::cancelled);
    if (interrupt) interrupt_body();
    if (next) start(std::move(next));
    resume_all(woken);
  }

  /// Any thread, any number of times.
  void cancel(error why) noexcept {
    auto const keep_alive = shared_from_this();
    child_list withdrawn;
    {
      std::lock_guard hold(mutex_);
      if (!core_.cancel(withdrawn)) return;
      reason_ = make_exception(why);
    }
    while (scope_child* each = withdrawn.pop_front()) {
      auto const child = std::move(static_cast<scope_task*>(each)->self_);
      ended(*child, reason_);
    }
    signal_children();
  }

  void on_cancel_request() noexcept { cancel(error::cancelled); }

  /// For with_scope(), before anything else. May throw bad_alloc.
  [[nodiscard]] std::shared_ptr<body_task> attach_body(host_share const& host) {
    auto body = std::make_shared<body_task>(serial_ ? executor() : strand_over(executor()));
    body_ = body;
    host_ = host;
    body_runs_ = true;
    return body;
  }
  void body_ended() noexcept {
    auto const keep_alive = shared_from_this();
    woken_list woken;
    {
      std::lock_guard hold(mutex_);
      body_runs_ = false;
      if (core_.live() == 0) settle(woken);
    }
    resume_all(woken);
  }
  /// Who keeps the caller of with_scope(); null for other scopes.
  [[nodiscard]] host_share host() const noexcept { return host_.lock(); }
  /// What cancelled the body: the failure of a child, or the deadline. Null: neither did.
  [[nodiscard]] std::exception_ptr interruption() const noexcept {
    std::lock_guard hold(mutex_);
    return interruption_;
  }
  /// Begins to watch, if nobody does. May throw bad_alloc.
  void watch_deadline();

  // For async_wait().
  bool start(scope_waiter& wait) noexcept {
    std::lock_guard hold(mutex_);
    if (core_.live() == 0 && !(wait.watch() && body_runs_)) {
      hand_over(wait);
      return true;
    }
    waiting_.push_back(wait);
    return false;
  }
  bool cancel(scope_waiter& wait) noexcept {
    std::lock_guard hold(mutex_);
    if (!wait.linked()) return false;
    waiting_.remove(wait);
    return true;
  }

  [[nodiscard]] std::exception_ptr take_error() noexcept {
    return std::exchange(first_error_, nullptr);
  }

  /// Children that are out while no join waits for them.
  [[nodiscard]] std::size_t not_joined() const noexcept {
    std::lock_guard hold(mutex_);
    bool joined = false;
    waiting_.for_each(
        [&](waiter& each) { joined = joined || !static_cast<scope_waiter&>(each).watch(); });
    return joined ? 0 : core_.live();
  }

  [[nodiscard]] scope_snapshot snapshot() const noexcept {
    std::lock_guard hold(mutex_);
    return {core_.spawned(), core_.failed(),  core_.refused(),  core_.live(),
            core_.running(), core_.waiting(), core_.cancelled()};
  }

 private:
  /// On its way to the executor of its child.
  class starter {
   public:
    using allocator_type = block_allocator<void>;
    explicit starter(std::shared_ptr<scope_task> child) noexcept : child_(std::move(child)) {}
    starter(starter&&) noexcept = default;
    ~starter() {
      // The executor has gone: what waits must not go there either.
      if (!child_) return;
      child_->scope().cancel(error::broken_promise);
      child_->scope().ended(*child_, make_exception(error::broken_promise));
    }
    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    void operator()() {
      auto const child = std::move(child_);
      child->scope().begin(*child);
    }

   private:
    std::shared_ptr<scope_task> child_;
  };

  void start(std::shared_ptr<scope_task> child) noexcept {
    // executor() would run it at once, while its loop is being destroyed.
    if (context_ended()) return static_cast<void>(starter(std::move(child)));
    scope_task& task = *child;
    if (already_on(task.executor())) return begin(task);
    auto const executor = task.executor();
    try {
      asio::dispatch(executor, starter(std::move(child)));
    } catch (...) {
      // The starter has reported it.
    }
  }
  void begin(scope_task& task) noexcept {
    auto const child = task.shared_from_this();
    if (task.stop_) return ended(task, reason_);
    task.beginning_ = true;
    std::exception_ptr failed;
    try {
      task.begin();
    } catch (...) {
      failed = std::current_exception();
    }
    task.beginning_ = false;
    if (failed)
      ended(task, std::move(failed));
    else if (task.dropped_)
      ended(task, make_exception(error::broken_promise));
  }

  void signal_children() noexcept {
    // A context that is being destroyed destroys them, and what they wait for may be gone already.
    if (context_ended()) return;
    while (true) {
      std::shared_ptr<scope_task> child;
      {
        std::lock_guard hold(mutex_);
        scope_child* const next = core_.next_to_signal();
        if (next == nullptr) return;
        child = static_cast<scope_task*>(next)->shared_from_this();
      }
      if (already_on(child->executor())) {
        signal(*child);
        continue;
      }
      try {
        auto const executor = child->executor();
        asio::dispatch(executor, [own = std::move(child)] { own->scope().signal(*own); });
      } catch (...) {
        // Without memory for the message this child ends by itself, later.
      }
    }
  }
  static void signal(scope_task& child) noexcept {
    if (child.over_) return;
    child.stop_ = true;
    try {
      // Inside begin() the operation may not be in the slot yet, and a coroutine that has never
      // suspended cannot bear it: co_spawn() of Boost 1.81 awaits once more after its end.
      if (child.beginning_)
        return asio::post(child.executor(), [own = child.shared_from_this()] { signal(*own); });
      child.signal_.emit(asio::cancellation_type::all);
    } catch (...) {
      // What an operation throws when it is cancelled concerns nobody here.
    }
  }

  void interrupt_body() noexcept {
    auto const body = body_.lock();
    if (body && !context_ended()) body->interrupt(asio::cancellation_type::terminal);
  }
  void pass_deadline() noexcept {
    bool interrupt = false;
    {
      std::lock_guard hold(mutex_);
      interrupt = body_runs_;
      if (interrupt && !interruption_) interruption_ = make_exception(error::deadline_passed);
    }
    cancel(error::deadline_passed);
    if (interrupt) interrupt_body();
  }

  void settle(woken_list& woken) noexcept {
    scope_waiter* still_needed = nullptr;
    while (waiter* const each = waiting_.pop_front()) {
      auto& wait = static_cast<scope_waiter&>(*each);
      if (wait.watch() && body_runs_) {
        still_needed = &wait;
        continue;
      }
      hand_over(wait);
      woken.push_back(wait);
    }
    if (still_needed != nullptr) waiting_.push_back(*still_needed);
  }
  /// Under the lock, with no child out.
  void hand_over(scope_waiter& wait) noexcept {
    if (wait.watch()) {
      watched_ = false;
    } else {
      wait.take_from(*this);
      next_index_ = 0;
    }
  }

  mutable short_mutex mutex_;
  scope_core core_;
  bool const serial_;
  bool watched_ = false;
  std::size_t next_index_ = 0;
  wait_clock::time_point until_ = no_wait_limit;
  std::exception_ptr first_error_;
  std::exception_ptr reason_;  ///< once cancelled
  wait_list waiting_;
  std::weak_ptr<body_task> body_;   ///< set before there are children
  std::weak_ptr<scope_host> host_;  ///< likewise
  bool body_runs_ = false;
  std::exception_ptr interruption_;
};

inline scope_task::scope_task(std::shared_ptr<scope_state> scope)
    : host_(scope->host()), scope_(std::move(scope)) {
  if (!scope_->is_shared()) strand_ = strand_over(scope_->executor());
}
inline asio::any_io_executor const& scope_task::executor() const noexcept {
  return strand_ ? *strand_ : scope_->executor();
}
inline void scope_task::report(std::exception_ptr error) noexcept {
  over_ = true;
  scope_->ended(*this, std::move(error));
}
inline void scope_task::drop() noexcept {
  over_ = true;
  dropped_ = true;
  if (!beginning_) scope_->ended(*this, make_exception(error::broken_promise));
}

/// Notices the deadline: a wait that ends with it, or with the last child.
class deadline_watch : public scope_waiter {
 public:
  explicit deadline_watch(resume_function resume) noexcept : scope_waiter(resume, true) {}
  template <class F>
  void complete(F&& finish) {
    std::move(finish)(outcome == wait_outcome::timed_out);
  }
};

inline void scope_state::watch_deadline() {
  if (until_ == no_wait_limit) return;
  {
    std::lock_guard hold(mutex_);
    if (std::exchange(watched_, true)) return;
  }
  try {
    // As its own handler, without work: the children keep the loop.
    async_wait_until<void(bool), deadline_watch>(
        shared_from_this(), executor(), until_, [self = weak_from_this()](bool passed) {
          if (auto const state = self.lock(); state && passed) state->pass_deadline();
        });
  } catch (...) {
    std::lock_guard hold(mutex_);
    watched_ = false;  // the next child tries again
    throw;
  }
}

}  // namespace tokengate::detail
