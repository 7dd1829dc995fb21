// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/post.hpp>
#include <memory>

#include "tokengate/detail/own_work.hpp"
#include "tokengate/guard.hpp"
#include "tokengate/impl/actor_issue.hpp"
#include "tokengate/impl/serial_executor.hpp"

/// @file
/// Where the turns of an actor run: on the workers of a gate's lane, or on a loop.

namespace tokengate::detail {

/// Each turn is a token. The next one is issued by whoever brings a message, or by the loop when a
/// turn has left some: never from inside a token, which would make an endless chain of children.
template <class State>
class lane_actor final : public actor_state<State> {
  using base = actor_state<State>;
  using own = std::shared_ptr<lane_actor>;

 public:
  lane_actor(gate& on, actor_options const& options, typename base::factory make)
      : base(on.get_executor(), options, std::move(make)),
        turn_(guard(on,
                    {.operation = options.name, .weight = options.weight, .admission = own_work},
                    &run)) {}

  [[nodiscard]] bool has_coroutines() const noexcept override { return false; }

 private:
  class turn_end {
   public:
    explicit turn_end(own self) noexcept : self_(std::move(self)) {}
    turn_end(turn_end&&) noexcept = default;
    ~turn_end() {
      if (self_ && !issuing::note_loss(static_cast<base const*>(self_.get())))
        self_->turn_lost(make_exception(error::broken_promise));
    }
    void operator()(std::exception_ptr failed, bool again) {
      auto const self = std::move(self_);
      if (failed)
        self->end_with(std::move(failed));  // the gate takes no more
      else if (again)
        self->start_turn();
    }

   private:
    own self_;
  };

  static bool run(own self) { return self->run_turn(); }

  void start_turn() noexcept override {
    auto const self = std::static_pointer_cast<lane_actor>(this->shared_from_this());
    this->issue_turn([&] { turn_(self)(turn_end(self)); });
  }

  guarded<bool (*)(own)> turn_;
};

template <class State>
class loop_actor final : public actor_state<State> {
  using base = actor_state<State>;

 public:
  loop_actor(asio::any_io_executor const& on, actor_options const& options,
             typename base::factory make)
      : base(serial_over(on), options, std::move(make)) {}

  [[nodiscard]] bool has_coroutines() const noexcept override { return true; }

 private:
  class turn {
   public:
    using allocator_type = block_allocator<void>;
    explicit turn(std::shared_ptr<loop_actor> self) noexcept : self_(std::move(self)) {}
    turn(turn&&) noexcept = default;
    ~turn() {
      if (self_ && !issuing::note_loss(static_cast<base const*>(self_.get())))
        self_->turn_lost(make_exception(error::broken_promise));
    }
    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    void operator()() {
      auto const self = std::move(self_);
      if (self->run_turn()) self->start_turn();
    }

   private:
    std::shared_ptr<loop_actor> self_;
  };

  void start_turn() noexcept override {
    if (this->context_ended()) return this->turn_lost(make_exception(error::closed));
    auto const self = std::static_pointer_cast<loop_actor>(this->shared_from_this());
    this->issue_turn([&] { asio::post(this->executor(), turn(self)); });
  }
};

}  // namespace tokengate::detail
