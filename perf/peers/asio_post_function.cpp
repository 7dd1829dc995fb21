// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// post(function, executor, token): the function runs on the pool, the handler on its own executor.
#include "stock.hpp"

#ifdef TOKENGATE_PERF_HAS_POST_FUNCTION

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>

#include "asio_pool.hpp"

namespace perf {
namespace {

class post_function_peer final : public asio_peer {
 public:
  using asio_peer::asio_peer;

 private:
  void start(load& what, slot& place) override {
    asio::co_spawn(loop_, chain(what, place), asio::detached);
  }

  asio::awaitable<void> chain(load& what, slot& place) {
    while (what.next(place)) {
      auto const gave = co_await asio::post([work = place.work] { return work(); },
                                            pool_.get_executor(), asio::deferred);
      what.finished(place, gave);
    }
  }
};

}  // namespace

std::unique_ptr<peer> make_asio_post_function(setup const& how) {
  return std::make_unique<post_function_peer>(how);
}

}  // namespace perf

#endif
