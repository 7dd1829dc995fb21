// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>

#include "support/patience.hpp"
#include "tokengate/this_token.hpp"

namespace tokengate::test {

/// Keeps workers busy until the test lets them go. Declare it after the gate: what it holds must be
/// free before the gate waits for it.
class blocker {
 public:
  blocker() : state_(std::make_shared<state>()) {}
  blocker(blocker const&) = delete;
  blocker& operator=(blocker const&) = delete;
  ~blocker() { release(); }

  /// A token function that stays in its worker until release().
  [[nodiscard]] auto function() const {
    return [shared = state_] { shared->stay(); };
  }
  /// Stays in the calling thread until release().
  void stay() const { state_->stay(); }

  /// Waits until `count` workers are inside, counted from the beginning.
  void wait_entered(int count = 1) const {
    std::unique_lock hold(state_->mutex);
    EXPECT_TRUE(state_->changed.wait_for(hold, patience, [&] { return state_->entered >= count; }))
        << state_->entered << " of " << count << " functions have started";
  }
  [[nodiscard]] int entered() const {
    std::lock_guard hold(state_->mutex);
    return state_->entered;
  }
  void release() const {
    std::lock_guard hold(state_->mutex);
    state_->open = true;
    state_->changed.notify_all();
  }

 private:
  struct state {
    void stay() {
      std::unique_lock hold(mutex);
      ++entered;
      changed.notify_all();
      changed.wait(hold, [this] { return open; });
    }
    std::mutex mutex;
    std::condition_variable changed;
    int entered = 0;
    bool open = false;
  };
  std::shared_ptr<state> state_;
};

/// Inside a token: stays until it is asked to stop. False: nobody asked.
[[nodiscard]] inline bool stay_until_stopped() {
  return poll_until([] { return this_token::stop_requested(); });
}

}  // namespace tokengate::test
