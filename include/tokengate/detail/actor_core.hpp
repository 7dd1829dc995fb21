// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokengate/actor_options.hpp"
#include "tokengate/detail/intrusive_list.hpp"

/// @file
/// The mailbox and the life of an actor: what is let in, what runs next, what a failure leads to.
///
/// Invariants: at most one turn is out, and while anything is queued one is. Messages wait for a
/// place only while the mailbox is full, and enter it in the order in which they came.
/// accepted = handled + dropped + withdrawn + queued + the one that runs.

namespace tokengate::detail {

class actor_message : public list_hook<> {
 public:
  enum class place : std::uint8_t { outside, waiting, queued };

  /// `may_be_dropped`: nobody waits for its answer.
  explicit actor_message(bool may_be_dropped) noexcept : may_be_dropped_(may_be_dropped) {}
  [[nodiscard]] bool may_be_dropped() const noexcept { return may_be_dropped_; }

 protected:
  ~actor_message() = default;

 private:
  friend class actor_core;
  bool const may_be_dropped_;
  place at_ = place::outside;
};

using message_list = intrusive_list<actor_message>;

/// The state machine of an actor. Not locked. Times are nanoseconds of any steady clock.
class actor_core {
 public:
  explicit actor_core(actor_options const& options)
      : capacity_(options.mailbox == 0 ? 1 : options.mailbox),
        when_full_(options.when_full),
        policy_(options.on_failure),
        max_restarts_(options.max_restarts),
        period_(static_cast<std::uint64_t>(options.restart_period.count())) {
    if (policy_ == on_actor_failure::restart && !restarts_for_ever())
      restarts_at_.reserve(max_restarts_);
  }

  enum class entry : std::uint8_t { accepted, waits, full, closed };
  struct offered {
    entry how;
    bool start_turn = false;           ///< the caller has to start one
    actor_message* dropped = nullptr;  ///< made room; the caller's now
  };

  offered offer(actor_message& message, bool may_wait) noexcept {
    if (closed_) return {entry::closed};
    actor_message* dropped = nullptr;
    if (queue_.size() >= capacity_ || !waiting_.empty()) {
      if (when_full_ == full_mailbox::wait && may_wait) {
        message.at_ = actor_message::place::waiting;
        waiting_.push_back(message);
        return {entry::waits};
      }
      if (when_full_ == full_mailbox::drop_oldest) dropped = oldest_to_drop();
      if (dropped == nullptr) {
        ++rejected_;
        return {entry::full};
      }
      leave(*dropped);
      ++dropped_;
    }
    enter(message);
    return {entry::accepted, need_turn(), dropped};
  }

  /// What the running turn does next; null: nothing, see end_turn(). `admitted`: one that had
  /// waited for a place and has it now, or null.
  actor_message* take(actor_message*& admitted) noexcept {
    admitted = nullptr;
    actor_message* const next = queue_.front();
    if (next == nullptr) return nullptr;
    leave(*next);
    running_ = true;
    admitted = admit();
    return next;
  }

  enum class after : std::uint8_t { go_on, restart, stop, escalate };

  /// The message that was taken has been handled.
  void handled() noexcept {
    running_ = false;
    ++handled_;
  }
  /// The message that was taken came too late, and was not handled.
  void skipped() noexcept {
    running_ = false;
    ++withdrawn_;
  }
  /// Its handler failed; or the state could not be built, if none was taken.
  after failed(std::uint64_t now) {
    if (running_) handled();
    ++failed_;
    if (policy_ == on_actor_failure::resume) return after::go_on;
    if (policy_ == on_actor_failure::stop) return after::stop;
    if (policy_ == on_actor_failure::escalate) return after::escalate;
    if (restarts_for_ever()) {
      ++restarts_;
      return after::restart;
    }
    std::erase_if(restarts_at_, [&](std::uint64_t at) { return now >= at && now - at >= period_; });
    if (restarts_at_.size() >= max_restarts_) return after::escalate;
    restarts_at_.push_back(now);  // reserved
    ++restarts_;
    return after::restart;
  }

