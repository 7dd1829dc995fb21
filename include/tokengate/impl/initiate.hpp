// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "tokengate/impl/terms.hpp"
#include "tokengate/impl/token_node.hpp"

namespace tokengate::detail {

/// Stops a token through the cancellation slot of its handler. On the handler's executor, so the
/// token is there: its slot is cleared before it goes.
struct slot_stop {
  gate_core* gate;
  token_base* token;
  void operator()(asio::cancellation_type type) const noexcept {
    using asio::cancellation_type;
    if (type == cancellation_type::none) return;
    bool const running_too = (type & (cancellation_type::terminal | cancellation_type::partial)) !=
                             cancellation_type::none;
    request_stop(*gate, *token, running_too);
  }
};

/// Fills in what only some tokens need. May throw bad_alloc.
void set_extras(gate_core& gate, token_base& token, terms const& with);

inline void set_terms(gate_core& gate, token_base& token, terms const& with, bool cancellable) {
  token.lane = static_cast<std::uint8_t>(lane_index(with.lane));
  token.policy = with.policy;
  bool const plain = !cancellable && !with.has_key && !with.limited &&
                     with.deadline == no_deadline && with.policy != admission::until &&
                     !with.stop.stop_possible() && token.ops->request_stop == nullptr;
  if (!plain || issued_from_token()) set_extras(gate, token, with);
}

/// For asio::detached: an exception is counted and logged.
struct log_errors {
  gate_core* gate;
  template <class... Value>
  void operator()(std::exception_ptr error, Value&&...) const noexcept {
    if (error) lost_error(*gate, error);
  }
};

/// Makes a token and issues it. The one way in for all forms.
template <class Bound, class Handler>
void start(gate_core& gate, operation_record& operation, terms const& with, Bound&& bound,
           Handler&& handler) {
  using node = token_node<std::decay_t<Bound>, std::decay_t<Handler>>;
  node* token = node::create(gate, operation, std::move(bound), std::forward<Handler>(handler));
  auto slot = asio::get_associated_cancellation_slot(token->handler());
  bool const cancellable = slot.is_connected();
  try {
    // Before the caller's stop token is asked, which may leave a note of the token at once.
    if (cancellable) slot.template emplace<slot_stop>(slot_stop{&gate, token});
    set_terms(gate, *token, with, cancellable);
  } catch (...) {
    if (cancellable) slot.clear();
    node::destroy(token);
    throw;
  }
#if BOOST_VERSION >= 108200
  if constexpr (node::has_immediate_executor) {
    if (issue_or_refuse(gate, *token)) return;
    return node::refuse(gate, token);
  }
#endif
  issue(gate, *token);
}

template <class Bound>
struct initiate_token {
  using executor_type = asio::any_io_executor;

  gate_core* gate;
  operation_record* operation;

  [[nodiscard]] executor_type get_executor() const noexcept { return executor_of(*gate); }

  template <class Handler>
  void operator()(Handler&& handler, terms&& with, Bound&& bound) const {
    start(*gate, *operation, with, std::move(bound), std::forward<Handler>(handler));
  }
};

}  // namespace tokengate::detail
