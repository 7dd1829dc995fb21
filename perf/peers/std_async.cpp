// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// std::async: a thread per function. Its future is kept until the slot is used again, because its
// destructor waits for the thread.
#include <future>
#include <vector>

#include "../drive.hpp"
#include "../machine.hpp"
#include "loop_peer.hpp"
#include "others.hpp"

namespace perf {
namespace {

class std_async_peer final : public loop_peer {
 public:
  explicit std_async_peer(setup const& how) : where_(how.where) {}

 private:
  struct issue {
    std_async_peer* self;
    load* what = nullptr;

    template <class Done>
    void operator()(slot& place, Done done) {
      auto const at = static_cast<std::size_t>(&place - self->first_);
      self->futures_[at] = std::async(std::launch::async, [self = self, work = place.work, done] {
        // The new thread has the loop thread's mask.
        if (self->where_ == placement::one_worker) pin_this_thread(worker_core());
        asio::post(self->loop_, [done, gave = work()] { done(gave); });
      });
    }
  };

  void start(load& what, slot& place) override {
    if (first_ != what.slots().data()) {
      first_ = what.slots().data();
      futures_ = std::vector<std::future<void>>(what.slots().size());
    }
    drive(what, place, issue_);
  }

  placement where_;
  slot* first_ = nullptr;
  std::vector<std::future<void>> futures_;
  issue issue_{this};
};

}  // namespace

std::unique_ptr<peer> make_std_async(setup const& how) {
  return std::make_unique<std_async_peer>(how);
}

}  // namespace perf
