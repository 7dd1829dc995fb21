// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "load.hpp"

namespace perf {

/// The handler that a peer calls on the loop when a token is back: it issues the next one.
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

 private:
  load* load_;
  slot* slot_;
  Issue* issue_;
};

/// Closed loop by callback: starts every slot of `what`. `issue(slot&, again)` runs the slot's task
/// elsewhere and then calls the second argument on the loop. `issue` must outlive the load.
template <class Issue>
void drive(load& what, Issue& issue) {
  for (auto& place : what.slots()) again<Issue>{what, place, issue}.start();
}

}  // namespace perf
