// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "runs.hpp"

#include <mutex>
#include <utility>

namespace perf {
namespace {

struct all_runs {
  std::mutex mutex;
  thread_runs* first = nullptr;
  std::uint64_t ended = 0;  ///< of threads that are gone
};

all_runs& all() {
  static all_runs threads;
  return threads;
}

}  // namespace

thread_runs::thread_runs() {
  std::lock_guard const hold(all().mutex);
  next_ = std::exchange(all().first, this);
  if (next_ != nullptr) next_->previous_ = this;
}

thread_runs::~thread_runs() {
  std::lock_guard const hold(all().mutex);
  all().ended += get();
  (previous_ != nullptr ? previous_->next_ : all().first) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

std::uint64_t functions_run() {
  std::lock_guard const hold(all().mutex);
  auto sum = all().ended;
  for (auto const* each = all().first; each != nullptr; each = each->next_) sum += each->get();
  return sum;
}

}  // namespace perf
