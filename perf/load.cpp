// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "load.hpp"

#include "allocations.hpp"

namespace perf {

load& load::mix(std::vector<task> tasks) {
  tasks_ = std::move(tasks);
  return *this;
}

load& load::until(std::chrono::nanoseconds length) {
  until_ = length;
  total_ = unlimited;
  return timed();
}

load& load::timed() {
  timed_ = true;
  // Room for the record beforehand, so that it does not count as the peer's allocations.
  auto const room = total_ == unlimited ? std::size_t{100'000} : total_;
  for (auto& lane : times_) lane.reserve(room);
  return *this;
}

double load::allocations_per_token() const {
  auto const tokens = settled_ == 0 ? 0 : issued_ - settled_;
  return tokens == 0 ? 0 : static_cast<double>(blocks_used_) / static_cast<double>(tokens);
}

// The two moments at which something is noted share one comparison on the hot path.
void load::mark() {
  if (issued_ == 1) {
    first_ = clock::now();
    mark_ = 2 * slots_.size();
  } else {
    settled_ = issued_;
    blocks_ = allocations();
    mark_ = unlimited;
  }
}

bool load::last() {
  if (!dry_) {
    dry_ = true;
    blocks_used_ = allocations() - blocks_;
  }
  if (completed_ == issued_ && !done_called_) {
    done_called_ = true;
    end_ = clock::now();
    if (done_) done_();
  }
  return false;
}

void load::record(slot const& place) {
  rounds_ += place.work.rounds;
  times_[place.work.lane].push_back(
      std::chrono::duration<double, std::nano>(clock::now() - place.issued).count());
}

}  // namespace perf
