// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What a careful user adds to the two posts against overload: a count of what is out, beyond which
// nothing is taken (its handler still runs later, never inside the call); or a look at the clock on
// the pool, so that nothing is computed that nobody waits for any more.
#include "../drive.hpp"
#include "asio_pool.hpp"
#include "stock.hpp"

namespace perf {
namespace {

class bounded_peer final : public asio_peer {
 public:
  explicit bounded_peer(setup const& how) : asio_peer(how), bound_(how.hand_bound) {}

 private:
  struct issue {
    bounded_peer* self;
    load* what = nullptr;

    template <class Done>
    void operator()(slot& place, Done done) {
      if (self->out_ == self->bound_) {
        asio::post(self->loop_, [done] { done.refused(); });
        return;
      }
      ++self->out_;
      asio::post(self->pool_, [self = self, work = place.work, done] {
        asio::post(self->loop_, [self, done, gave = work()] {
          --self->out_;
          done(gave);
        });
      });
    }
  };

  void start(load& what, slot& place) override { drive(what, place, issue_); }

  std::size_t bound_;
  std::size_t out_ = 0;  // of the loop thread
  issue issue_{this};
};

class skipping_peer final : public asio_peer {
 public:
  explicit skipping_peer(setup const& how) : asio_peer(how), deadline_(how.deadline) {}

 private:
  struct issue {
    skipping_peer* self;
    load* what = nullptr;

    template <class Done>
    void operator()(slot& place, Done done) {
      auto const until = place.issued + self->deadline_;
      asio::post(self->pool_, [self = self, work = place.work, until, done] {
        if (clock::now() > until) {
          asio::post(self->loop_, [done] { done.refused(); });
          return;
        }
        asio::post(self->loop_, [done, gave = work()] { done(gave); });
      });
    }
  };

  void start(load& what, slot& place) override { drive(what, place, issue_); }

  std::chrono::nanoseconds deadline_;
  issue issue_{this};
};

}  // namespace

std::unique_ptr<peer> make_asio_bounded(setup const& how) {
  return std::make_unique<bounded_peer>(how);
}

std::unique_ptr<peer> make_asio_skipping(setup const& how) {
  return std::make_unique<skipping_peer>(how);
}

}  // namespace perf
