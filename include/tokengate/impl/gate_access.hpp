// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <stop_token>

#include "tokengate/detail/token_base.hpp"
#include "tokengate/fwd.hpp"
#include "tokengate/impl/worker_context.hpp"
#include "tokengate/token_options.hpp"

/// @file
/// What the templates of the library need of a gate. The gate itself is compiled, see
/// src/gate_core.hpp.

namespace tokengate::detail {

class gate_core;

/// Hands a token over. Nothing of it may be touched afterwards. Any thread.
void issue(gate_core& gate, token_base& token) noexcept;

/// As issue(), but a token that is refused at once is given back: false, and it is the caller's to
/// end.
[[nodiscard]] bool issue_or_refuse(gate_core& gate, token_base& token) noexcept;
/// Takes such a token out of the books, once it is on its way to its handler.
void end_refused(gate_core& gate) noexcept;

/// The operation that options stand for: the gate's own for their weight when they name none.
[[nodiscard]] operation_record& operation_for(gate_core& gate, token_options const& options);

/// Any thread that knows the token to be alive. `running_too`: a function that has started is asked
/// to stop; otherwise only a token that has not started is withdrawn.
void request_stop(gate_core& gate, token_base& token, bool running_too) noexcept;

[[nodiscard]] asio::any_io_executor const& executor_of(gate_core& gate) noexcept;
/// Whether that is the gate's executor.
[[nodiscard]] bool is_executor_of(gate_core& gate, asio::any_io_executor const& other) noexcept;

/// An exception that nobody is there to take.
void lost_error(gate_core& gate, std::exception_ptr const& error) noexcept;
/// The same of a flow variable that nobody asked; null for one without a gate.
void lost_error(gate_core* gate, std::exception_ptr const& error) noexcept;

[[nodiscard]] inline bool issued_from_token() noexcept {
  return this_worker.running != nullptr;
}
/// Links a token that is issued from inside another one to it.
void link_to_lead(token_extras& extras, gate_core& gate) noexcept;

/// The caller's std::stop_token, as the any-thread way to stop a token.
struct external_stop {
  struct relay {
    gate_core* gate;
    token_base* token;
    void operator()() const noexcept { request_stop(*gate, *token, true); }
  };
  external_stop(std::stop_token const& from, gate_core& gate, token_base& token)
      : callback(from, relay{&gate, &token}) {}
  std::stop_callback<relay> callback;
};

/// Allocates what only some tokens need. May throw bad_alloc.
[[nodiscard]] token_extras& need_extras(token_base& token);
void free_extras(token_base& token) noexcept;

}  // namespace tokengate::detail
