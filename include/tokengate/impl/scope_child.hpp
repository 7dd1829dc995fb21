// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <concepts>
#include <deque>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/wait_error.hpp"
#include "tokengate/impl/completion.hpp"
#include "tokengate/impl/is_awaitable.hpp"
#include "tokengate/impl/scope_state.hpp"

/// @file
/// The children of a task scope with their types, and where their outcomes are kept.

namespace tokengate::detail {

/// Makes a coroutine when it is called. Kept as long as the coroutine runs.
template <class Work>
concept coroutine_function = requires(Work& work) {
  requires is_awaitable<std::decay_t<decltype(work())>>;
};

/// Outcomes in the order of spawning: a place per child. Places do not move.
template <class T>
struct scope_outcomes {
  std::deque<scope_result<T>, block_allocator<scope_result<T>>> places;
};
/// Of children without values only the failures are kept, and of these not all: a scope may live
/// for long.
template <>
struct scope_outcomes<void> {
  static constexpr std::size_t limit = 1000;
  std::vector<scope_result<void>> places;
};

/// Invariant: a place is written by its child alone, before its end is reported; outcomes_ is
/// exchanged when no child is out.
template <class T>
class scope_state_of final : public scope_state {
 public:
  using scope_state::scope_state;

  /// Under the lock. May throw bad_alloc.
  [[nodiscard]] scope_result<T>* make_place(std::size_t index) {
    if (!outcomes_) outcomes_ = std::make_unique<scope_outcomes<T>>();
    if constexpr (std::is_void_v<T>) {
      return nullptr;
    } else {
      outcomes_->places.emplace_back().index = index;
      return &outcomes_->places.back();
    }
  }
  [[nodiscard]] std::unique_ptr<scope_outcomes<T>> take_outcomes() noexcept {
    return std::move(outcomes_);
  }
  void note_failure(std::size_t index, std::exception_ptr const& error) noexcept {
    std::lock_guard hold(failures_mutex_);
    try {
      if (outcomes_->places.size() != scope_outcomes<void>::limit)
        outcomes_->places.push_back({index, error});
    } catch (...) {
      // It is counted, and the first one is kept apart.
    }
  }

 private:
  std::unique_ptr<scope_outcomes<T>> outcomes_;
  short_mutex failures_mutex_;  ///< children without values share places
};

template <class T>
class scope_task_of : public scope_task {
 public:
  using scope_task::scope_task;

  void place_at(std::size_t index) {
    index_ = index;
    place_ = state().make_place(index);
  }
  void keep(std::exception_ptr const& error) noexcept override {
    if constexpr (std::is_void_v<T>)
      state().note_failure(index_, error);
    else
      place_->error = error;
  }
  template <class V>
  void keep_value(V&& value) {
    if constexpr (std::is_void_v<T>)
      static_cast<void>(value);
    else if constexpr (std::constructible_from<T, V&&>)
      place_->value.emplace(std::forward<V>(value));
    else
      place_->value.emplace(*std::forward<V>(value));  // how what has no default arrives
  }

 private:
  [[nodiscard]] scope_state_of<T>& state() const noexcept {
    return static_cast<scope_state_of<T>&>(scope());
  }
  std::size_t index_ = 0;
  scope_result<T>* place_ = nullptr;
};

/// The completion handler of a child. Its executor is that of the child: co_spawn() takes that one
/// for a handler that names none.
template <class T>
class scope_end {
 public:
  using cancellation_slot_type = asio::cancellation_slot;
  using allocator_type = block_allocator<void>;

  explicit scope_end(std::shared_ptr<scope_task_of<T>> task) noexcept : task_(std::move(task)) {}
  scope_end(scope_end&&) noexcept = default;
  scope_end& operator=(scope_end&&) = delete;
  ~scope_end() {
    if (task_) task_->drop();
  }

  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
    return task_->slot();
  }
  [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }

  void operator()(std::exception_ptr error = nullptr) {
    auto const task = std::move(task_);
    task->report(std::move(error));
  }
  template <class V>
  void operator()(std::exception_ptr error, V&& value) {
    auto const task = std::move(task_);
    if (!error) {
      try {
        task->keep_value(std::forward<V>(value));
      } catch (...) {
        error = std::current_exception();
      }
    }
    task->report(std::move(error));
  }
  template <class... V>
  void operator()(boost::system::error_code failed, V&&... value) {
    auto error = failed ? std::make_exception_ptr(boost::system::system_error(failed)) : nullptr;
    (*this)(std::move(error), std::forward<V>(value)...);
  }

 protected:
  std::shared_ptr<scope_task_of<T>> task_;
};

