// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <memory>

#include "peer.hpp"

namespace perf {

// Ways to another thread that are not Asio's; the way back is a post() to the loop.
std::unique_ptr<peer> make_std_async(setup const&);

// Where CMake finds them.
#ifdef TOKENGATE_PERF_HAS_TBB
std::unique_ptr<peer> make_tbb_arena(setup const&);
#endif
#ifdef TOKENGATE_PERF_HAS_THREAD_POOL
std::unique_ptr<peer> make_thread_pool(setup const&);
#endif

}  // namespace perf
