// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

namespace perf {

/// The cores this process may run on, as its affinity mask said at the first call.
std::vector<unsigned> const& usable_cores();

/// The core of the loop thread, and the one left to a single worker (the same one if there is
/// only one).
unsigned loop_core();
unsigned worker_core();

/// Lets the calling thread run on `core` only. False when the system refuses.
bool pin_this_thread(unsigned core);
/// Lets it run on all usable cores again.
bool unpin_this_thread();

/// Pins the calling thread for a scope. Without a core it does nothing.
class scoped_pin {
 public:
  explicit scoped_pin(std::optional<unsigned> core);
  ~scoped_pin();
  scoped_pin(scoped_pin const&) = delete;
  scoped_pin& operator=(scoped_pin const&) = delete;

 private:
  bool pinned_ = false;
};

/// What the process has used so far; subtract two of them.
struct usage {
  std::chrono::nanoseconds cpu{};
  long voluntary_switches = 0;
  long switches = 0;  ///< of both kinds
};
usage usage_now();

}  // namespace perf
