// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "issue_stage.hpp"
#include "pool_core.hpp"
#include "tokengate/detail/combiner.hpp"
#include "tokengate/detail/dispatcher.hpp"
#include "tokengate/gate_options.hpp"
#include "tokengate/impl/executor_port.hpp"
#include "tokengate/impl/gate_access.hpp"
#include "tokengate/snapshot.hpp"

namespace tokengate::detail {

/// The shell around a dispatcher: combiner, drain, timer, life. One per gate; outlives the gate
/// object until its tokens have ended.
///
/// Invariants
///  - dispatcher_ and all members under "combiner" belong to whoever has entered the combiner. User
///    code (handlers, stop callbacks, destructors of handlers) never runs inside it.
///  - bell parking word: `parked` means that no drain is posted or running. Whoever takes it out of
///    `parked` (a worker by notify(), an issuer by claim()) posts exactly one drain. A drain goes
///    back to `parked` only inside the combiner, after it found nothing.
///  - work_word_: twice the number of tokens that are out, plus one while work is tracked on the
///    executor. It leaves `tracked` only under work_mutex_ and only with no token out, so run()
///    cannot return while one is.
///  - port_ is used under post_mutex_ by threads that are not the loop's, and never once alive_ is
///    false: the io_context may be gone then.
class gate_core final : public return_bell,
                        public drain_target,
                        public std::enable_shared_from_this<gate_core> {
 public:
  gate_core(asio::any_io_executor executor, std::unique_ptr<executor_port> port,
            std::shared_ptr<pool_core> pool, gate_options const& options);
  ~gate_core();
  void attach();

  // -- any thread --
  void issue(token_base& token) noexcept;
  /// False when the token was refused at once, and is the caller's to end.
  [[nodiscard]] bool issue_or_refuse(token_base& token) noexcept;
  /// To be called when such a token has been handed to its executor.
  void end_refused() noexcept;
  void request_stop(token_base& token, bool running_too) noexcept;
  void close(error why) noexcept;
  void stop() noexcept;
  bool kill(std::uint64_t id) noexcept;
  [[nodiscard]] gate_snapshot snapshot();
  [[nodiscard]] std::vector<live_token> tokens();
  [[nodiscard]] operation_record& define(token_options const& options);
  [[nodiscard]] operation_record& default_operation(weight lane) noexcept {
    return *defaults_[lane_index(lane)];
  }
  void async_drain(std::chrono::nanoseconds deadline,
                   asio::any_completion_handler<void(drain_report)> handler);
  void lost_error(std::exception_ptr const& error) noexcept;

  // -- end of life --
  /// The gate object goes: withdraws, asks to stop, waits for what runs. Outcomes are delivered by
  /// the loop afterwards.
  void gate_gone() noexcept;
  /// The io_context goes: as above, and destroys every handler.
  void context_gone() noexcept;

  // -- worker side --
  void ring() noexcept override;
  void pool_stopping() noexcept override;

  // -- loop side --
  void drain(bool continued, std::uint64_t posted_at) override;

  [[nodiscard]] asio::any_io_executor const& executor() const noexcept { return executor_; }
  /// Whether that is executor(). Asked for every coroutine that awaits a token: of an io_context it
  /// takes one indirect call where `==` takes three.
  [[nodiscard]] bool is_executor(asio::any_io_executor const& other) const noexcept {
    if (!loop_) return executor_ == other;
    auto const* const found = other.target<asio::io_context::executor_type>();
    return found != nullptr && *found == *loop_;
  }
  [[nodiscard]] pool_core& pool() noexcept { return *pool_; }
  [[nodiscard]] bool on_loop_thread() noexcept {
    std::lock_guard hold(post_mutex_);
    return port_ != nullptr && port_->running_in_this_thread();
  }

 private:
  class turn;
  struct wakes;

  // work_word_
  static constexpr std::uint64_t tracked = 1;
  static constexpr std::uint64_t one_token = 2;

  /// The turn that the calling thread is in, if any.
  struct delivery {
    gate_core* gate = nullptr;
    issue_stage* stage = nullptr;
    std::uint8_t stageable = 0;  ///< lanes, a bit each, whose tokens may wait in the stage
    std::uint8_t crowded = 0;    ///< lanes, a bit each, whose workers have no core to themselves
    std::uint32_t reserved = 0;  ///< tokens that work_word_ counts ahead of their issue
    /// What parks_ was when another turn was posted, or was to be once the combiner is left; or 0.
    std::uint64_t posted = 0;
    std::uint64_t publish_at = 0;  ///< ticks, 0 when nothing is staged
    std::uint64_t issued_at = 0;   ///< the last stamp that was taken, so that it serves twice
  };
  static constinit thread_local delivery delivery_here;

  // gate_control.cpp
  operation_record& add_operation(token_options const& options);

  // gate_core.cpp
  void enter() noexcept;
  void work_off(note* left) noexcept;
  void leave() noexcept;
  void admit_staged() noexcept;
  void leave_stop_note(token_base& token) noexcept;
  [[nodiscard]] bool may_be_parked() noexcept;
  [[nodiscard]] bool wants_drain() noexcept;
  void signal_stops(intrusive_list<token_base>& running) noexcept;
  void begin_work(std::uint64_t tokens = 1) noexcept;
  void end_work(std::uint64_t tokens) noexcept;
  void rest() noexcept;

  // gate_drain.cpp
  void post_drain(bool continued) noexcept;
  void continue_drain(bool for_others) noexcept;
  void park_drain() noexcept;
  void collect_meanwhile(std::uint64_t now) noexcept;
  void look(std::uint64_t now) noexcept;
  [[nodiscard]] std::size_t room_for_ready(std::size_t budget) noexcept;
  std::size_t collect(std::size_t budget, std::uint64_t now) noexcept;
  void record_waits(token_base& token, std::uint64_t now, std::uint64_t times) noexcept;
  [[nodiscard]] std::size_t collect_batch(intrusive_list<token_base>& batch, std::size_t budget,
                                          std::size_t room, std::uint64_t now) noexcept;
  [[nodiscard]] std::uint8_t busy_lanes() const noexcept;
  [[nodiscard]] std::uint8_t crowded_lanes() const noexcept;
  void publish_staged() noexcept;

  // gate_hot.cpp
  [[nodiscard]] std::uint64_t poll(std::uint64_t now) noexcept;
  [[nodiscard]] bool anything_held_back() noexcept;
  [[nodiscard]] bool anything_returned() noexcept;
  [[nodiscard]] std::uint64_t hot_span(std::size_t lane) const noexcept;
  [[nodiscard]] std::uint64_t hot_span() const noexcept;
  [[nodiscard]] bool stay_hot(std::uint64_t now) noexcept;
  void set_hot(bool hot) noexcept;

  // gate_timer.cpp
  void set_timer() noexcept;
  void look_later() noexcept;
  void rest_timer() noexcept;
  void on_timer(dispatcher::time_point set_to) noexcept;

  // gate_life.cpp
  void withdraw_and_stop(error why) noexcept;
  void wait_for_running() noexcept;
  void release_executors() noexcept;
  void bury_dead_links(std::uint64_t now) noexcept;
  void detach_when_idle() noexcept;
  void destroy_ready() noexcept;
  void reap() noexcept;

  // gate_async_drain.cpp
  struct drain_waiter;
  void release_waiters() noexcept;
  void end_wait(std::shared_ptr<drain_waiter> const& waiter);

  // gate_view.cpp
  void note_overload() noexcept;
  void log_stuck(drain_report const& report) const noexcept;
  [[nodiscard]] live_token describe(token_base const& token, std::uint64_t now) const;

  asio::any_io_executor executor_;
  std::optional<asio::io_context::executor_type> const loop_;  ///< executor_, if it is one of these
  std::unique_ptr<executor_port> port_;
  std::shared_ptr<pool_core> const pool_;
  gate_options const options_;
  std::uint64_t const poll_ticks_;
  std::uint64_t const turn_ticks_;
  std::uint64_t const drain_ticks_;
  std::uint64_t const collect_ticks_;
  std::uint64_t const look_ticks_;
  std::uint64_t const publish_after_;
  std::uint64_t const publish_crowded_after_;
  std::uint64_t const hot_limit_;
  std::uint64_t const hot_base_;

  alignas(cache_line) combiner<> combiner_;
  alignas(cache_line) std::atomic<std::uint64_t> work_word_{0};
  issue_stages stages_;

  // -- combiner --
  alignas(cache_line) dispatcher dispatcher_;
  std::deque<operation_record> operations_;
  std::unordered_map<operation_key, operation_record*, operation_key_hash> operations_by_key_;
  std::array<operation_record*, lane_count> defaults_{};
  note refill_note_;
  bool repost_ = false;
  bool closing_ = false;
  bool detached_ = false;
  bool hot_ = false;
  std::uint64_t hot_until_ = 0;
  std::uint64_t turns_ = 0;
  std::uint64_t parks_ = 1;  ///< how often a turn has parked the drain, and one
  std::size_t first_link_ = 0;
  std::optional<asio::steady_timer> timer_;
  dispatcher::time_point timer_at_ = dispatcher::time_point::max();
  dispatcher::time_point look_at_ = dispatcher::time_point::max();  ///< see look_later()
  std::chrono::milliseconds look_after_{};
  std::uint64_t looked_at_ = 0;  ///< ticks
  bool overloaded_ = false;
  bool overload_logged_ = false;
  std::chrono::steady_clock::time_point overload_at_{};  ///< when its begin was last logged
  std::uint64_t refused_seen_ = 0;
  histogram wait_backlog_;
  histogram wait_mailbox_;
  histogram return_to_loop_;
  histogram loop_lag_;

  // -- counters, any thread --
  std::atomic<std::uint64_t> finished_{0};
  std::atomic<std::uint64_t> destroyed_{0};
  std::atomic<std::uint64_t> lost_errors_{0};

  // -- posting --
  std::mutex post_mutex_;
  bool alive_ = true;
  std::mutex work_mutex_;
  bool alive_for_work_ = true;

  // -- async_drain --
  std::mutex waiters_mutex_;
  std::vector<std::shared_ptr<drain_waiter>> waiters_;
};

}  // namespace tokengate::detail
