// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "tokengate/channel_options.hpp"
#include "tokengate/detail/channel_mpmc.hpp"
#include "tokengate/detail/channel_rendezvous.hpp"
#include "tokengate/detail/channel_spsc.hpp"
#include "tokengate/fwd.hpp"
#include "tokengate/impl/context_member.hpp"

namespace tokengate::detail {

/// What the handles of a channel and the operations in it share, whatever its flavour. Any thread
/// may call anything, within what the flavour says about senders and receivers.
template <class T>
class channel_state {
 public:
  channel_state(asio::any_io_executor executor, std::size_t capacity, bool locked)
      : executor(std::move(executor)), capacity(capacity), locked(locked) {}
  channel_state(channel_state const&) = delete;
  channel_state& operator=(channel_state const&) = delete;
  virtual ~channel_state() = default;

  // As impl/async_wait.hpp wants them.
  virtual bool try_start(send_waiter<T>&) noexcept = 0;
  virtual bool try_start(receive_waiter<T>&) noexcept = 0;
  virtual bool start(send_waiter<T>&) noexcept = 0;
  virtual bool start(receive_waiter<T>&) noexcept = 0;
  virtual bool cancel(send_waiter<T>&) noexcept = 0;
  virtual bool cancel(receive_waiter<T>&) noexcept = 0;
  virtual bool retract(receive_waiter<T>&) noexcept = 0;

  virtual void close() noexcept = 0;
  virtual void cancel_all() noexcept = 0;
  [[nodiscard]] virtual bool closed() const noexcept = 0;
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
  [[nodiscard]] virtual std::size_t cost() const noexcept = 0;

  kept_executor const executor;
  std::size_t const capacity;
  bool const locked;  ///< else one call of each end at a time
  /// Handles of each end. acq_rel: the last one sees what the others have sent.
  std::atomic<std::size_t> senders{0};
  std::atomic<std::size_t> receivers{0};
};

/// A flavour whose core is a plain state machine under a mutex.
template <class T, class Core>
class locked_channel final : public channel_state<T> {
 public:
  template <class... CoreArgs>
  locked_channel(asio::any_io_executor executor, channel_options<T> const& options,
                 CoreArgs... args)
      : channel_state<T>(std::move(executor), options.capacity, true),
        core_(args...),
        cost_(options.cost) {}

  bool try_start(send_waiter<T>& from) noexcept override {
    weigh(from);
    return under_lock([&](auto& woken) { return core_.try_send(from, woken); });
  }
  bool start(send_waiter<T>& from) noexcept override {
    return under_lock([&](auto& woken) { return core_.send(from, woken); });
  }
  bool try_start(receive_waiter<T>& to) noexcept override {
    return under_lock([&](auto& woken) { return core_.try_receive(to, woken); });
  }
  bool start(receive_waiter<T>& to) noexcept override {
    return under_lock([&](auto& woken) { return core_.receive(to, woken); });
  }
  bool cancel(send_waiter<T>& from) noexcept override {
    return under_lock([&](auto& woken) { return core_.cancel(from, woken); });
  }
  bool cancel(receive_waiter<T>& to) noexcept override {
    return under_lock([&](auto& woken) { return core_.cancel(to, woken); });
  }
  bool retract(receive_waiter<T>& to) noexcept override {
    return under_lock([&](auto& woken) { return core_.retract(to, woken); });
  }
  void close() noexcept override {
    under_lock([&](auto& woken) { core_.close(woken); });
  }
  void cancel_all() noexcept override {
    under_lock([&](auto& woken) { core_.cancel_all(woken); });
  }
  bool closed() const noexcept override {
    std::lock_guard hold(mutex_);
    return core_.closed();
  }
  std::size_t size() const noexcept override {
    std::lock_guard hold(mutex_);
    return core_.size();
  }
  std::size_t cost() const noexcept override {
    std::lock_guard hold(mutex_);
    return core_.cost();
  }

 private:
  void weigh(send_waiter<T>& from) const noexcept {
    if (cost_ != nullptr) from.cost = cost_(*from.item);
  }
  /// Those who were woken are resumed after the lock was let go.
  template <class F>
  auto under_lock(F decide) noexcept {
    struct resume_at_end : woken_list {
      ~resume_at_end() { resume_all(*this); }
    } woken;
    std::lock_guard hold(mutex_);
    return decide(woken);
  }

  mutable short_mutex mutex_;
  Core core_;
  std::size_t (*cost_)(T const&);
};

template <class T>
class spsc_channel final : public channel_state<T> {
 public:
  spsc_channel(asio::any_io_executor executor, channel_options<T> const& options)
      : channel_state<T>(std::move(executor), options.capacity, false), core_(options.capacity) {}

  bool try_start(send_waiter<T>& from) noexcept override { return core_.try_send(from); }
  bool try_start(receive_waiter<T>& to) noexcept override { return core_.try_receive(to); }
  bool start(send_waiter<T>& from) noexcept override { return core_.send(from); }
  bool start(receive_waiter<T>& to) noexcept override { return core_.receive(to); }
  bool cancel(send_waiter<T>& from) noexcept override { return core_.cancel(from); }
  bool cancel(receive_waiter<T>& to) noexcept override { return core_.cancel(to); }
  bool retract(receive_waiter<T>& to) noexcept override { return core_.retract(to); }
  void close() noexcept override { core_.close(); }
  void cancel_all() noexcept override { core_.cancel_all(); }
  bool closed() const noexcept override { return core_.closed(); }
  std::size_t size() const noexcept override { return core_.size(); }
  std::size_t cost() const noexcept override { return core_.size(); }

 private:
  spsc_channel_core<T> core_;
};

template <class T>
[[nodiscard]] std::shared_ptr<channel_state<T>> make_channel_state(
    asio::any_io_executor executor, channel_options<T> const& options) {
  bool const by_cost = options.cost != nullptr || options.max_cost != unlimited_cost;
  if (by_cost && (options.capacity == 0 || options.flavour == channel_flavour::one_to_one))
    throw std::invalid_argument(
        "tokengate: a channel with max_cost or cost is any_to_any and has a capacity");
  if (options.capacity == 0)
    return std::make_shared<locked_channel<T, rendezvous_channel_core<T>>>(std::move(executor),
                                                                           options);
  if (options.flavour == channel_flavour::one_to_one)
    return std::make_shared<spsc_channel<T>>(std::move(executor), options);
  return std::make_shared<locked_channel<T, mpmc_channel_core<T>>>(
      std::move(executor), options, options.capacity, options.max_cost);
}

/// The same state with a reference count of its own, on a cache line of its own.
template <class State>
[[nodiscard]] std::shared_ptr<State> counted_anew(std::shared_ptr<State> const& state) {
  struct alignas(cache_line) counted {
    std::shared_ptr<State> of;
  };
  return std::shared_ptr<State>(std::make_shared<counted>(state), state.get());
}

}  // namespace tokengate::detail
