// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>

#include "tokengate/detail/latch_core.hpp"
#include "tokengate/impl/event_wait.hpp"

namespace tokengate {

/// Waits until a number of things have been done: as std::latch, awaited. It opens once; for rounds
/// take an async_barrier, for children that must end a task_scope.
/// @par Thread safety  any thread, all functions
class async_latch : public detail::happening<detail::latch_core> {
 public:
  async_latch(asio::any_io_executor const& executor, std::size_t count)
      : happening(executor, count) {}
  template <detail::execution_context_type Context>
  async_latch(Context& context, std::size_t count) : async_latch(context.get_executor(), count) {}

  /// One thing, or some, have been done. More than there are to do is taken for the rest.
  void count_down(std::size_t by = 1) noexcept {
    state_->change(
        [by](detail::latch_core& core, detail::woken_list& woken) { core.count_down(by, woken); });
  }
  [[nodiscard]] std::size_t count() const noexcept {
    return state_->look([](detail::latch_core const& core) { return core.count(); });
  }
};

}  // namespace tokengate
