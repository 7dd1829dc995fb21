// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "gate_service.hpp"

#include <algorithm>
#include <iterator>

#include "gate_core.hpp"

namespace tokengate::detail {

asio::execution_context::id gate_service::id;

namespace {

using gate_list = std::vector<std::weak_ptr<gate_core>>;

void add_to(gate_list& list, std::weak_ptr<gate_core> gate) {
  std::erase_if(list, [](auto const& gone) { return gone.expired(); });
  list.push_back(std::move(gate));
}

struct all_gates {
  std::mutex mutex;
  gate_list gates;
  static all_gates& get() {
    static all_gates all;
    return all;
  }
};

}  // namespace

void gate_service::add(std::shared_ptr<gate_core> gate) {
  {
    std::lock_guard hold(all_gates::get().mutex);
    add_to(all_gates::get().gates, gate);
  }
  std::vector<std::shared_ptr<gate_core>> gone;  // ends outside the lock
  std::lock_guard hold(mutex_);
  gates_.push_back(std::move(gate));
  auto const first = std::ranges::partition(gates_, [](auto const& each) {
                       return each.use_count() != 1;
                     }).begin();
  gone.assign(std::move_iterator(first), std::move_iterator(gates_.end()));
  gates_.erase(first, gates_.end());
}

bool gate_service::on_any_loop() {
  // Asked before each wait that blocks, so its memory is kept.
  thread_local gate_list gates;
  {
    std::lock_guard hold(all_gates::get().mutex);
    auto& all = all_gates::get().gates;
    std::erase_if(all, [](auto const& gone) { return gone.expired(); });
    gates = all;
  }
  bool const found = std::ranges::any_of(gates, [](auto const& each) {
    auto gate = each.lock();
    return gate && gate->on_loop_thread();
  });
  gates.clear();
  return found;
}

void gate_service::shutdown() {
  std::vector<std::shared_ptr<gate_core>> gates;
  {
    std::lock_guard hold(mutex_);
    gates.swap(gates_);
  }
  for (auto& each : gates) each->context_gone();
}

}  // namespace tokengate::detail
