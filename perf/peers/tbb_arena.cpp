// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// oneTBB: enqueue() into a task_arena, and a post() back from there.
#include "others.hpp"

#ifdef TOKENGATE_PERF_HAS_TBB

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_scheduler_observer.h>

#include "../drive.hpp"
#include "asio_pool.hpp"

namespace perf {
namespace {

/// The threads belong to the process and serve one arena after the other, so each is placed when it
/// enters one.
class placer final : public tbb::task_scheduler_observer {
 public:
  placer(tbb::task_arena& arena, placement where)
      : tbb::task_scheduler_observer(arena), where_(where) {
    observe(true);
  }
  ~placer() override { observe(false); }

  void on_scheduler_entry(bool) override {
    if (where_ == placement::one_worker)
      pin_this_thread(worker_core());
    else
      unpin_this_thread();
  }

 private:
  placement where_;
};

class tbb_peer final : public loop_peer {
 public:
  explicit tbb_peer(setup const& how)
      : threads_(tbb::global_control::max_allowed_parallelism, threads_for(how.where) + 1),
        arena_(static_cast<int>(threads_for(how.where)), 0),
        placer_(arena_, how.where) {}

 private:
  struct issue {
    tbb_peer* self;
    load* what = nullptr;

    template <class Done>
    void operator()(slot& place, Done done) {
      self->arena_.enqueue([self = self, work = place.work, done] {
        asio::post(self->loop_, [done, gave = work()] { done(gave); });
      });
    }
  };

  void start(load& what, slot& place) override { drive(what, place, issue_); }

  tbb::global_control threads_;
  tbb::task_arena arena_;
  placer placer_;
  issue issue_{this};
};

}  // namespace

std::unique_ptr<peer> make_tbb_arena(setup const& how) {
  return std::make_unique<tbb_peer>(how);
}

}  // namespace perf

#endif
