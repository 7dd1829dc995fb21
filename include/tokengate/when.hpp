// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <ranges>
#include <utility>
#include <vector>

#include "tokengate/impl/flow_group.hpp"
#include "tokengate/promise.hpp"

namespace tokengate {

/// What when_any() gives: all the variables in their order, and which one was ready first.
template <class R>
struct any_ready {
  std::size_t index = 0;
  std::vector<flow_var<R>> variables;
};

namespace detail {

template <class Range>
using flow_value_t = typename std::ranges::range_value_t<Range>::result_type;

template <class Range>
concept flow_range = std::ranges::input_range<Range> &&
    std::same_as<std::ranges::range_value_t<Range>, flow_var<flow_value_t<Range>>>;

/// A flow variable without a state would never be ready; one that was taken is.
template <class R>
void check_state(flow_var<R> const& one) {
  if (!one.valid() && !one.ready()) std::rethrow_exception(no_result(std::future_errc::no_state));
}

/// All or nothing, where the range can be gone through twice.
template <class Range>
[[nodiscard]] auto take_all(Range&& range) {
  std::vector<flow_var<flow_value_t<Range>>> taken;
  if constexpr (std::ranges::forward_range<Range>) {
    for (auto const& each : range) check_state(each);
    taken.reserve(static_cast<std::size_t>(std::ranges::distance(range)));
  }
  for (auto& each : range) {
    check_state(each);
    taken.push_back(std::move(each));
  }
  return taken;
}

}  // namespace detail

/// Ready as soon as all of a range of flow variables are, whether with values or exceptions; gives
/// them back in their order, each ready to be taken with get(). Nothing is lost: an error of one
/// does not hide the results of the others. An empty range is ready at once.
/// @par Errors      std::future_error (no_state) for one that was default-constructed or moved from
/// @par Thread safety  the variables are moved from; nobody else may use them meanwhile
/// @par Executor    handlers without an executor of their own run on `executor`
/// @par Cancellation  as flow_var: giving up the wait leaves everything as it is
/// @par Cost        a few allocations for the group
template <detail::flow_range Range>
[[nodiscard]] auto when_all(Range&& variables,
                            asio::any_io_executor executor = asio::system_executor()) {
  using R = detail::flow_value_t<Range>;
  promise<std::vector<flow_var<R>>> all(std::move(executor));
  auto result = all.get_flow_var();
  auto taken = detail::take_all(variables);
  auto const count = taken.size();
  detail::flow_group<R>::start(
      std::make_shared<detail::flow_group<R>>(std::move(taken), count),
      [all = std::move(all)](std::vector<flow_var<R>>&& ready, std::size_t) mutable {
        all.set_value(std::move(ready));
      });
  return result;
}

/// Ready as soon as one of a range of flow variables is; gives all of them back, so that those that
/// are still to come can be waited for again.
/// @par Errors  as when_all(); std::invalid_argument for an empty range
template <detail::flow_range Range>
[[nodiscard]] auto when_any(Range&& variables,
                            asio::any_io_executor executor = asio::system_executor()) {
  using R = detail::flow_value_t<Range>;
  promise<any_ready<R>> any(std::move(executor));
  auto result = any.get_flow_var();
  auto taken = detail::take_all(variables);
  if (taken.empty()) throw std::invalid_argument("tokengate: when_any of nothing");
  detail::flow_group<R>::start(
      std::make_shared<detail::flow_group<R>>(std::move(taken), 1),
      [any = std::move(any)](std::vector<flow_var<R>>&& ready, std::size_t first) mutable {
        any.set_value(any_ready<R>{first, std::move(ready)});
      });
  return result;
}

}  // namespace tokengate
