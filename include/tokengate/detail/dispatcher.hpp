// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/deadline_heap.hpp"
#include "tokengate/detail/lane_link.hpp"
#include "tokengate/error.hpp"
#include "tokengate/weight.hpp"

namespace tokengate::detail {

/// The live record of a key: while a token of it is out, all of them run on one worker.
struct key_record {
  std::size_t tokens = 0;  ///< admitted, not ended
  std::uint8_t lane = 0;   ///< the lane of the first one, taken by all while the key lives
  lane_link* bound = nullptr;
  std::size_t blocked = 0;  ///< tokens that wait for max_concurrency
  intrusive_list<token_base> followers;
};

/// Decides what happens to each token of one gate: admission, order, routing, credits, withdrawal,
/// expiry. Decides without waiting: no thread, no executor; the time is a parameter.
///
/// Belongs to the holder of the gate's combiner; no member is thread-safe. No member but those
/// marked throws. Ended tokens are collected in ready(); delivering them is the shell's work.
///
/// Invariants
///  - A token is in exactly one place (token_base::place); every list knows only tokens of its
///  place.
///  - waiting(lane) counts the tokens in backlog, limited, follower and pinned of that lane, and
///    never exceeds the bound. Tokens beyond it stay in the waiting room or are rejected.
///  - FIFO: a lane's backlog is passed only by tokens that were dispatched or sent to another list.
class dispatcher {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  struct limits {
    std::size_t backlog;
    std::size_t waiting_room;
  };

  using clock = time_point (*)() noexcept;

  explicit dispatcher(limits bounds, clock now = &dispatcher::steady_now) noexcept
      : bounds_(bounds), now_(now) {}
  dispatcher(dispatcher const&) = delete;
  dispatcher& operator=(dispatcher const&) = delete;

  /// May throw bad_alloc; strong guarantee.
  lane_link& add_link(std::shared_ptr<link> shared, worker_front& worker);
  /// An operation whose tokens may wait for max_concurrency. May throw bad_alloc.
  void add_operation(operation_record& operation) { operations_.push_back(&operation); }

  // -- the way in ---------------------------------------------------------------------------------

  /// Takes a new token: it is dispatched, waits, or ends up in ready() with its error. Tokens with
  /// extras may allocate; where that fails the token ends as rejected.
  void admit(token_base& token, std::uint64_t now) noexcept {
    std::construct_at(&token.way.in)->id = ++last_id_;
    token.operation->issued.add();
    token.simple = token.extras == nullptr && token.operation->options.max_concurrency == 0;
    if (!token.simple || closed()) [[unlikely]]
      return admit_with_terms(token, now);
    lane_state& lane = lanes_[token.lane];
    if (lane.waiting >= bounds_.backlog || !lane.room.empty()) [[unlikely]]
      return wait_for_room(lane, token);
    if (lane.backlog.empty()) return send_off_or_wait(token, now);
    ++lane.waiting;
    wait(lane, token);
  }

  /// Dispatches what waits, as far as credits go.
  void pump(std::uint64_t now) noexcept;
  /// Whether a waiting token was taken out since, so that others may move up without a result.
  [[nodiscard]] bool wants_pump() const noexcept { return moved_up_; }

  /// Publishes what was dispatched. Calls wake(parking_word&) for each worker that was parked.
  template <class Wake>
  void flush(Wake wake) noexcept {
    dirty_end_ = &dirty_;
    for (lane_link* link = std::exchange(dirty_, nullptr); link != nullptr; link = link->next_dirty)
      if (link->flush()) wake(link->worker());
  }
  [[nodiscard]] bool has_staged() const noexcept { return dirty_ != nullptr; }

  // -- the way back -------------------------------------------------------------------------------

  /// A slot came back from its worker. Settles its token, if it still holds one, and gives it back
  /// for the statistics. Call pump() afterwards.
  token_base* give_back(lane_link& from) noexcept;

