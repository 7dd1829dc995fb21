// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "tokengate/impl/event_wait.hpp"

namespace tokengate {

/// Something that happens to everybody: while it is set all pass, while it is not they wait. For
/// "ready", "paused", "stop now"; for one wake-up per event take an async_semaphore, for a value a
/// watch or a channel.
/// @par Thread safety  any thread, all functions
class async_event : public detail::happening<detail::event_core> {
 public:
  explicit async_event(asio::any_io_executor const& executor, bool set = false)
      : happening(executor, set) {}
  template <detail::execution_context_type Context>
  explicit async_event(Context& context, bool set = false)
      : async_event(context.get_executor(), set) {}

  /// Lets all through who wait now, and all who come until reset().
  void set() noexcept {
    state_->change([](detail::event_core& core, detail::woken_list& woken) { core.open(woken); });
  }
  /// Who comes from now on waits. Those that set() let through are not called back.
  void reset() noexcept {
    state_->change([](detail::event_core& core, detail::woken_list&) { core.shut(); });
  }
  [[nodiscard]] bool is_set() const noexcept { return try_wait(); }
};

}  // namespace tokengate
