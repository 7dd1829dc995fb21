// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// post() to the pool, and a post() back from there.
#include "../drive.hpp"
#include "asio_pool.hpp"
#include "stock.hpp"

namespace perf {
namespace {

class callback_peer final : public asio_peer {
 public:
  using asio_peer::asio_peer;

 private:
  struct issue {
    callback_peer* self;
    load* what = nullptr;

    template <class Done>
    void operator()(slot& place, Done done) {
      asio::post(self->pool_, [self = self, work = place.work, done] {
        asio::post(self->loop_, [done, gave = work()] { done(gave); });
      });
    }
  };

  void start(load& what, slot& place) override { drive(what, place, issue_); }

  issue issue_{this};
};

}  // namespace

std::unique_ptr<peer> make_asio_callback(setup const& how) {
  return std::make_unique<callback_peer>(how);
}

}  // namespace perf
