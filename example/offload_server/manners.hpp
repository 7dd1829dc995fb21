// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include "offload.hpp"

namespace offload_server {

/// Treats a server badly (nonsense, too much, too fast, and going away) and prints how it answers.
/// Returns true if all answers were as they should be.
bool check_manners(const key_derivation& password, offload_settings settings);

}  // namespace offload_server
