// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "syscalls.hpp"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace perf {
namespace {

/// The number of the trace point, which differs between kernels; 0 when it cannot be read.
std::uint64_t trace_point() {
  for (auto const* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    std::uint64_t number = 0;
    std::ifstream from{std::string{root} + "/events/raw_syscalls/sys_enter/id"};
    if (from >> number) return number;
  }
  return 0;
}

}  // namespace

syscall_counter::syscall_counter() {
  auto const number = trace_point();
  if (number == 0) return;
  perf_event_attr what{};
  what.type = PERF_TYPE_TRACEPOINT;
  what.size = sizeof what;
  what.config = number;
  what.inherit = 1;
  event_ = static_cast<int>(syscall(SYS_perf_event_open, &what, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

syscall_counter::~syscall_counter() {
  if (event_ >= 0) close(event_);
}

std::optional<std::uint64_t> syscall_counter::count() const {
  std::uint64_t value = 0;
  if (event_ < 0 || read(event_, &value, sizeof value) != sizeof value) return {};
  return value;
}

}  // namespace perf
