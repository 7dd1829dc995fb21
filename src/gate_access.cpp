// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/impl/gate_access.hpp"

#include "gate_core.hpp"
#include "worker.hpp"

namespace tokengate::detail {

void issue(gate_core& gate, token_base& token) noexcept {
  gate.issue(token);
}
void request_stop(gate_core& gate, token_base& token, bool running_too) noexcept {
  gate.request_stop(token, running_too);
}
asio::any_io_executor const& executor_of(gate_core& gate) noexcept {
  return gate.executor();
}
bool is_executor_of(gate_core& gate, asio::any_io_executor const& other) noexcept {
  return gate.is_executor(other);
}
void lost_error(gate_core& gate, std::exception_ptr const& error) noexcept {
  gate.lost_error(error);
}

void link_to_lead(token_extras& extras, gate_core& gate) noexcept {
  worker_context const& here = this_worker;
  // A token of another gate is no lead: ids are a gate's own.
  if (here.running == nullptr || here.from->bell.get() != &gate) return;
  here.running->flags.fetch_or(token_base::leads, std::memory_order_relaxed);
  extras.lead = here.running->way.in.id;
  extras.near_core = static_cast<std::uint32_t>(here.self->core());
}

token_extras& need_extras(token_base& token) {
  if (token.extras == nullptr) {
    token.extras = new (block_allocator<token_extras>{}.allocate(1)) token_extras;
    token.extras->owner = &token;
  }
  return *token.extras;
}

void free_extras(token_base& token) noexcept {
  if (token.extras == nullptr) return;
  if (external_stop* external = token.extras->external) {
    external->~external_stop();
    block_allocator<external_stop>{}.deallocate(external, 1);
  }
  token.extras->~token_extras();
  block_allocator<token_extras>{}.deallocate(token.extras, 1);
  token.extras = nullptr;
}

}  // namespace tokengate::detail
