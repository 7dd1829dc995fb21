// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <optional>

namespace perf {

/// Counts the system calls of the calling thread and of all threads that it starts from now on,
/// and they in turn, by the kernel's own trace point. It makes every system call dearer while it
/// exists, so never count in a run that is timed.
class syscall_counter {
 public:
  syscall_counter();
  ~syscall_counter();
  syscall_counter(syscall_counter const&) = delete;
  syscall_counter& operator=(syscall_counter const&) = delete;

  /// So far; nothing where the system does not let us.
  std::optional<std::uint64_t> count() const;

 private:
  int event_ = -1;
};

}  // namespace perf
