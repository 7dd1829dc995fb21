// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <concepts>
#include <mutex>
#include <utility>

#include "tokengate/detail/fault_point.hpp"
#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/detail/wait_error.hpp"
#include "tokengate/detail/waiter.hpp"
#include "tokengate/fwd.hpp"
#include "tokengate/impl/context_member.hpp"

/// @file
/// A core with its mutex. Invariant: the mutex guards the core, and nobody is resumed under it.

namespace tokengate::detail {

template <class Context>
concept execution_context_type = std::derived_from<Context, asio::execution_context>;

template <class Core>
struct core_state {
  template <class... Args>
  explicit core_state(asio::any_io_executor const& on, Args&&... args)
      : core(std::forward<Args>(args)...), executor(on) {}

  /// Calls `step(core, woken)` and resumes those it wakes.
  template <class Step>
  decltype(auto) change(Step step) noexcept {
    woken_list woken;
    struct resume_at_end {
      woken_list& all;
      ~resume_at_end() {
        TOKENGATE_FAULT_POINT("core_state decided");
        resume_all(all);
      }
    } last{woken};
    std::lock_guard hold(mutex);
    return step(core, woken);
  }
  template <class Look>
  [[nodiscard]] auto look(Look look) const noexcept {
    std::lock_guard hold(mutex);
    return look(core);
  }

  short_mutex mutable mutex;
  Core core;
  kept_executor const executor;
};

}  // namespace tokengate::detail
