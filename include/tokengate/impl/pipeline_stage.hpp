// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "tokengate/channel.hpp"
#include "tokengate/detail/own_work.hpp"
#include "tokengate/detail/stage_core.hpp"
#include "tokengate/guard.hpp"
#include "tokengate/impl/pipeline_state.hpp"
#include "tokengate/impl/scope_child.hpp"

namespace tokengate::detail {

/// What joins two stages; nothing behind a last stage that gives no values.
template <class T>
using link_of =
    std::conditional_t<std::is_void_v<T>, std::monostate,
                       std::shared_ptr<channel<std::conditional_t<std::is_void_v<T>, int, T>>>>;

/// What the function of a stage gives for an item; it may take a std::stop_token first.
template <class F, class A>
using stage_call =
    typename std::conditional_t<std::invocable<F const&, A>, std::invoke_result<F const&, A>,
                                std::invoke_result<F const&, std::stop_token, A>>::type;

template <class F, class A>
concept stage_function = !std::is_void_v<A> && callable_with<std::decay_t<F>, A>;

template <class R>
struct stage_result {
  using type = R;
  static constexpr bool coroutine = false;
};
template <class R, class Executor>
struct stage_result<asio::awaitable<R, Executor>> {
  using type = R;
  static constexpr bool coroutine = true;
};

/// A handler of a stage: runs on the executor of the pipeline.
template <class F>
class stage_handler {
 public:
  using executor_type = asio::any_io_executor;
  using allocator_type = block_allocator<void>;
  using cancellation_slot_type = asio::cancellation_slot;

  stage_handler(std::shared_ptr<pipeline_state> pipeline, F step, asio::cancellation_slot slot = {})
      : pipeline_(std::move(pipeline)), step_(std::move(step)), slot_(slot) {}
  stage_handler(stage_handler&&) noexcept = default;
  stage_handler& operator=(stage_handler&&) = delete;
  ~stage_handler() {
    if (!pipeline_) return;
    clear_slot();
    pipeline_->dropped_handler();
  }

  [[nodiscard]] executor_type get_executor() const noexcept { return pipeline_->executor(); }
  [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }

  template <class... Args>
  void operator()(Args&&... args) {
    auto const pipeline = std::move(pipeline_);
    clear_slot();
    pipeline->guarded([&] { step_(std::forward<Args>(args)...); });
  }

 private:
  /// What co_spawn left there has the executor in it, and must not outlive its context.
  void clear_slot() noexcept {
    if (slot_.is_connected()) slot_.clear();
  }

  std::shared_ptr<pipeline_state> pipeline_;
  F step_;
  asio::cancellation_slot slot_;
};

/// One stage: takes items of type A from its channel, and sends what F makes of them.
template <class A, class F>
class stage_of final : public pipeline_stage {
  using raw = stage_call<F, A>;
  static constexpr bool coroutine = stage_result<raw>::coroutine;

 public:
  using result = typename stage_result<raw>::type;

  stage_of(pipeline_state& pipeline, gate& on, stage_options const& options, link_of<A> in,
           link_of<result> out, F function)
      : pipeline_stage(options),
        pipeline_(pipeline),
        in_(std::move(in)),
        out_(std::move(out)),
        core_(options.parallel, options.window == 0 ? 2 * options.parallel : options.window,
              options.ordered),
        places_(core_.window()),
        work_(make_work(on, options, std::move(function))) {
    if constexpr (coroutine) signals_ = std::vector<asio::cancellation_signal>(core_.window());
  }

  void pump() override {
    if (ended_) return;
    send();
    receive();
    if (!core_.finished() || receiving_) return;
    ended_ = true;
    if constexpr (!std::is_void_v<result>) out_->close();
    pipeline_.stage_ended();
  }

  void fail() noexcept override {
    core_.end_input();
    in_->close();
    drop_queued();
    if constexpr (!std::is_void_v<result>) {
      out_->close();
      // The next stage does that for itself; nobody does it behind the last one.
      while (out_->try_receive()) pipeline_.dropped.fetch_add(1, std::memory_order_relaxed);
    }
    if constexpr (coroutine)
      for (auto& each : signals_) each.emit(asio::cancellation_type::all);
  }

  void close_channels() noexcept override {
    in_->close();
    drop_queued();
    if constexpr (!std::is_void_v<result>) out_->close();
  }
  std::size_t queued() const noexcept override { return in_->size(); }

