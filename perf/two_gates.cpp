// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Two loops, each on a core of its own, feed one pool. The handlers work for some time, so that a
// loop and not the pool is what limits one gate alone: what is left to lose is then what the two
// take from each other, by a shared lock for one.
#include <boost/asio/thread_pool.hpp>
#include <exception>
#include <thread>
#include <tokengate/tokengate.hpp>

#include "contest.hpp"
#include "drive.hpp"
#include "machine.hpp"
#include "peers/loop_peer.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

constexpr auto handler_length = 5us;
constexpr std::size_t outstanding = 512;

class gate_side final : public loop_peer {
 public:
  explicit gate_side(tokengate::worker_pool& workers) : gate_(loop_.get_executor(), workers) {}

 private:
  struct issue {
    gate_side* self;
    load* what = nullptr;

    template <class Done>
    void operator()(slot& place, Done done) {
      self->gate_.async_run(
          self->empty_, [work = place.work] { return work(); },
          [self = self, done](std::exception_ptr error, answer gave) {
            if (error) std::rethrow_exception(error);
            spin(self->rounds_);
            done(gave);
          });
    }
  };

  void start(load& what, slot& place) override { drive(what, place, issue_); }

  tokengate::gate gate_;
  tokengate::operation empty_{
      gate_.define({.operation = "empty", .weight = tokengate::weight::light})};
  std::uint32_t rounds_ = rounds_for(handler_length);
  issue issue_{this};
};

class post_side final : public loop_peer {
 public:
  explicit post_side(asio::thread_pool& pool) : pool_(pool) {}

 private:
  struct issue {
    post_side* self;
    load* what = nullptr;

    template <class Done>
    void operator()(slot& place, Done done) {
      asio::post(self->pool_, [self = self, work = place.work, done] {
        asio::post(self->loop_, [self, done, gave = work()] {
          spin(self->rounds_);
          done(gave);
        });
      });
    }
  };

  void start(load& what, slot& place) override { drive(what, place, issue_); }

  asio::thread_pool& pool_;
  std::uint32_t rounds_ = rounds_for(handler_length);
  issue issue_{this};
};

double rate(load const& done) {
  return static_cast<double>(done.completed()) / done.elapsed().count();
}

load run_for(peer& side, unsigned core, std::chrono::nanoseconds length) {
  scoped_pin const pin{usable_cores().size() > 1 ? std::optional{core} : std::nullopt};
  load many{outstanding, 0};
  many.until(length);
  run_whole(side, many);
  return many;
}

sample compare(peer& one, peer& other, effort const& much) {
  auto const length = std::max<std::chrono::nanoseconds>(much.of(300ms), 5ms);
  run_for(one, loop_core(), length / 10);
  run_for(other, worker_core(), length / 10);
  auto const alone =
      rate(run_for(one, loop_core(), length)) + rate(run_for(other, worker_core(), length));

  double beside = 0;
  std::exception_ptr failed;
  std::thread second{[&] {
    try {
      beside = rate(run_for(other, worker_core(), length));
    } catch (...) {
      failed = std::current_exception();
    }
  }};
  auto const together = rate(run_for(one, loop_core(), length));
  second.join();
  if (failed) std::rethrow_exception(failed);
  return {(together + beside) / alone, together + beside};
}

sample two_gates(effort const& much) {
  tokengate::worker_pool workers;
  gate_side one{workers};
  gate_side other{workers};
  return compare(one, other, much);
}

sample two_loops(effort const& much) {
  asio::thread_pool pool{usable_cores().size()};
  post_side one{pool};
  post_side other{pool};
  auto const figures = compare(one, other, much);
  pool.join();
  return figures;
}

}  // namespace

void add_two_gates(std::vector<workload>& to) {
  to.push_back(
      {"two_gates",
       "two loops with handlers of 5 us feed one pool: how much of the sum of what each "
       "does alone do they do together?",
       {{"share_of_sum", "ratio", better::more}, {"tokens_per_second", "1/s", better::more}},
       {{"tokengate", false, two_gates}, {"asio_callback", true, two_loops}}});
}

}  // namespace perf
