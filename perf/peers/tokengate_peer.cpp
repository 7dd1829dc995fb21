// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate_peer.hpp"

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <tokengate/tokengate.hpp>

#include "../drive.hpp"
#include "../machine.hpp"
#include "loop_peer.hpp"

namespace perf {
namespace {

tokengate::worker_pool_options pool_options(setup const& how) {
  tokengate::worker_pool_options options;
  if (how.where == placement::one_worker) options.cores = {worker_core()};
  if (how.where == placement::unpinned_worker) {
    options.max_cores = 1;
    options.pin = false;
  }
  if (how.keep_workers_awake) options.wait = tokengate::wait_policy::latency;
  return options;
}

tokengate::gate_options gate_options(setup const& how, tokengate::hot_drain hot) {
  tokengate::gate_options options;
  options.hot = how.let_the_loop_sleep ? tokengate::hot_drain::off : hot;
  if (how.room != 0) options.backlog = how.room;
  return options;
}

tokengate::token_options named(char const* name, tokengate::weight weight, setup const& how) {
  tokengate::token_options options;
  options.operation = name;
  options.weight = weight;
  if (how.refuse) options.admission = tokengate::admission::try_now;
  if (how.deadline.count() != 0) options.deadline = how.deadline;
  return options;
}

/// The library gave the token up, and said why; anything else is a defect.
bool given_up(std::exception_ptr const& error) {
  for (auto why : {tokengate::error::backlog_full, tokengate::error::overloaded,
                   tokengate::error::deadline_passed})
    if (error == tokengate::make_exception(why)) return true;
  return false;
}

class tokengate_peer final : public loop_peer {
 public:
  tokengate_peer(setup const& how, tokengate::hot_drain hot)
      : setup_(how),
        workers_(pool_options(how)),
        gate_(loop_.get_executor(), workers_, gate_options(how, hot)) {}

  std::size_t outstanding() const override { return gate_.tokens().size(); }

 private:
  struct issue {
    tokengate_peer* self;
    load* what = nullptr;

    template <class Done>
    void operator()(slot& place, Done done) {
      self->gate_.async_run(
          self->lane(place), [work = place.work] { return work(); },
          [done](std::exception_ptr error, answer gave) {
            if (!error)
              done(gave);
            else if (given_up(error))
              done.refused();
            else
              std::rethrow_exception(error);
          });
    }
  };

  void start(load& what, slot& place) override {
    switch (setup_.how) {
      case shape::callback:
        drive(what, place, issue_);
        break;
      case shape::deferred:
        asio::co_spawn(loop_, chain(what, place), rethrow);
        break;
      case shape::use_awaitable:
        asio::co_spawn(loop_, chain(what, place, asio::use_awaitable), rethrow);
        break;
    }
  }

  /// Without a completion token the operation is awaited as it is: with a value, Boost 1.81 cannot
  /// await what its `deferred` makes of it.
  template <class... Token>
  asio::awaitable<void> chain(load& what, slot& place, Token... token) {
    while (what.next(place)) {
      auto const gave = co_await gate_.async_run(
          lane(place), [work = place.work] { return work(); }, token...);
      what.finished(place, gave);
    }
  }

  static void rethrow(std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  }

  tokengate::operation const& lane(slot const& place) const { return lanes_[place.work.lane]; }

  setup setup_;
  tokengate::worker_pool workers_;
  tokengate::gate gate_;
  std::array<tokengate::operation, 3> lanes_{
      gate_.define(named("light", tokengate::weight::light, setup_)),
      gate_.define(named("medium", tokengate::weight::medium, setup_)),
      gate_.define(named("heavy", tokengate::weight::heavy, setup_))};
  issue issue_{this};
};

}  // namespace

std::unique_ptr<peer> make_tokengate(setup const& how) {
  return std::make_unique<tokengate_peer>(how, tokengate::hot_drain::automatic);
}

std::unique_ptr<peer> make_tokengate_no_hot(setup const& how) {
  return std::make_unique<tokengate_peer>(how, tokengate::hot_drain::off);
}

}  // namespace perf
