// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/gate.hpp"

#include <stdexcept>

#include "gate_core.hpp"
#include "gate_service.hpp"
#include "tokengate/this_token.hpp"

// The public face: gate, operation, this_token.

namespace tokengate {

gate::gate(asio::any_io_executor executor, std::unique_ptr<detail::executor_port> port,
           asio::execution_context& context, worker_pool& workers, gate_options const& options)
    : core_(std::make_shared<detail::gate_core>(std::move(executor), std::move(port), workers.core_,
                                                options)) {
  asio::use_service<detail::gate_service>(context).add(core_);
  core_->attach();
}

gate::~gate() {
  core_->gate_gone();
}

gate::executor_type gate::get_executor() const noexcept {
  return core_->executor();
}

operation gate::define(token_options const& options) {
  return {core_, detail::operation_for(*core_, options), options};
}

void gate::start_drain(std::shared_ptr<detail::gate_core> const& core,
                       std::chrono::nanoseconds deadline,
                       asio::any_completion_handler<void(drain_report)> handler) {
  core->async_drain(deadline, std::move(handler));
}

void gate::close() {
  core_->close(error::closed);
}
void gate::stop() {
  core_->stop();
}
bool gate::kill(std::uint64_t id) {
  return core_->kill(id);
}
gate_snapshot gate::snapshot() const {
  return core_->snapshot();
}
std::vector<live_token> gate::tokens() const {
  return core_->tokens();
}

operation::operation(std::shared_ptr<detail::gate_core> gate, detail::operation_record& record,
                     token_options const& options) noexcept
    : gate_(std::move(gate)), record_(&record), options_(options), terms_(options) {
  options_.operation = record.name;  // the caller's text may go
}

std::string_view operation::name() const noexcept {
  return record_->name;
}
tokengate::weight operation::weight() const noexcept {
  return record_->options.weight;
}
token_options const& operation::options() const noexcept {
  return options_;
}

namespace this_token {
namespace {

detail::token_base const* current() noexcept {
  return detail::this_worker.running;
}

}  // namespace

bool running() noexcept {
  return current() != nullptr;
}
std::uint64_t id() noexcept {
  return running() ? current()->way.in.id : 0;
}
std::string_view operation_name() noexcept {
  return running() ? std::string_view(current()->operation->name) : std::string_view();
}
bool stop_requested() noexcept {
  auto const* token = current();
  if (token == nullptr) return false;
  return token->wants_stop() || token->has_passed_deadline();
}
std::optional<std::chrono::steady_clock::time_point> deadline() noexcept {
  auto const* token = current();
  if (token == nullptr || token->deadline() == std::chrono::steady_clock::time_point::max())
    return std::nullopt;
  return token->deadline();
}
std::uint64_t lead() noexcept {
  auto const* token = current();
  return token != nullptr && token->extras != nullptr ? token->extras->lead : 0;
}

}  // namespace this_token

namespace detail {

gate_core& gate_of_this_token() {
  auto const& here = this_worker;
  if (here.running == nullptr)
    throw std::logic_error("tokengate::this_token: the calling thread runs no token");
  return static_cast<gate_core&>(*here.from->bell);
}

weight weight_of_this_token() noexcept {
  auto const& here = this_worker;
  return here.running == nullptr ? weight::medium : static_cast<weight>(here.running->lane);
}

operation_record& operation_for(gate_core& gate, token_options const& options) {
  if (options.admission == admission::until && options.admit_within.count() <= 0)
    throw std::invalid_argument("tokengate: admission::until needs a positive admit_within");
  if (options.operation.empty()) {
    if (options.max_concurrency != 0)
      throw std::invalid_argument("tokengate: max_concurrency needs an operation name to count by");
    return gate.default_operation(options.weight);
  }
  return gate.define(options);
}

void set_extras(gate_core& gate, token_base& token, terms const& with) {
  using clock = std::chrono::steady_clock;
  bool const has_deadline = with.deadline != no_deadline;
  bool const until = with.policy == admission::until;
  token_extras& extras = need_extras(token);
  if (has_deadline || until) {
    auto const now = clock::now();
    auto const at = [&](std::chrono::nanoseconds span) {
      return span > clock::time_point::max() - now ? clock::time_point::max() : now + span;
    };
    if (has_deadline) {
      extras.deadline = at(with.deadline);
      token.flags.fetch_or(token_base::timed, std::memory_order_relaxed);
    }
    if (until) extras.admit_until = at(with.admit_within);
  }
  extras.key = with.key;
  extras.has_key = with.has_key;
  link_to_lead(extras, gate);
  if (with.stop.stop_possible()) {
    auto* place = block_allocator<external_stop>{}.allocate(1);
    try {
      extras.external = ::new (static_cast<void*>(place)) external_stop(with.stop, gate, token);
    } catch (...) {
      block_allocator<external_stop>{}.deallocate(place, 1);
      throw;
    }
  }
}

bool issue_or_refuse(gate_core& gate, token_base& token) noexcept {
  return gate.issue_or_refuse(token);
}

void end_refused(gate_core& gate) noexcept {
  gate.end_refused();
}

std::shared_ptr<gate_core> share(gate_core& gate) noexcept {
  return gate.shared_from_this();
}

}  // namespace detail
}  // namespace tokengate
