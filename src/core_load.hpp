// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>

namespace tokengate::detail {

/// Who of the process wants a core now, as far as the library knows. All relaxed: a loop decides by
/// it whether polling would take a core from somebody.
struct core_load {
  std::atomic<int> awake_workers{0};
  std::atomic<int> hot_queues{0};

  static core_load& get() noexcept {
    static constinit core_load of_process;
    return of_process;
  }
};

}  // namespace tokengate::detail