  /// Moves unstarted tokens from behind long ones to workers of the lane that have nothing.
  void balance(std::uint64_t now) noexcept;
  /// Also moves what has not been started for long, whatever is ahead of it, to workers that get
  /// on.
  void look_around(std::uint64_t now) noexcept;
  /// Whether look_around() may find something to do, if no result comes for a while.
  [[nodiscard]] bool lopsided(bool other_gates) const noexcept {
    return std::ranges::any_of(lanes_, [&](lane_state const& lane) {
      if (lane.links.size() < 2) return false;
      // A worker that another gate gives up does not say so.
      if (other_gates && !lane.backlog.empty()) return true;
      return held_ != 0 && lane.busy != 0 && lane.busy < lane.links.size() &&
             (lane.in_flight > lane.busy || other_gates) && lane.unstarted != doubt::none;
    });
  }
  /// Whether something was sent off since look_around() was called.
  [[nodiscard]] bool sent_since_look() const noexcept {
    return std::ranges::any_of(
        lanes_, [](lane_state const& lane) { return lane.unstarted == doubt::fresh; });
  }

  /// A stop was requested: the token is withdrawn if it has not started.
  void stop(token_base& token) noexcept;

  /// Ends a token that has not started as killed, asks a running one to stop. False: no such token,
  /// or one of the library's own that has not started.
  bool kill(std::uint64_t id) noexcept;

  /// Asks everything that has started to stop.
  void stop_all_running() noexcept;

  /// Running tokens whose stop callbacks are to be called outside the combiner; each then needs its
  /// stop note left.
  [[nodiscard]] intrusive_list<token_base>& to_stop() noexcept { return to_stop_; }

  /// Ends what may not wait any longer. Tokens without a time are not looked at.
  void expire(time_point now) noexcept;
  [[nodiscard]] time_point next_expiry() const noexcept;
  [[nodiscard]] bool watches() const noexcept { return !watched_.empty(); }

  /// Lets go of all links. No token may be held.
  void drop_links() noexcept {
    dirty_ = nullptr;
    dirty_end_ = &dirty_;
    for (lane_state& lane : lanes_) lane.links.clear();
    links_.clear();
  }

  /// The worker behind this link has ended: nothing is routed there any more.
  void bury(lane_link& dead, std::uint64_t now) noexcept;

  /// No token is admitted any more; new ones end with `why`.
  void close(error why) noexcept { closed_ = why; }
  [[nodiscard]] bool closed() const noexcept { return closed_ != error{}; }
  /// Ends everything that has not started.
  void withdraw_all(token_state outcome, error why) noexcept;

  // -- what is there ------------------------------------------------------------------------------

  [[nodiscard]] intrusive_list<token_base>& ready() noexcept { return ready_; }
  [[nodiscard]] std::vector<std::unique_ptr<lane_link>>& links() noexcept { return links_; }
  [[nodiscard]] std::size_t waiting(std::size_t lane) const noexcept {
    return lanes_[lane].waiting;
  }
  [[nodiscard]] std::size_t waiting_room(std::size_t lane) const noexcept {
    return lanes_[lane].room.size();
  }
  /// Tokens that a worker has, or may take. Slots that travel empty do not count here.
  [[nodiscard]] std::size_t held() const noexcept { return held_; }
  /// Tokens that have ended and wait for a stop note that is on its way.
  [[nodiscard]] std::size_t held_back() const noexcept { return held_back_; }
  [[nodiscard]] std::size_t in_flight(std::size_t lane) const noexcept {
    return lanes_[lane].in_flight;
  }
  /// Whether every worker of the lane has something of this gate, as far as counting tells.
  [[nodiscard]] bool saturated(std::size_t lane) const noexcept {
    return lanes_[lane].in_flight >= lanes_[lane].links.size();
  }
  /// Whether each worker of the lane shares its core with a busy loop, as far as they have said.
  [[nodiscard]] bool crowded(std::size_t lane) const noexcept {
    return std::ranges::all_of(lanes_[lane].links, [](lane_link const* each) {
      return each->shared().crowded.load(std::memory_order_relaxed);
    });
  }
  /// Cores on which something of this gate is in flight.
  [[nodiscard]] std::size_t busy_cores() const noexcept { return busy_cores_; }
  /// Whether all of it is in flight on the core where the loop runs.
  [[nodiscard]] bool only_on_avoided_core() const noexcept {
    return busy_cores_ == 1 && avoid_ < busy_links_.size() && busy_links_[avoid_].all != 0;
  }
  [[nodiscard]] run_estimate const& estimate(std::size_t lane) const noexcept {
    return lanes_[lane].estimate;
  }
  /// Whether a worker that has all its slots full is busy with them for more than a hand-over.
  [[nodiscard]] bool runs_longer_ones() const noexcept {
    return std::ranges::any_of(lanes_, [&](lane_state const& lane) {
      return lane.in_flight != 0 && lane.estimate.mean() * link::capacity >= hand_over_;
    });
  }
  /// Prefer not to route to this core, where the loop runs.
  void avoid_core(std::uint32_t core) noexcept { avoid_ = core; }
  /// Ticks that credits have to cover.
  void set_hand_over(std::uint32_t ticks) noexcept { hand_over_ = ticks; }
  /// Ticks below which a function counts as brief, so that its result may be published in a batch.
  void set_brief(std::uint32_t ticks) noexcept { brief_ = ticks; }

