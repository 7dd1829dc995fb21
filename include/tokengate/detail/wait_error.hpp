// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <exception>

#include "tokengate/detail/waiter.hpp"
#include "tokengate/error.hpp"

namespace tokengate::detail {

/// What an outcome other than `done` is to the one who waited.
[[nodiscard]] constexpr error error_of(wait_outcome outcome) noexcept {
  switch (outcome) {
    case wait_outcome::timed_out:
      return error::timed_out;
    case wait_outcome::closed:
      return error::closed;
    case wait_outcome::refused:
      return error::would_deadlock;
    case wait_outcome::cancelled:
    case wait_outcome::done:
      break;
  }
  return error::cancelled;
}

/// Null for `done`, else the ready-made exception.
[[nodiscard]] inline std::exception_ptr exception_of(wait_outcome outcome) noexcept {
  if (outcome == wait_outcome::done) return nullptr;
  return make_exception(error_of(outcome));
}

}  // namespace tokengate::detail
