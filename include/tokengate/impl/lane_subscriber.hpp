// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "tokengate/detail/mix.hpp"
#include "tokengate/detail/own_work.hpp"
#include "tokengate/guard.hpp"
#include "tokengate/impl/bus_state.hpp"
#include "tokengate/impl/issuing.hpp"
#include "tokengate/impl/subscriber_handler.hpp"

namespace tokengate::detail {

/// For a lane_subscriber whose handler has no key.
struct no_key {};

/// Whether an error of a token says that its gate takes no more.
[[nodiscard]] bool gate_is_over(std::exception_ptr const& error) noexcept;

/// Handlers that run on a lane of a gate, as tokens.
///
/// One after another: a token runs what is queued, up to a budget, and is issued again while there
/// is more. Beside each other: a token per event, issued in the order of the queue, at most
/// `concurrency` of them out; with a key the gate keeps the order of the events of a key.
template <class T, class Key, class Handler, class Sink>
class lane_subscriber final : public handling_subscriber<T, subscriber, Handler, Sink> {
  using base = handling_subscriber<T, subscriber, Handler, Sink>;
  static constexpr bool keyed = !std::same_as<Key, no_key>;

 public:
  lane_subscriber(Key&& key, Handler&& handler, Sink&& sink, gate& through,
                  subscription_options const& options, std::weak_ptr<bus_state> bus)
      : base(std::move(handler), std::move(sink), options,
             subscriber::traits{"lane", places(options)}),
        key_(std::move(key)),
        batches_(guard(through, terms_of(*this, options), run_batch{})),
        singles_(guard(through, terms_of(*this, options), run_single{})),
        bus_(std::move(bus)) {}

  void wake() noexcept override {
    auto self = ref<lane_subscriber>::adopt(this);
    if (keyed || places_ > 1)
      issue_each(std::move(self));
    else
      issue_batch(std::move(self));
  }

 private:
  static constexpr std::uint32_t keys_at_once = 64;
  /// Events that one token handles, and the time after which it takes no other.
  static constexpr int budget = 64;
  static constexpr std::chrono::microseconds time_budget{100};

  static std::uint32_t places(subscription_options const& options) noexcept {
    if (options.concurrency != 0) return options.concurrency;
    return keyed ? keys_at_once : 1;
  }
  static token_options terms_of(subscriber const& self, subscription_options const& options) {
    token_options terms;
    terms.operation = self.name;
    terms.weight = options.weight;
    terms.admission = own_work;
    return terms;
  }

  struct run_batch {
    bool operator()(ref<lane_subscriber> const& of) const noexcept { return of->work_off(); }
  };
  struct single {
    ref<lane_subscriber> of;
    handling one;  ///< goes first
  };
  struct run_single {
    void operator()(single given) const noexcept {
      if (!given.one.start_now()) return;
      auto error = given.of->call(given.one.event());
      bool const well = error == nullptr;
      given.one.finish(well, std::move(error));
    }
  };

  /// The end of a token, on the gate's loop.
  struct batch_end {
    ref<lane_subscriber> of;

    explicit batch_end(ref<lane_subscriber> of) noexcept : of(std::move(of)) {}
    batch_end(batch_end&&) noexcept = default;
    batch_end& operator=(batch_end&&) = delete;
    ~batch_end() {
      if (of && !issuing::note_loss(of.get())) of->end();  // destroyed with its context, unheard
    }
    void operator()(std::exception_ptr error, bool more) {
      auto self = std::exchange(of, {});
      if (error) {  // only a gate that is over refuses it
        (void)self->report(std::move(error));
        self->end();
      } else if (more)
        self->issue_batch(std::move(self));
    }
  };
  struct single_end {
    ref<lane_subscriber> of;

    explicit single_end(ref<lane_subscriber> of) noexcept : of(std::move(of)) {}
    single_end(single_end&&) noexcept = default;
    single_end& operator=(single_end&&) = delete;
    ~single_end() {
      if (of && !issuing::note_loss(of.get())) of->end();
    }
    void operator()(std::exception_ptr error) {
      auto self = std::exchange(of, {});
      if (!error) return;
      (void)self->report(error);
      if (gate_is_over(error)) self->end();
    }
  };

  void issue_batch(ref<lane_subscriber> self) noexcept {
    for (;;) {
      try {
        issuing here(self.get());
        batches_(self)(batch_end(self));
        if (here.lost()) end();
        return;
      } catch (...) {
        // No memory for a token: that stands for the event it would have begun with.
        auto error = this->report(std::current_exception());
        handling one = take_next(*self);
        if (!one) return;
        one.finish(false, std::move(error));
      }
    }
  }

  /// On a worker. True: there may be more.
  [[nodiscard]] bool work_off() noexcept {
    auto const until = tick_clock::now() + tick_clock::to_ticks(time_budget);
    int left = budget;
    for (handling one = take_next(*this); one;) {
      auto error = this->call(one.event());
      bool const well = error == nullptr;
      if (--left == 0 || tick_clock::now() > until) {
        one.finish(well, std::move(error));
        return true;
      }
      one.finish_and_take(well, std::move(error));
    }
    return false;
  }

  /// In the order of the queue: one thread at a time is here, see `scheduled` of the core.
  void issue_each(ref<lane_subscriber> self) noexcept {
    for (handling one = take_next(*self); one; one = take_next(*self)) {
      try {
        std::uint64_t const key = key_of(one.event());
        issuing here(self.get());
        auto token = singles_(single{self, std::move(one)});
        if constexpr (keyed)
          std::move(token).keyed(key)(single_end(self));
        else
          std::move(token)(single_end(self));
        if (here.lost()) end();
      } catch (...) {
        auto error = this->report(std::current_exception());
        if (one) one.finish(false, std::move(error));
      }
    }
  }

  [[nodiscard]] std::uint64_t key_of(event_base& event) {
    if constexpr (keyed) {
      auto const& value = static_cast<event_block<T>&>(event).value;
      using key = std::decay_t<std::invoke_result_t<Key&, T const&>>;
      // Keys of a gate are everybody's, and its live keys impose their lanes. This object is alive
      // as long as any token of it, so its address is nobody else's.
      auto const mine = reinterpret_cast<std::uintptr_t>(this);
      if constexpr (std::integral<key>)
        return mix(mix(mine) + static_cast<std::uint64_t>(std::invoke(key_, value)));
      else
        return mix(mix(mine) +
                   static_cast<std::uint64_t>(std::hash<key>{}(std::invoke(key_, value))));
    } else {
      return 0;
    }
  }

  void end() noexcept {
    if (auto const bus = bus_.lock(); bus && this->space != nullptr)
      bus_core::end(*this->space, *this);
  }

  [[no_unique_address]] Key key_;
  guarded<run_batch> batches_;
  guarded<run_single> singles_;
  std::weak_ptr<bus_state> bus_;
  std::uint32_t const places_ = this->core.concurrency();
};

}  // namespace tokengate::detail
