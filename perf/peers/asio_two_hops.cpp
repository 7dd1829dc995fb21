// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A coroutine that hops to the pool, works there, and hops back.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "asio_pool.hpp"
#include "stock.hpp"

namespace perf {
namespace {

template <class Token>
class two_hops_peer final : public asio_peer {
 public:
  two_hops_peer(setup const& how, Token token) : asio_peer(how), token_(token) {}

 private:
  void start(load& what, slot& place) override {
    asio::co_spawn(this->loop_, chain(what, place), asio::detached);
  }

  asio::awaitable<void> chain(load& what, slot& place) {
    while (what.next(place)) {
      // Bound to the executor, the hop resumes the coroutine there.
      co_await asio::post(asio::bind_executor(this->pool_.get_executor(), token_));
      auto const gave = place.work();
      co_await asio::post(asio::bind_executor(this->loop_.get_executor(), token_));
      what.finished(place, gave);
    }
  }

  Token token_;
};

}  // namespace

std::unique_ptr<peer> make_asio_two_hops(setup const& how) {
  if (how.how == shape::use_awaitable)
    return std::make_unique<two_hops_peer<asio::use_awaitable_t<>>>(how, asio::use_awaitable);
  return std::make_unique<two_hops_peer<asio::deferred_t>>(how, asio::deferred);
}

}  // namespace perf
