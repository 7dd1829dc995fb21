// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "peer.hpp"
#include "stock.hpp"
#include "tokengate_peer.hpp"

namespace perf {

std::vector<peer_kind> const& peers() {
  static std::vector<peer_kind> const all{
      {"tokengate", false, make_tokengate},
      {"tokengate_no_hot", false, make_tokengate_no_hot},
      {"asio_callback", true, make_asio_callback, shape::callback},
      {"asio_two_hops", true, make_asio_two_hops, shape::use_awaitable},
      {"asio_two_hops_deferred", true, make_asio_two_hops, shape::deferred},
      {"asio_lean_deferred", true, make_asio_lean, shape::deferred},
      {"asio_lean_use_awaitable", true, make_asio_lean, shape::use_awaitable},
      {"asio_co_spawn", true, make_asio_co_spawn, shape::use_awaitable},
#ifdef TOKENGATE_PERF_HAS_POST_FUNCTION
      {"asio_post_function", true, make_asio_post_function, shape::deferred},
#endif
  };
  return all;
}

}  // namespace perf
