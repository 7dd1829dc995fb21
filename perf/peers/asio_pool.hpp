// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "../machine.hpp"
#include "loop_peer.hpp"

namespace perf {

/// How many threads a pool gets that has no opinion of its own.
inline std::size_t threads_for(placement where) {
  return where == placement::every_core ? usable_cores().size() : 1;
}

/// A loop and the stock thread pool.
class asio_peer : public loop_peer {
 public:
  explicit asio_peer(setup const& how) : pool_(threads_for(how.where)) {
    if (how.where == placement::one_worker)
      asio::post(pool_, [] { pin_this_thread(worker_core()); });
  }
  ~asio_peer() override { pool_.join(); }

 protected:
  asio::thread_pool pool_;
};

}  // namespace perf
