// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The pool of futures of Debian's libthread-pool-dev, and a post() back from there. It stands for
// the many pools of std::function, mutex and condition variable.
#include "others.hpp"

#ifdef TOKENGATE_PERF_HAS_THREAD_POOL

#include <thread_pool/thread_pool.hpp>

#include "../drive.hpp"
#include "asio_pool.hpp"

namespace perf {
namespace {

class thread_pool_peer final : public loop_peer {
 public:
  explicit thread_pool_peer(setup const& how) : pool_(threads_for(how.where)) {
    if (how.where == placement::one_worker)
      pool_.Submit([] { pin_this_thread(worker_core()); }).wait();
  }

 private:
  struct issue {
    thread_pool_peer* self;
    load* what = nullptr;

    template <class Done>
    void operator()(slot& place, Done done) {
      self->pool_.Submit([self = self, work = place.work, done] {
        asio::post(self->loop_, [done, gave = work()] { done(gave); });
      });
    }
  };

  void start(load& what, slot& place) override { drive(what, place, issue_); }

  thread_pool::ThreadPool pool_;
  issue issue_{this};
};

}  // namespace

std::unique_ptr<peer> make_thread_pool(setup const& how) {
  return std::make_unique<thread_pool_peer>(how);
}

}  // namespace perf

#endif