/// For operations that are not coroutines.
template <class T>
class scope_end_on_executor : public scope_end<T> {
 public:
  using executor_type = asio::any_io_executor;
  using scope_end<T>::scope_end;
  [[nodiscard]] executor_type get_executor() const noexcept { return this->task_->executor(); }
};

/// The function of a child, which may own what refers to the caller of with_scope(): destroyed
/// before its share of that is.
template <class Work>
struct hosted_function {
  host_share host;
  Work work;
  auto operator()() { return work(); }
};

template <class T, class Work>
class scope_child_of final : public scope_task_of<T> {
 public:
  template <class Given>
  scope_child_of(std::shared_ptr<scope_state> scope, Given&& work)
      : scope_task_of<T>(std::move(scope)), work_(std::forward<Given>(work)) {}

  void begin() override {
    auto self = std::static_pointer_cast<scope_task_of<T>>(this->shared_from_this());
    Work work(std::move(*work_));
    work_.reset();
    if constexpr (coroutine_function<Work>) {
      hosted_function<Work> function{this->scope().host(), std::move(work)};
      asio::co_spawn(this->executor(), std::move(function), scope_end<T>(std::move(self)));
    } else if constexpr (is_awaitable<Work>) {
      asio::co_spawn(this->executor(), std::move(work), scope_end<T>(std::move(self)));
    } else {
      if constexpr (requires { std::move(work).no_later_than(wait_clock::time_point()); })
        static_cast<void>(std::move(work).no_later_than(this->scope().until()));
      std::move(work)(scope_end_on_executor<T>(std::move(self)));
    }
  }

 private:
  std::optional<Work> work_;  ///< until it begins
};

template <class T, class Work>
bool add_child(std::shared_ptr<scope_state_of<T>> const& state, Work&& work) {
  using child = scope_child_of<T, std::decay_t<Work>>;
  if (state->context_ended()) return false;
  auto made =
      std::allocate_shared<child>(block_allocator<child>{}, state, std::forward<Work>(work));
  child* const raw = made.get();
  return state->add(std::move(made), [raw](std::size_t index) { raw->place_at(index); });
}

template <class T>
using values_of = std::vector<std::conditional_t<std::is_void_v<T>, std::monostate, T>>;
template <class T>
using join_signature = std::conditional_t<std::is_void_v<T>, void(std::exception_ptr),
                                          void(std::exception_ptr, values_of<T>)>;

/// Waits for the children, and gives their values or the first error.
template <class T>
class join_waiter : public scope_waiter {
 public:
  using limited_signature = join_signature<T>;
  explicit join_waiter(resume_function resume) noexcept : scope_waiter(resume, false) {}
  void take_from(scope_state& state) noexcept override {
    error_ = state.take_error();
    outcomes_ = static_cast<scope_state_of<T>&>(state).take_outcomes();
  }
  template <class F>
  void complete(F&& finish) {
    auto error = outcome == wait_outcome::done ? std::move(error_) : exception_of(outcome);
    if constexpr (std::is_void_v<T>) {
      std::move(finish)(std::move(error));
    } else {
      std::vector<T> values;
      if (!error && outcomes_) try {
          values.reserve(outcomes_->places.size());
          for (auto& each : outcomes_->places) values.push_back(std::move(*each.value));
        } catch (...) {
          error = std::current_exception();
          values.clear();
        }
      std::move(finish)(std::move(error), std::move(values));
    }
  }

 protected:
  std::exception_ptr error_;
  std::unique_ptr<scope_outcomes<T>> outcomes_;
};

/// Waits for the children, and gives how each of them ended.
template <class T>
class collect_waiter : public join_waiter<T> {
 public:
  using join_waiter<T>::join_waiter;
  template <class F>
  void complete(F&& finish) {
    std::move(finish)(results());
  }

 protected:
  [[nodiscard]] std::vector<scope_result<T>> results() noexcept {
    std::vector<scope_result<T>> given;
    try {
      if (this->outcomes_) {
        given.reserve(this->outcomes_->places.size());
        for (auto& each : this->outcomes_->places) given.push_back(std::move(each));
      }
    } catch (...) {
      given.clear();  // the handler is called, with nothing rather than a part
    }
    return given;
  }
};

/// The same, but gives up after a while.
template <class T>
class limited_collect_waiter : public collect_waiter<T> {
 public:
  using limited_signature = void(std::exception_ptr, std::vector<scope_result<T>>);
  using collect_waiter<T>::collect_waiter;
  template <class F>
  void complete(F&& finish) {
    auto error = exception_of(this->outcome);
    auto given = this->results();
    std::move(finish)(std::move(error), std::move(given));
  }
};

}  // namespace tokengate::detail