  /// Leads that are out with children, or whose children are; and how many of them have ended.
  [[nodiscard]] std::size_t chains_open() const noexcept { return chains_.size(); }
  [[nodiscard]] std::uint64_t chains_ended() const noexcept { return chains_ended_; }

  /// Tokens that did not get a place in time; tokens that were withdrawn before they started.
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
  [[nodiscard]] std::uint64_t withdrawn() const noexcept { return withdrawn_; }

  /// Calls visit(token) for each token that is waiting or in a slot, and not ended.
  template <class Visitor>
  void for_each(Visitor visit) {
    for (lane_state& lane : lanes_) {
      lane.backlog.for_each(visit);
      lane.room.for_each(visit);
    }
    for (operation_record* operation : operations_) operation->limited.for_each(visit);
    for (auto& [key, record] : keys_) record.followers.for_each(visit);
    for (auto& link : links_) {
      link->pinned.for_each(visit);
      link->for_each_out([&](token_base& token, slot&) { visit(token); });
    }
  }

 private:
  /// Whether something was sent off that has not been started, and could be elsewhere.
  enum class doubt : std::uint8_t { none, seen, fresh };

  struct lane_state {
    intrusive_list<token_base> backlog;
    intrusive_list<token_base> room;  ///< waiting room
    std::vector<lane_link*> links;
    std::size_t waiting = 0;
    std::size_t in_flight = 0;
    std::size_t busy = 0;  ///< workers that have something in flight
    doubt unstarted = doubt::none;
    run_estimate estimate;
    service_pace pace;
    std::uint32_t in_a_wake_up = 0;  ///< so many functions take as long as one
  };
  using keys =
      std::unordered_map<std::uint64_t, key_record, std::hash<std::uint64_t>, std::equal_to<>,
                         block_allocator<std::pair<std::uint64_t const, key_record>>>;

  using chains =
      std::unordered_map<std::uint64_t, std::uint64_t, std::hash<std::uint64_t>, std::equal_to<>,
                         block_allocator<std::pair<std::uint64_t const, std::uint64_t>>>;

  enum class step : std::uint8_t { dispatched, set_aside, no_credit };

