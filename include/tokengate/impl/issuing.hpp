// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <utility>

namespace tokengate::detail {

/// Around the issue of a token, or a post, for an object. A handler of that object which is
/// destroyed meanwhile says so here: whether the call then throws, or returns, tells one that could
/// not be issued from one whose context has gone.
class issuing {
 public:
  explicit issuing(void const* of) noexcept : of_(of), outer_(std::exchange(now_, this)) {}
  issuing(issuing const&) = delete;
  issuing& operator=(issuing const&) = delete;
  ~issuing() { now_ = outer_; }

  /// Whether the handler was destroyed.
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  /// By the destructor of a handler. False: nothing is being issued for that object.
  [[nodiscard]] static bool note_loss(void const* of) noexcept {
    if (now_ == nullptr || now_->of_ != of) return false;
    return now_->lost_ = true;
  }

 private:
  static inline constinit thread_local issuing* now_ = nullptr;
  void const* of_;
  issuing* outer_;
  bool lost_ = false;
};

}  // namespace tokengate::detail
