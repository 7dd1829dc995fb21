// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <tokengate/gate.hpp>
#include <tokengate/worker_pool.hpp>

#include "machine.hpp"

namespace perf {

namespace asio = boost::asio;

/// A gate whose pool has the worker's core only.
class gate_of_one_worker {
 public:
  explicit gate_of_one_worker(asio::io_context& loop) : gate_(loop.get_executor(), workers_) {}

  tokengate::gate& operator*() { return gate_; }

 private:
  static tokengate::worker_pool_options options() {
    tokengate::worker_pool_options made;
    made.cores = {worker_core()};
    return made;
  }

  tokengate::worker_pool workers_{options()};
  tokengate::gate gate_;
};

/// The stock pool with one thread, on the same core. Its end waits for what was posted.
class pool_of_one_thread {
 public:
  pool_of_one_thread() {
    asio::post(pool_, [] { pin_this_thread(worker_core()); });
  }
  ~pool_of_one_thread() { pool_.join(); }

  asio::thread_pool::executor_type executor() { return pool_.get_executor(); }

 private:
  asio::thread_pool pool_{1};
};

}  // namespace perf
