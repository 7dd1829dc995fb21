// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The leanest operation a user would write: one post to the pool, one back, awaited as one.
#include <boost/asio/append.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "asio_pool.hpp"
#include "stock.hpp"

namespace perf {
namespace {

template <class Token>
auto async_work(asio::thread_pool& pool, task const& work, Token&& token) {
  auto initiate = [&pool, work](auto handler) {
    asio::post(pool, [work, handler = std::move(handler)]() mutable {
      auto const gave = work();
      auto const home = asio::get_associated_executor(handler);
      asio::post(home, asio::append(std::move(handler), gave));
    });
  };
  return asio::async_initiate<Token, void(answer)>(initiate, token);
}

template <class Token>
class lean_peer final : public asio_peer {
 public:
  lean_peer(setup const& how, Token token) : asio_peer(how), token_(token) {}

 private:
  void start(load& what, slot& place) override {
    asio::co_spawn(this->loop_, chain(what, place), asio::detached);
  }

  asio::awaitable<void> chain(load& what, slot& place) {
    while (what.next(place)) {
      auto const gave = co_await async_work(this->pool_, place.work, token_);
      what.finished(place, gave);
    }
  }

  Token token_;
};

}  // namespace

std::unique_ptr<peer> make_asio_lean(setup const& how) {
  if (how.how == shape::use_awaitable)
    return std::make_unique<lean_peer<asio::use_awaitable_t<>>>(how, asio::use_awaitable);
  return std::make_unique<lean_peer<asio::deferred_t>>(how, asio::deferred);
}

}  // namespace perf
