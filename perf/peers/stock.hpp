// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/version.hpp>
#include <memory>

#include "peer.hpp"

namespace perf {

// The stock idioms of Asio, one file each.
std::unique_ptr<peer> make_asio_callback(shape, placement);
std::unique_ptr<peer> make_asio_two_hops(shape, placement);
std::unique_ptr<peer> make_asio_lean(shape, placement);
std::unique_ptr<peer> make_asio_co_spawn(shape, placement);

// post(function, executor, token) came with Boost 1.90.
#if BOOST_VERSION >= 109000
#define TOKENGATE_PERF_HAS_POST_FUNCTION
std::unique_ptr<peer> make_asio_post_function(shape, placement);
#endif

}  // namespace perf
