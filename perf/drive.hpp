// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "load.hpp"

namespace perf {

/// The handler that a peer calls on the loop when a token is back, with what the function gave: it
/// issues the next one.
///
/// `issue(slot&, again)` runs the slot's task elsewhere and then calls the second argument on the
/// loop. It must outlive the load, which it holds for all handlers.
template <class Issue>
class again {
 public:
  again(slot& place, Issue& issue) : slot_(&place), issue_(&issue) {}

  void start() const {
    if (issue_->what->next(*slot_)) (*issue_)(*slot_, *this);
  }

  void operator()(answer gave) const {
    issue_->what->finished(*slot_, gave);
    start();
  }

  void refused() const {
    issue_->what->refused(*slot_);
    start();
  }

 private:
  slot* slot_;
  Issue* issue_;
};

/// Takes `place` as far as `what` wants it taken.
template <class Issue>
void drive(load& what, slot& place, Issue& issue) {
  issue.what = &what;
  again<Issue>{place, issue}.start();
}

}  // namespace perf
