// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "tokengate/lock_checks.hpp"

namespace tokengate::detail {

/// Tells the handler, or the log, of a cycle. Not under a lock.
void report(lock_cycle const& cycle) noexcept;

}  // namespace tokengate::detail
