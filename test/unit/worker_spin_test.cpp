// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <memory>
#include <thread>

#include "support/patience.hpp"
#include "tokengate/detail/tick_clock.hpp"
#include "topology.hpp"
#include "worker.hpp"

namespace tokengate::detail {
namespace {

constexpr std::uint32_t here = 0;
constexpr std::uint32_t elsewhere = 1;

struct loop_end final : return_bell {
  void ring() noexcept override {}
  void pool_stopping() noexcept override {}
};

/// One pinned worker that spins without an end where it may, and the loop of a gate.
class spinning_worker : public testing::Test {
 protected:
  spinning_worker() {
    pool_.most_spinners = 1;
    pool_.spin_ticks = tick_clock::to_ticks(std::chrono::hours(1));
    worker_.attach(link_);
  }
  ~spinning_worker() override {
    worker_.stop();
    thread_.join();
  }

  void start() {
    std::latch placed(1);
    thread_ = std::thread([&] {
      worker_.place(true, false, "test");
      placed.count_down();
      worker_.run();
    });
    placed.wait();
  }
  [[nodiscard]] bool becomes(worker_state state) {
    return tokengate::test::poll_until([&] { return worker_.snapshot().state == state; });
  }

  pool_shared pool_;
  worker worker_{pool_, 0, here, affinity_mask().front(), weight::light};
  std::shared_ptr<loop_end> loop_ = std::make_shared<loop_end>();
  std::shared_ptr<link> link_ = std::make_shared<link>(loop_, 0, here, 0);
  std::thread thread_;
};

TEST_F(spinning_worker, parks_where_a_loop_is_busy) {
  loop_->parking.unpark();
  loop_->loop_core = here;
  start();
  if (!worker_.snapshot().pinned) GTEST_SKIP() << "threads may not be pinned here";
  ASSERT_TRUE(becomes(worker_state::parked));
  EXPECT_TRUE(tokengate::test::poll_until([&] { return link_->crowded.load(); }));

  loop_->loop_core = elsewhere;
  worker_.poke();
  EXPECT_TRUE(becomes(worker_state::spinning));
  EXPECT_FALSE(link_->crowded);

  loop_->loop_core = here;
  EXPECT_TRUE(becomes(worker_state::parked)) << "it looks again while it spins";
}

TEST_F(spinning_worker, spins_beside_a_loop_that_sleeps) {
  loop_->loop_core = here;
  start();
  EXPECT_TRUE(becomes(worker_state::spinning));
  EXPECT_FALSE(link_->crowded);
}

}  // namespace
}  // namespace tokengate::detail