  /// The turn's end. True: another one has to follow, as there are messages, or the end to be made.
  [[nodiscard]] bool end_turn() noexcept {
    turn_out_ = !queue_.empty() || (closed_ && !ended_);
    return turn_out_;
  }
  /// Nothing is left and nothing will come: the running turn has to destroy the state.
  [[nodiscard]] bool to_be_ended() const noexcept { return closed_ && !ended_ && queue_.empty(); }
  void ended() noexcept { ended_ = true; }

  /// No more messages. True: the caller has to start a turn, which makes the end.
  [[nodiscard]] bool close() noexcept {
    if (closed_) return false;
    closed_ = true;
    return need_turn();
  }
  /// What is queued or waits for a place goes to `left`, oldest first.
  void clear(message_list& left) noexcept {
    dropped_ += queue_.size();
    rejected_ += waiting_.size();
    auto out = [](actor_message& each) { each.at_ = actor_message::place::outside; };
    queue_.for_each(out);
    waiting_.for_each(out);
    left.splice_back(queue_);
    left.splice_back(waiting_);
  }

  /// Takes a message back that is queued or waits. False: it has been taken, or dropped.
  [[nodiscard]] bool withdraw(actor_message& message, actor_message*& admitted) noexcept {
    admitted = nullptr;
    if (message.at_ == actor_message::place::outside) return false;
    if (message.at_ == actor_message::place::waiting) {
      waiting_.remove(message);
      message.at_ = actor_message::place::outside;
      return true;
    }
    leave(message);
    ++withdrawn_;
    admitted = admit();
    return true;
  }

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] bool is_ended() const noexcept { return ended_; }
  [[nodiscard]] std::size_t queued() const noexcept { return queue_.size(); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
  [[nodiscard]] bool running() const noexcept { return running_; }

  /// Adds the counts to a snapshot.
  template <class Snapshot>
  void report(Snapshot& to) const {
    to.accepted = accepted_;
    to.handled = handled_;
    to.failed = failed_;
    to.dropped = dropped_;
    to.withdrawn = withdrawn_;
    to.rejected = rejected_;
    to.restarts = restarts_;
    to.queued = queue_.size();
    to.waiting = waiting_.size();
    to.most_queued = most_queued_;
    to.running = running_;
    to.closed = closed_;
    to.ended = ended_;
  }

 private:
  /// Times of restarts that are remembered at most; who allows more does not mean to count.
  static constexpr std::size_t most_remembered = 4096;

  [[nodiscard]] bool restarts_for_ever() const noexcept { return max_restarts_ > most_remembered; }
  [[nodiscard]] bool need_turn() noexcept {
    bool const needed = !turn_out_;
    turn_out_ = true;
    return needed;
  }
  void enter(actor_message& message) noexcept {
    message.at_ = actor_message::place::queued;
    queue_.push_back(message);
    ++accepted_;
    if (queue_.size() > most_queued_) most_queued_ = queue_.size();
  }
  void leave(actor_message& message) noexcept {
    queue_.remove(message);
    message.at_ = actor_message::place::outside;
  }
  [[nodiscard]] actor_message* admit() noexcept {
    actor_message* const next = waiting_.pop_front();
    if (next != nullptr) enter(*next);
    return next;
  }
  [[nodiscard]] actor_message* oldest_to_drop() const noexcept {
    actor_message* found = nullptr;
    queue_.for_each([&](actor_message& each) {
      if (found == nullptr && each.may_be_dropped()) found = &each;
    });
    return found;
  }

  std::size_t const capacity_;
  full_mailbox const when_full_;
  on_actor_failure const policy_;
  std::size_t const max_restarts_;
  std::uint64_t const period_;
  message_list queue_;
  message_list waiting_;
  std::vector<std::uint64_t> restarts_at_;  ///< within the last period
  bool turn_out_ = false;
  bool running_ = false;
  bool closed_ = false;
  bool ended_ = false;
  std::size_t most_queued_ = 0;
  std::uint64_t accepted_ = 0, handled_ = 0, failed_ = 0, dropped_ = 0;
  std::uint64_t withdrawn_ = 0, rejected_ = 0, restarts_ = 0;
};

}  // namespace tokengate::detail
