// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "tokengate/detail/dispatcher.hpp"

/// @file
/// A dispatcher whose tokens and workers a test plays by hand.

namespace tokengate::detail::test {

inline dispatcher::time_point constant_time() noexcept {
  return dispatcher::time_point(std::chrono::hours(1));
}
inline constexpr token_ops no_ops{nullptr, nullptr, nullptr, nullptr};

struct bare_token : token_base {
  explicit bare_token(operation_record& of, weight lane = weight::medium) : token_base(no_ops, of) {
    this->lane = static_cast<std::uint8_t>(lane_index(lane));
    more.owner = this;
  }
  token_extras& with_extras() {
    extras = &more;
    return more;
  }
  token_extras more;
};

class dispatcher_by_value : public testing::Test {
 protected:
  dispatcher_by_value() { dispatcher_.add_operation(operation_); }
  ~dispatcher_by_value() override {
    dispatcher_.withdraw_all(token_state::cancelled, error::stopped);
    while (dispatcher_.ready().pop_front() != nullptr) {
    }
  }

  lane_link& add_worker(std::size_t core, weight lane = weight::medium) {
    auto made = std::make_shared<link>(nullptr, links_.size(), core,
                                       static_cast<std::uint8_t>(lane_index(lane)));
    links_.push_back(made);
    return dispatcher_.add_link(made, fronts_[links_.size() - 1]);
  }
  /// The worker of a link runs the oldest token, which takes `ticks`.
  void run_one(lane_link& of, std::uint32_t ticks) {
    dispatcher_.flush([](parking_word<>&) {});
    link& to = of.shared();
    auto const next = to.returned.handed_over();
    ASSERT_LT(next, to.sent.handed_over());
    token_base* const token = to.at(next).take();
    if (token != nullptr) {
      token->outcome = token_state::completed;
      token->ran = ticks;
    }
    to.returned.hand_over(next + 1);
    dispatcher_.give_back(of);
  }

  bare_token& make(weight lane = weight::medium) { return tokens_.emplace_back(operation_, lane); }

  operation_record operation_{"plain", token_options{}};
  std::deque<bare_token> tokens_;
  std::array<worker_front, 8> fronts_;
  std::vector<std::shared_ptr<link>> links_;
  dispatcher dispatcher_{{4, 4}, &constant_time};
};

}  // namespace tokengate::detail::test
