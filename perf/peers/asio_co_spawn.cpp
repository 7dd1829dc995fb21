// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A coroutine spawned onto the pool for each function, awaited from one on the loop.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "asio_pool.hpp"
#include "stock.hpp"

namespace perf {
namespace {

asio::awaitable<answer> body(task work) {
  co_return work();
}

class co_spawn_peer final : public asio_peer {
 public:
  using asio_peer::asio_peer;

 private:
  void start(load& what, slot& place) override {
    asio::co_spawn(loop_, chain(what, place), asio::detached);
  }

  asio::awaitable<void> chain(load& what, slot& place) {
    while (what.next(place)) {
      auto const gave = co_await asio::co_spawn(pool_, body(place.work), asio::use_awaitable);
      what.finished(place, gave);
    }
  }
};

}  // namespace

std::unique_ptr<peer> make_asio_co_spawn(setup const& how) {
  return std::make_unique<co_spawn_peer>(how);
}

}  // namespace perf
