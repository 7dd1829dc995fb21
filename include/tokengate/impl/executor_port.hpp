// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <memory>
#include <optional>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/fwd.hpp"

namespace tokengate::detail {

/// What is posted to a loop: one turn of a gate's drain.
class drain_target {
 public:
  /// `continued`: the drain that posted this one has not given the drain's state up.
  virtual void drain(bool continued, std::uint64_t posted_at) = 0;

 protected:
  ~drain_target() = default;

 private:
  template <class T>
  friend struct turn_allocator;

  static constexpr std::size_t reserve_size = 256;
  std::atomic<bool> reserve_taken_{false};
  alignas(block_alignment) std::byte reserve_[reserve_size];
};

/// Memory for a posted turn: the target's own, so that a wake-up cannot fail for want of memory and
/// leave results lying. Where that is taken, as for a second turn at a time, from the pool.
template <class T>
struct turn_allocator {
  using value_type = T;

  explicit turn_allocator(drain_target& of) noexcept : of(&of) {}
  template <class U>
  turn_allocator(turn_allocator<U> const& other) noexcept : of(other.of) {}

  [[nodiscard]] T* allocate(std::size_t n) {
    static_assert(alignof(T) <= block_alignment);
    // acquire: pairs with the release of whoever gave it back, maybe on another thread.
    if (n * sizeof(T) <= drain_target::reserve_size &&
        !of->reserve_taken_.exchange(true, std::memory_order_acquire))
      return static_cast<T*>(static_cast<void*>(of->reserve_));
    return block_allocator<T>{}.allocate(n);
  }
  void deallocate(T* memory, std::size_t n) noexcept {
    if (static_cast<void*>(memory) == of->reserve_)
      of->reserve_taken_.store(false, std::memory_order_release);
    else
      block_allocator<T>{}.deallocate(memory, n);
  }

  template <class U>
  bool operator==(turn_allocator<U> const& other) const noexcept {
    return of == other.of;
  }

  drain_target* of;
};

/// Asio frees the memory of a turn before it calls or destroys it, so the target is still there.
struct drain_turn {
  using allocator_type = turn_allocator<void>;

  std::shared_ptr<drain_target> target;
  std::uint64_t posted_at;
  bool continued;

  [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type(*target); }
  void operator()() { target->drain(continued, posted_at); }
};

/// A gate's executor under its own type: posting through a type-erased one would allocate on every
/// wake-up from a worker.
class executor_port {
 public:
  virtual ~executor_port() = default;
  virtual void post(drain_turn turn) = 0;
  /// Like post, from inside the loop, and behind what is already there.
  virtual void defer(drain_turn turn) = 0;
  virtual void start_work() = 0;
  virtual void finish_work() noexcept = 0;
  [[nodiscard]] virtual bool running_in_this_thread() const noexcept = 0;
};

/// Whether the calling thread runs the loop behind an executor. For a strand that is the loop of
/// its inner executor: a handler beside the strand occupies the same thread. False where it cannot
/// be told.
template <class Executor>
[[nodiscard]] bool runs_here(Executor const& executor) noexcept {
  using io = asio::io_context::executor_type;
  using pool = asio::thread_pool::executor_type;
  if constexpr (std::is_same_v<Executor, asio::any_io_executor>) {
    if (auto* found = executor.template target<io>()) return runs_here(*found);
    if (auto* found = executor.template target<asio::strand<io>>()) return runs_here(*found);
    if (auto* found = executor.template target<pool>()) return runs_here(*found);
    if (auto* found = executor.template target<asio::strand<pool>>()) return runs_here(*found);
    if (auto* found = executor.template target<asio::strand<asio::any_io_executor>>())
      return runs_here(found->get_inner_executor());
    return false;
  } else if constexpr (requires { executor.get_inner_executor(); }) {
    return runs_here(executor.get_inner_executor());
  } else if constexpr (requires { executor.running_in_this_thread(); }) {
    return executor.running_in_this_thread();
  } else {
    return false;
  }
}

template <class Executor>
class typed_executor_port final : public executor_port {
 public:
  explicit typed_executor_port(Executor executor) : executor_(std::move(executor)) {}

  void post(drain_turn turn) override { asio::post(executor_, std::move(turn)); }
  void defer(drain_turn turn) override { asio::defer(executor_, std::move(turn)); }
  void start_work() override {
    work_.emplace(asio::prefer(executor_, asio::execution::outstanding_work.tracked));
  }
  void finish_work() noexcept override { work_.reset(); }
  bool running_in_this_thread() const noexcept override { return runs_here(executor_); }

 private:
  using tracked = std::decay_t<decltype(asio::prefer(std::declval<Executor const&>(),
                                                     asio::execution::outstanding_work.tracked))>;
  Executor executor_;
  std::optional<tracked> work_;
};

template <class Executor>
[[nodiscard]] std::unique_ptr<executor_port> make_executor_port(Executor const& executor) {
  return std::make_unique<typed_executor_port<Executor>>(executor);
}

/// Finds the usual executors behind the type-erased one.
[[nodiscard]] inline std::unique_ptr<executor_port> make_executor_port(
    asio::any_io_executor const& executor) {
  using io = asio::io_context::executor_type;
  using pool = asio::thread_pool::executor_type;
  if (auto* found = executor.target<io>()) return make_executor_port(*found);
  if (auto* found = executor.target<asio::strand<io>>()) return make_executor_port(*found);
  if (auto* found = executor.target<pool>()) return make_executor_port(*found);
  if (auto* found = executor.target<asio::strand<pool>>()) return make_executor_port(*found);
  return std::make_unique<typed_executor_port<asio::any_io_executor>>(executor);
}

}  // namespace tokengate::detail
