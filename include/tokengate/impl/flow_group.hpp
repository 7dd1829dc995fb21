// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "tokengate/promise.hpp"

namespace tokengate::detail {

/// Watches a range of flow variables without taking anything from them, and gives them on when
/// enough of them are ready.
///
/// Invariants
///  - Every watch that waits, or is about to be told, holds a share of the group.
///  - left_ counts the variables that have to be ready yet; it goes below 0 when more are. Two
///  steps
///    complete the group: left_ was 0, and all watches were started. Who takes the second one gives
///    the variables on.
///  - first_ is the variable that was ready first.
template <class R>
class flow_group : public std::enable_shared_from_this<flow_group<R>> {
 public:
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  /// `enough`: how many have to be ready.
  flow_group(std::vector<flow_var<R>> variables, std::size_t enough)
      : variables_(std::move(variables)),
        watches_(new watch[variables_.size()]),
        left_(static_cast<std::ptrdiff_t>(enough)) {}

  /// Begins. `give(variables, first)` is called once, by whoever completes the group.
  template <class Give>
  static void start(std::shared_ptr<flow_group> const& group, Give give) {
    // The last one is called with nothing but the group alive.
    group->give_ = std::make_unique<giver<Give>>(std::move(give));
    for (std::size_t i = 0; i != group->variables_.size(); ++i) {
      watch& each = group->watches_[i];
      each.index = i;
      each.group = group;
      if (!group->variables_[i].state_->start(each)) continue;
      each.group.reset();
      group->ready(i);
    }
    if (group->variables_.empty()) group->step();
    group->step();
  }

 private:
  struct watch final : flow_waiter_base {
    watch() noexcept : flow_waiter_base(&told, false) {}
    static void told(waiter& self) noexcept {
      auto const mine = std::move(static_cast<watch&>(self).group);
      mine->ready(static_cast<watch&>(self).index);
    }
    std::shared_ptr<flow_group> group;
    std::size_t index = 0;
  };
  struct giver_base {
    virtual ~giver_base() = default;
    virtual void operator()(std::vector<flow_var<R>>&&, std::size_t first) = 0;
  };
  template <class Give>
  struct giver final : giver_base {
    explicit giver(Give&& give) : give(std::move(give)) {}
    void operator()(std::vector<flow_var<R>>&& variables, std::size_t first) override {
      give(std::move(variables), first);
    }
    Give give;
  };

  void ready(std::size_t index) noexcept {
    std::size_t expected = none;
    // relaxed: the steps publish it.
    first_.compare_exchange_strong(expected, index, std::memory_order_relaxed);
    // acq_rel here and below: who completes the group sees what the others did before.
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) step();
  }
  void step() noexcept {
    if (steps_.fetch_add(1, std::memory_order_acq_rel) != 1) return;
    for (std::size_t i = 0; i != variables_.size(); ++i)
      if (variables_[i].state_->cancel(watches_[i])) watches_[i].group.reset();
    (*give_)(std::move(variables_), first_.load(std::memory_order_relaxed));
  }

  std::vector<flow_var<R>> variables_;
  std::unique_ptr<watch[]> watches_;
  std::unique_ptr<giver_base> give_;
  std::atomic<std::ptrdiff_t> left_;
  std::atomic<int> steps_{0};
  std::atomic<std::size_t> first_{none};
};

}  // namespace tokengate::detail
