// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "load.hpp"

namespace perf {

/// The handler that a peer calls on the loop when a token is back: it issues the next one.
///
/// `issue(slot&, again)` runs the slot's task elsewhere and then calls the second argument on the
/// loop. It must outlive the load.
template <class Issue>
class again {
 public:
  again(load& what, slot& place, Issue& issue) : load_(&what), slot_(&place), issue_(&issue) {}

  void start() const {
    if (load_->next(*slot_)) (*issue_)(*slot_, *this);
  }

  void operator()() const {
    load_->finished(*slot_);
    start();
  }

  void refused() const {
    load_->refused(*slot_);
    start();
  }

 private:
  load* load_;
  slot* slot_;
  Issue* issue_;
};

/// Takes `place` as far as `what` wants it taken.
template <class Issue>
void drive(load& what, slot& place, Issue& issue) {
  again<Issue>{what, place, issue}.start();
}

}  // namespace perf
