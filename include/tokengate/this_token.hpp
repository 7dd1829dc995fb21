// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tokengate/gate.hpp"

/// The token whose function the calling thread is running. Except for running(), to be called from
/// inside one; elsewhere they give the values of a token that is none.
namespace tokengate::this_token {

[[nodiscard]] bool running() noexcept;
[[nodiscard]] std::uint64_t id() noexcept;
[[nodiscard]] std::string_view operation_name() noexcept;

/// Whether the caller gave the token up, its gate or pool is being stopped, or its deadline has
/// passed. Costs a load, and a look at the clock when there is a deadline: cheap enough for an
/// inner loop.
[[nodiscard]] bool stop_requested() noexcept;
[[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline() noexcept;

/// The token from inside which this one was issued; 0 for none.
[[nodiscard]] std::uint64_t lead() noexcept;

}  // namespace tokengate::this_token

namespace tokengate::detail {
/// The gate of the running token. Throws std::logic_error when there is none.
[[nodiscard]] gate_core& gate_of_this_token();
[[nodiscard]] weight weight_of_this_token() noexcept;
}  // namespace tokengate::detail

namespace tokengate::this_token {

/// Issues a child: a token through the same gate, which prefers the core of this one and ends
/// together with it in the books. It must not be waited for in here: a worker that blocks on a
/// token gets error::would_deadlock. The weight is that of the running token unless options say
/// otherwise.
template <detail::token_function F>
[[nodiscard]] auto spawn(token_options const& options, F&& function) {
  using bound = detail::once<std::decay_t<F>>;
  detail::gate_core& gate = detail::gate_of_this_token();
  return lazy_token<bound>(gate, detail::operation_for(gate, options), detail::terms(options),
                           bound{std::forward<F>(function)})
      .spawn();
}
template <detail::token_function F>
[[nodiscard]] auto spawn(F&& function) {
  token_options options;
  options.weight = detail::weight_of_this_token();
  return spawn(options, std::forward<F>(function));
}

}  // namespace tokengate::this_token
