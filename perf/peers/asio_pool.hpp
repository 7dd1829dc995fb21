// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "../machine.hpp"
#include "loop_peer.hpp"

namespace perf {

/// A loop and the stock thread pool.
class asio_peer : public loop_peer {
 public:
  explicit asio_peer(placement where)
      : pool_(where == placement::one_worker ? 1 : usable_cores().size()) {
    if (where == placement::one_worker) asio::post(pool_, [] { pin_this_thread(worker_core()); });
  }
  ~asio_peer() override { pool_.join(); }

 protected:
  asio::thread_pool pool_;
};

}  // namespace perf
