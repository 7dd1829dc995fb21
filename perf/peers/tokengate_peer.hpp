// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <memory>

#include "peer.hpp"

namespace perf {

// The library: as it comes, and with the loop left to sleep while tokens are out.
std::unique_ptr<peer> make_tokengate(setup const&);
std::unique_ptr<peer> make_tokengate_no_hot(setup const&);

}  // namespace perf
