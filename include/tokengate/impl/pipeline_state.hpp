// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <vector>

#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/error.hpp"
#include "tokengate/impl/async_wait.hpp"
#include "tokengate/impl/context_member.hpp"
#include "tokengate/impl/serial_executor.hpp"
#include "tokengate/pipeline_options.hpp"

/// @file
/// What the stages of a pipeline share.
///
/// Invariants
///  - stages_ grows until started_; from then on the insides of stages are touched on executor()
///    only, one handler at a time.
///  - error_, ended_ and joins_ are touched under mutex_. The first error stays.
///  - A handler of a stage keeps the state; one that is destroyed without a call means that the
///    loop has gone, and ends everything.

namespace tokengate::detail {

class pipeline_join : public waiter {
 public:
  explicit pipeline_join(resume_function resume) noexcept : waiter(resume) {}
  template <class F>
  void complete(F&& finish) {
    auto failed = std::move(failed_with);
    if (outcome == wait_outcome::timed_out) failed = make_exception(error::timed_out);
    std::move(finish)(std::move(failed));
  }
  std::exception_ptr failed_with{};
};

/// A stage without its types.
class pipeline_stage {
 public:
  explicit pipeline_stage(stage_options const& options) : name(options.name) {}
  pipeline_stage(pipeline_stage const&) = delete;
  pipeline_stage& operator=(pipeline_stage const&) = delete;
  virtual ~pipeline_stage() = default;

  /// Takes, works on, and sends whatever is possible now.
  virtual void pump() = 0;
  /// The pipeline has failed: takes no more, drops what it has, asks what runs to stop.
  virtual void fail() noexcept = 0;
  /// Ends the waits at its channels. Any thread.
  virtual void close_channels() noexcept = 0;
  [[nodiscard]] virtual std::size_t queued() const noexcept = 0;

  std::string const name;
  std::atomic<std::uint64_t> taken{0};
  std::atomic<std::uint64_t> left{0};
  std::atomic<std::uint64_t> dropped{0};
};

class pipeline_state : public std::enable_shared_from_this<pipeline_state>, public context_member {
 public:
  explicit pipeline_state(asio::any_io_executor const& executor)
      : context_member(serial_over(executor)) {}

  void add(std::unique_ptr<pipeline_stage> stage) {
    if (started_.load(std::memory_order_relaxed))
      throw std::logic_error("tokengate: a pipeline that has been used takes no more stages");
    stages_.push_back(std::move(stage));
    ++working_;
  }

  /// With the first use.
  void start() {
    // Nothing would ever end it.
    if (stages_.empty()) throw std::logic_error("tokengate: a pipeline needs a stage");
    if (started_.exchange(true, std::memory_order_acq_rel) || context_ended()) return;
    asio::post(executor(),
               own_turn(shared_from_this(), [](pipeline_state& self) { self.pump_all(); }));
  }

  /// On executor(). What a stage cannot do ends the pipeline.
  template <class F>
  void guarded(F step) noexcept {
    try {
      step();
    } catch (...) {
      fail(std::current_exception());
    }
  }

  /// Begins an operation of a stage; `undo` if it cannot be begun.
  template <class Begin, class Undo>
  void initiate(Begin begin, Undo undo) {
    bool const before = std::exchange(initiating_, true);
    try {
      begin();
    } catch (...) {
      initiating_ = before;
      undo();
      throw;
    }
    initiating_ = before;
  }
  /// A handler of a stage was destroyed without a call.
  void dropped_handler() noexcept {
    if (!initiating_) lost(make_exception(error::broken_promise));
  }

  /// On executor(). The first one counts.
  void fail(std::exception_ptr why) noexcept {
    {
      std::lock_guard hold(mutex_);
      if (!error_) error_ = std::move(why);
    }
    if (std::exchange(failing_, true)) return;
    stop_.request_stop();
    for (auto const& each : stages_) each->fail();
    pump_all();
  }
  [[nodiscard]] bool failing() const noexcept { return failing_; }

