// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// @file
/// A small checker for histories of a bounded FIFO channel: is there an order of all operations,
/// each at a moment between its call and its return, in which a plain queue would have answered the
/// same? Source: Wing, Gong, "Testing and verifying concurrent objects", 1993, with Lowe's memory
/// of configurations that were seen. With capacity 0 a send and the receive of its value are one
/// moment, common to both; that nobody was there to meet is judged by nothing then.

namespace tokengate::test {

/// One operation as a thread saw it. Moments come from one counter.
struct channel_event {
  enum class kind : std::uint8_t {
    sent,           ///< value was taken
    refused,        ///< try_send said no: full, or closed
    received,       ///< value came
    nothing,        ///< try_receive said no
    closed,         ///< close() returned
    send_closed,    ///< a send failed with error::closed
    receive_closed  ///< a receive ended with error::closed
  };
  kind what;
  int value;
  std::uint64_t called;
  std::uint64_t returned;
  bool waits = false;  ///< it may have slept
};

class linearizability {
 public:
  linearizability(std::vector<channel_event> history, std::size_t capacity)
      : history_(std::move(history)), capacity_(capacity), done_(history_.size(), false) {}

  [[nodiscard]] bool holds() { return search(history_.size()); }
  /// Whether two operations overlap that do not sleep: else the threads hardly met.
  [[nodiscard]] static bool overlaps(std::vector<channel_event> const& history) {
    for (auto const& one : history)
      for (auto const& other : history)
        if (!one.waits && !other.waits && one.called < other.called && other.called < one.returned)
          return true;
    return false;
  }

 private:
  using kind = channel_event::kind;

  /// What the queue would do. False: it would have answered otherwise.
  bool apply(channel_event const& event) {
    switch (event.what) {
      case kind::sent:
        if (closed_ || queue_.size() >= capacity_) return false;
        queue_.push_back(event.value);
        return true;
      case kind::refused:  // by no room; rendezvous: by nobody who takes it
        return closed_ || queue_.size() >= capacity_;
      case kind::received:
        if (queue_.empty() || queue_.front() != event.value) return false;
        queue_.pop_front();
        return true;
      case kind::nothing:
        return queue_.empty();
      case kind::closed:
        closed_ = true;
        return true;
      case kind::send_closed:
        return closed_;
      case kind::receive_closed:
        return closed_ && queue_.empty();
    }
    return false;
  }

  bool search(std::size_t left) {
    if (left == 0) return true;
    std::uint64_t first_return = ~std::uint64_t{0};
    for (std::size_t i = 0; i != history_.size(); ++i)
      if (!done_[i]) first_return = std::min(first_return, history_[i].returned);
    for (std::size_t i = 0; i != history_.size(); ++i) {
      // Only what was called before everything that is left had returned can be next.
      if (done_[i] || history_[i].called > first_return) continue;
      if (capacity_ == 0 &&
          (history_[i].what == kind::sent || history_[i].what == kind::received)) {
        if (meet(i, first_return, left)) return true;
        continue;
      }
      auto const queue = queue_;
      bool const closed = closed_;
      if (apply(history_[i])) {
        done_[i] = true;
        if (seen_.insert({done_, queue_}).second && search(left - 1)) return true;
        done_[i] = false;
      }
      queue_ = queue;
      closed_ = closed;
    }
    return false;
  }

  /// Takes a send together with the receive of its value.
  bool meet(std::size_t send, std::uint64_t first_return, std::size_t left) {
    if (history_[send].what != kind::sent || closed_) return false;
    for (std::size_t i = 0; i != history_.size(); ++i) {
      if (done_[i] || history_[i].what != kind::received ||
          history_[i].value != history_[send].value || history_[i].called > first_return)
        continue;
      done_[send] = done_[i] = true;
      if (seen_.insert({done_, queue_}).second && search(left - 2)) return true;
      done_[send] = done_[i] = false;
    }
    return false;
  }

  std::vector<channel_event> history_;
  std::size_t capacity_;
  std::vector<bool> done_;
  std::deque<int> queue_;
  bool closed_ = false;
  std::set<std::pair<std::vector<bool>, std::deque<int>>> seen_;
};

}  // namespace tokengate::test
