// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <string_view>

namespace tokengate {

/// Where a token is on its way. It ends in exactly one of the final states, and stays there.
enum class token_state : std::uint8_t {
  created,
  waiting,    ///< in the gate's backlog
  admitted,   ///< in a mailbox, not started
  executing,  ///< the function runs
  completed,  ///< final: the function returned
  failed,     ///< final: the function threw
  killed,     ///< final: ended by an operator
  timed_out,  ///< final: ended by its deadline
  cancelled,  ///< final: given up by the caller
  rejected    ///< final: never admitted
};

constexpr bool is_final(token_state state) noexcept {
  return state >= token_state::completed;
}

constexpr std::string_view to_string(token_state state) noexcept {
  switch (state) {
    case token_state::created:
      return "created";
    case token_state::waiting:
      return "waiting";
    case token_state::admitted:
      return "admitted";
    case token_state::executing:
      return "executing";
    case token_state::completed:
      return "completed";
    case token_state::failed:
      return "failed";
    case token_state::killed:
      return "killed";
    case token_state::timed_out:
      return "timed_out";
    case token_state::cancelled:
      return "cancelled";
    case token_state::rejected:
      return "rejected";
  }
  return "unknown";
}

}  // namespace tokengate
