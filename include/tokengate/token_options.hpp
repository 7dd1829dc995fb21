// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "tokengate/weight.hpp"

namespace tokengate {

/// The deadline of a token that has none.
inline constexpr std::chrono::nanoseconds no_deadline = std::chrono::nanoseconds::max();

/// What happens to a token that finds its lane's backlog full.
enum class admission : std::uint8_t {
  wait,     ///< it waits for a place, for as long as its deadline allows
  try_now,  ///< it is rejected with `error::backlog_full`
  until     ///< it waits for a place for `admit_within`, then it is rejected
};

/// How a token is run: the options of one operation, or of one call of `gate::async_run`.
///
/// An aggregate for designated initialisers, `{.operation = "digest", .weight = weight::heavy}`. It
/// is trivially destructible on purpose: some compilers destroy a temporary with members of its own
/// twice when it is built inside a `co_await` expression.
struct token_options {
  /// The name in statistics, logs and lists of live tokens: of a kind of work, not of an instance,
  /// see gate::define(). Only viewed: it must live as long as the operation that is defined from
  /// it, or the call; a string literal always does.
  std::string_view operation{};

  /// The lane.
  tokengate::weight weight = tokengate::weight::medium;

  /// Counted from the moment of issue. A token that has not started by then never starts and
  /// completes with `error::deadline_passed`; a running one has its stop token set.
  std::chrono::nanoseconds deadline = no_deadline;

  /// What to do when the backlog is full.
  tokengate::admission admission = tokengate::admission::wait;

  /// The longest wait for a place, with `admission::until` only.
  std::chrono::nanoseconds admit_within{0};

  /// The most tokens of this operation that run at once; 0 means as many as there are workers.
  std::uint32_t max_concurrency = 0;
};

static_assert(std::is_aggregate_v<token_options>);
static_assert(std::is_trivially_destructible_v<token_options>);
static_assert(std::is_trivially_copyable_v<token_options>);

}  // namespace tokengate