  /// Any thread.
  void cancel() noexcept {
    if (is_ended()) return;
    started_.store(true, std::memory_order_relaxed);
    try {
      asio::dispatch(executor(), own_turn(shared_from_this(), [](pipeline_state& self) {
                       self.fail(make_exception(error::cancelled));
                     }));
    } catch (...) {
      lost(std::current_exception());
    }
  }
  void on_cancel_request() noexcept { cancel(); }

  /// A stage has ended: nothing of it runs.
  void stage_ended() noexcept {
    if (--working_ == 0) settle();
  }

  /// Its loop has gone. Any thread.
  void lost(std::exception_ptr why) noexcept {
    {
      std::lock_guard hold(mutex_);
      if (!error_) error_ = std::move(why);
    }
    stop_.request_stop();
    for (auto const& each : stages_) each->close_channels();
    settle();
  }

  // For async_wait().
  bool start(pipeline_join& wait) noexcept {
    std::lock_guard hold(mutex_);
    if (ended_) {
      wait.failed_with = error_;
      return true;
    }
    joins_.push_back(wait);
    return false;
  }
  bool cancel(pipeline_join& wait) noexcept {
    std::lock_guard hold(mutex_);
    if (!wait.linked()) return false;
    joins_.remove(wait);
    return true;
  }

  [[nodiscard]] std::exception_ptr error() const noexcept {
    std::lock_guard hold(mutex_);
    return error_;
  }
  [[nodiscard]] bool is_ended() const noexcept {
    std::lock_guard hold(mutex_);
    return ended_;
  }
  [[nodiscard]] std::stop_token stop_token() const noexcept { return stop_.get_token(); }

  [[nodiscard]] pipeline_snapshot snapshot() const {
    pipeline_snapshot now;
    now.completed = completed.load(std::memory_order_relaxed);
    now.dropped = dropped.load(std::memory_order_relaxed);
    for (auto const& each : stages_) {
      auto const read = [](auto const& count) { return count.load(std::memory_order_relaxed); };
      now.stages.push_back(
          {each->name, read(each->taken), read(each->left), read(each->dropped), each->queued()});
      now.dropped += read(each->dropped);
    }
    now.pushed = pushed.load(std::memory_order_relaxed);
    std::lock_guard hold(mutex_);
    now.failed = error_ != nullptr;
    now.ended = ended_;
    return now;
  }

  std::atomic<std::uint64_t> pushed{0};
  std::atomic<std::uint64_t> completed{0};
  std::atomic<std::uint64_t> dropped{0};  ///< behind the last stage

 private:
  void pump_all() noexcept {
    for (auto const& each : stages_) guarded([&] { each->pump(); });
  }

  template <class F>
  struct turn_of {
    using allocator_type = block_allocator<void>;
    std::shared_ptr<pipeline_state> self;
    F run;
    turn_of(std::shared_ptr<pipeline_state> of, F f) : self(std::move(of)), run(f) {}
    turn_of(turn_of&&) noexcept = default;
    ~turn_of() {
      if (self) self->lost(make_exception(error::broken_promise));
    }
    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    void operator()() {
      auto const state = std::move(self);
      run(*state);
    }
  };
  template <class F>
  [[nodiscard]] static turn_of<F> own_turn(std::shared_ptr<pipeline_state> self, F run) {
    return {std::move(self), run};
  }

  void settle() noexcept {
    woken_list woken;
    {
      std::lock_guard hold(mutex_);
      ended_ = true;
      while (waiter* const each = joins_.pop_front()) {
        static_cast<pipeline_join&>(*each).failed_with = error_;
        woken.push_back(*each);
      }
    }
    resume_all(woken);
  }

  std::vector<std::unique_ptr<pipeline_stage>> stages_;
  std::atomic<bool> started_{false};
  bool failing_ = false;
  bool initiating_ = false;
  std::size_t working_ = 0;  ///< stages that have not ended
  std::stop_source stop_;
  mutable short_mutex mutex_;
  std::exception_ptr error_;
  bool ended_ = false;
  wait_list joins_;
};

}  // namespace tokengate::detail
