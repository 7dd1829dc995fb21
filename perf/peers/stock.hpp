// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/version.hpp>
#include <memory>

#include "peer.hpp"

namespace perf {

// The stock idioms of Asio, one file each.
std::unique_ptr<peer> make_asio_callback(setup const&);
std::unique_ptr<peer> make_asio_two_hops(setup const&);
std::unique_ptr<peer> make_asio_lean(setup const&);
std::unique_ptr<peer> make_asio_co_spawn(setup const&);

// The same with what a careful user adds against overload: a bound; a deadline.
std::unique_ptr<peer> make_asio_bounded(setup const&);
std::unique_ptr<peer> make_asio_skipping(setup const&);

// post(function, executor, token) came with Boost 1.90.
#if BOOST_VERSION >= 109000
#define TOKENGATE_PERF_HAS_POST_FUNCTION
std::unique_ptr<peer> make_asio_post_function(setup const&);
#endif

}  // namespace perf