  void admit_with_terms(token_base& token, std::uint64_t now) noexcept;
  void wait_for_room(lane_state& lane, token_base& token) noexcept;
  void enter(token_base& token, std::uint64_t now) noexcept;
  [[nodiscard]] step try_dispatch(token_base& token, std::uint64_t now) noexcept;
  [[nodiscard]] lane_link* route(lane_state& lane, std::uint32_t near, std::uint64_t now) noexcept {
    if (lane.links.size() != 1) return choose(lane, near, now);
    return lane.links.front()->has_credit() ? lane.links.front() : nullptr;
  }
  [[nodiscard]] lane_link* choose(lane_state& lane, std::uint32_t near, std::uint64_t now) noexcept;
  [[nodiscard]] std::uint32_t company(lane_link const& worker) const noexcept;
  bool move_one(lane_link& from, lane_link& to, std::uint64_t now) noexcept;
  [[nodiscard]] static token_base* first_waiting(lane_link& of) noexcept;
  [[nodiscard]] lane_link* refuge(lane_state& lane, lane_link const& from, bool heads,
                                  std::uint64_t now) noexcept;
  /// A token that was sent to a worker that sleeps, or shares its core, is picked up within so many
  /// hand-overs. One that was not lies behind a function that takes longer than was expected.
  [[nodiscard]] std::uint64_t stuck_after() const noexcept { return 8 * std::uint64_t{hand_over_}; }
  [[nodiscard]] static bool another_returns(lane_state const& lane) noexcept;
  [[nodiscard]] bool others_get_on(lane_state const& lane, std::uint64_t now) const noexcept;
  void dispatch(token_base& token, lane_link& to, std::uint64_t now) noexcept;
  void dispatch_with_terms(token_base& token, lane_link& to, std::uint64_t now) noexcept;
  inline void send_off(token_base& token, lane_link& to, std::uint64_t now) noexcept;
  void send_off_or_wait(token_base& token, std::uint64_t now) noexcept;
  static void wait(lane_state& lane, token_base& token) noexcept {
    token.where = token_base::place::backlog;
    lane.backlog.push_back(token);
  }
  void count_busy(link const& one, bool busy) noexcept;
  token_base* give_back_with_terms(lane_link& from, token_base* token) noexcept;
  inline void learn(lane_link& from, token_base const& token) noexcept;
  void admit_from_room(lane_state& lane, std::uint64_t now) noexcept;
  void watch(token_base& token, time_point until) noexcept;
  void unwatch(token_base& token) noexcept;
  [[nodiscard]] bool take_out(token_base& token) noexcept;
  [[nodiscard]] static bool looks_started(token_base const& token) noexcept;
  [[nodiscard]] bool pull_back(lane_link& from, slot& place) noexcept;
  void release(token_base& token) noexcept;
  void settle(token_base& token, token_state outcome, error why) noexcept;
  void stop_running(token_base& token) noexcept;
  void ask(token_base& token) noexcept;
  [[nodiscard]] token_base* any_waiting() noexcept;
  void join_chain(std::uint64_t lead) noexcept;
  void leave_chain(std::uint64_t lead) noexcept;
  void end_unstarted(token_base& token, token_state outcome, error why) noexcept;
  [[nodiscard]] bool cannot_make_it(token_base& token, time_point now) const noexcept;

  static time_point steady_now() noexcept { return std::chrono::steady_clock::now(); }

  limits bounds_;
  clock now_;
  std::array<lane_state, lane_count> lanes_;
  std::vector<std::unique_ptr<lane_link>> links_;
  lane_link* dirty_ = nullptr;  ///< the first of those that have something staged
  lane_link** dirty_end_ = &dirty_;
  /// Links of a core that have something in flight.
  struct busy_links {
    std::uint32_t all = 0;
    std::uint32_t heavy = 0;
  };
  std::vector<busy_links> busy_links_;
  keys keys_;
  deadline_heap<token_extras, &token_extras::heap_index> watched_;
  std::vector<operation_record*> operations_;
  std::uint64_t last_id_ = 0;
  chains chains_;  ///< by id of the lead: tokens of the chain that are out
  std::uint64_t chains_ended_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t withdrawn_ = 0;
  intrusive_list<token_base> ready_;
  intrusive_list<token_base> to_stop_;
  std::size_t held_ = 0;
  std::size_t held_back_ = 0;
  std::size_t busy_cores_ = 0;
  std::uint32_t avoid_ = token_extras::no_core;
  std::uint32_t hand_over_ = 0;
  std::uint32_t brief_ = 0;
  bool moved_up_ = false;
  error closed_{};
};

}  // namespace tokengate::detail
