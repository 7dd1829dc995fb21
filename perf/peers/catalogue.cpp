// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "others.hpp"
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
      {"asio_bounded", false, make_asio_bounded, shape::callback, true},
      {"asio_skipping", false, make_asio_skipping, shape::callback, true},
#ifdef TOKENGATE_PERF_HAS_TBB
      {"tbb_arena", false, make_tbb_arena, shape::callback},
#endif
#ifdef TOKENGATE_PERF_HAS_THREAD_POOL
      {"thread_pool", false, make_thread_pool, shape::callback},
#endif
      {"std_async", false, make_std_async, shape::callback},
  };
  return all;
}

}  // namespace perf
