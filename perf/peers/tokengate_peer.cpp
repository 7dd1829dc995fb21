// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate_peer.hpp"

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <tokengate/tokengate.hpp>

#include "../drive.hpp"
#include "../machine.hpp"
#include "loop_peer.hpp"

namespace perf {
namespace {

tokengate::worker_pool_options pool_options(placement where) {
  tokengate::worker_pool_options options;
  if (where == placement::one_worker) options.cores = {worker_core()};
  return options;
}

tokengate::gate_options gate_options(tokengate::hot_drain hot) {
  tokengate::gate_options options;
  options.hot = hot;
  return options;
}

tokengate::token_options named(char const* name, tokengate::weight weight) {
  tokengate::token_options options;
  options.operation = name;
  options.weight = weight;
  return options;
}

class tokengate_peer final : public loop_peer {
 public:
  tokengate_peer(shape how, placement where, tokengate::hot_drain hot)
      : how_(how),
        workers_(pool_options(where)),
        gate_(loop_.get_executor(), workers_, gate_options(hot)) {}

 private:
  struct issue {
    tokengate_peer* self;

    template <class Done>
    void operator()(slot& place, Done done) {
      self->gate_.async_run(
          self->lane(place), [&place] { place.work(); },
          [done](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
            done();
          });
    }
  };

  void start(load& what) override {
    switch (how_) {
      case shape::callback:
        drive(what, issue_);
        break;
      case shape::deferred:
        for (auto& place : what.slots())
          asio::co_spawn(loop_, chain(what, place, asio::deferred), rethrow);
        break;
      case shape::use_awaitable:
        for (auto& place : what.slots())
          asio::co_spawn(loop_, chain(what, place, asio::use_awaitable), rethrow);
        break;
    }
  }

  template <class Token>
  asio::awaitable<void> chain(load& what, slot& place, Token token) {
    auto const work = [&place] { place.work(); };
    while (what.next(place)) {
      co_await gate_.async_run(lane(place), work, token);
      what.finished(place);
    }
  }

  static void rethrow(std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  }

  tokengate::operation const& lane(slot const& place) const { return lanes_[place.work.lane]; }

  shape how_;
  tokengate::worker_pool workers_;
  tokengate::gate gate_;
  std::array<tokengate::operation, 3> lanes_{
      gate_.define(named("light", tokengate::weight::light)),
      gate_.define(named("medium", tokengate::weight::medium)),
      gate_.define(named("heavy", tokengate::weight::heavy))};
  issue issue_{this};
};

}  // namespace

std::unique_ptr<peer> make_tokengate(shape how, placement where) {
  return std::make_unique<tokengate_peer>(how, where, tokengate::hot_drain::automatic);
}

std::unique_ptr<peer> make_tokengate_no_hot(shape how, placement where) {
  return std::make_unique<tokengate_peer>(how, where, tokengate::hot_drain::off);
}

}  // namespace perf