 private:
  using place =
      std::optional<std::conditional_t<std::is_void_v<result>, std::monostate,
                                       std::conditional_t<std::is_void_v<result>, int, result>>>;

  static auto make_work(gate& on, stage_options const& options, F&& function) {
    if constexpr (coroutine)
      return std::move(function);
    else
      return guard(on, {.operation = options.name, .weight = options.weight, .admission = own_work},
                   std::move(function));
  }

  [[nodiscard]] std::shared_ptr<pipeline_state> shared() const {
    return pipeline_.shared_from_this();
  }
  template <class Step>
  [[nodiscard]] auto handler(Step step, asio::cancellation_slot slot = {}) {
    return stage_handler<Step>(shared(), std::move(step), slot);
  }
  static void count(std::atomic<std::uint64_t>& of) noexcept {
    of.fetch_add(1, std::memory_order_relaxed);
  }
  void drop_queued() noexcept {
    while (in_->try_receive()) count(dropped);
  }

  void receive() {
    while (core_.may_take() && !receiving_) {
      if (std::optional<A> item = in_->try_receive()) {
        begin(std::move(*item));
        continue;
      }
      receiving_ = true;
      auto step = [this](std::exception_ptr failed, value_of_t<A> item) {
        receiving_ = false;
        if (failed) {
          core_.end_input();
        } else if (pipeline_.failing()) {
          count(dropped);
        } else {
          if constexpr (std::is_same_v<value_of_t<A>, A>)
            begin(std::move(item));
          else
            begin(std::move(*item));
        }
        pump();
      };
      pipeline_.initiate([&] { in_->async_receive(handler(std::move(step))); },
                         [this] { receiving_ = false; });
    }
  }

  void begin(A item) {
    count(taken);
    std::size_t const slot = core_.take();
    auto step = [this, slot](std::exception_ptr failed, auto&&... value) {
      if (!failed && !pipeline_.failing()) keep(slot, std::forward<decltype(value)>(value)...);
      core_.done(slot);
      if (failed) pipeline_.fail(std::move(failed));
      pump();
    };
    pipeline_.initiate(
        [&] {
          if constexpr (coroutine) {
            // Kept as long as the coroutine runs, which may have taken its item by reference.
            auto work = [this, item = std::move(item)]() mutable { return call(item); };
            asio::co_spawn(pipeline_.executor(), std::move(work),
                           handler(std::move(step), signals_[slot].slot()));
          } else {
            work_(std::move(item)).stop_on(pipeline_.stop_token())(handler(std::move(step)));
          }
        },
        [this, slot] { core_.done(slot); });
  }
  /// A coroutine of the stage's function, called as stage_function asks for it.
  [[nodiscard]] raw call(A& item) {
    if constexpr (std::invocable<F const&, A>)
      return std::invoke(std::as_const(work_), std::move(item));
    else
      return std::invoke(std::as_const(work_), pipeline_.stop_token(), std::move(item));
  }
  void keep(std::size_t slot) { places_[slot].emplace(); }
  template <class V>
  void keep(std::size_t slot, V&& value) {
    if constexpr (std::constructible_from<result, V&&>)
      places_[slot].emplace(std::forward<V>(value));
    else
      places_[slot].emplace(*std::forward<V>(value));
  }

  void send() {
    for (std::size_t slot = core_.next(); slot != stage_core::none; slot = core_.next()) {
      if (!places_[slot] || pipeline_.failing()) {
        leave(slot, false);
      } else if constexpr (std::is_void_v<result>) {
        count(pipeline_.completed);
        leave(slot, true);
      } else if (out_->try_send(std::move(*places_[slot]))) {
        leave(slot, true);
      } else {
        auto step = [this, slot](std::exception_ptr failed) {
          leave(slot, !failed);
          pump();
        };
        pipeline_.initiate([&] { out_->async_send_from(*places_[slot], handler(std::move(step))); },
                           [this, slot] { leave(slot, false); });
        return;
      }
    }
  }
  void leave(std::size_t slot, bool sent) noexcept {
    places_[slot].reset();
    core_.sent(slot);
    count(sent ? left : dropped);
  }

  using work = decltype(make_work(std::declval<gate&>(), stage_options(), std::declval<F>()));

  pipeline_state& pipeline_;
  link_of<A> const in_;
  link_of<result> const out_;
  stage_core core_;
  bool receiving_ = false;
  bool ended_ = false;
  std::vector<place> places_;
  work work_;
  std::vector<asio::cancellation_signal> signals_;  ///< of coroutines, by slot
};

}  // namespace tokengate::detail
