// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "memory/warm_allocations.hpp"
#include "tokengate/detail/block_pool.hpp"

// What the pool takes from the heap and gives back to it.

namespace tokengate::test {
namespace {

constexpr std::size_t slab_bytes = 64 << 10;
constexpr std::size_t kept_slabs = (4 << 20) / slab_bytes;

class block_pool_memory : public warm_allocations<> {
 protected:
  static std::vector<void*> take(std::size_t count, std::size_t bytes) {
    std::vector<void*> out(count);
    for (void*& each : out) each = detail::allocate_block(bytes);
    return out;
  }
  static void free_all(std::vector<void*> const& blocks, std::size_t bytes) {
    for (void* each : blocks) detail::free_block(each, bytes);
  }
  /// Slabs: the tests ask for nothing else in between.
  static std::uint64_t held() { return allocations() - deallocations(); }
};

TEST_F(block_pool_memory, slabs_cost_nothing_beside_their_blocks) {
  constexpr std::size_t count = 100 * slab_bytes / 448;
  auto const kept = take(2 * count, 448);  // what the pool and this thread may still have
  auto const before = allocations();
  std::vector<void*> more(count);
  for (void*& each : more) each = detail::allocate_block(448);
  EXPECT_LE(allocations() - before, 2 + count / (slab_bytes / 448));
  free_all(more, 448);
  free_all(kept, 448);
}

TEST_F(block_pool_memory, burst_goes_back_to_the_heap_in_whatever_order_it_is_freed) {
  std::mt19937 random{11};
  for (int order = 0; order != 3; ++order) {
    auto out = take(100'000, 512);  // 48 MiB
    if (order == 1) std::reverse(out.begin(), out.end());
    if (order == 2) std::shuffle(out.begin(), out.end(), random);
    auto const most = held();
    free_all(out, 512);
    // The last 128 blocks are kept by this thread, at worst from as many slabs.
    EXPECT_GE(most - held(), 100'000 * 512 / slab_bytes - kept_slabs - 128) << "order " << order;
  }
}

TEST_F(block_pool_memory, what_is_kept_serves_the_next_burst) {
  constexpr std::size_t count = (3 << 20) / 640;
  free_all(take(count, 640), 640);
  std::vector<void*> again(count);
  auto const before = allocations();
  for (void*& each : again) each = detail::allocate_block(640);
  EXPECT_EQ(allocations(), before);
  free_all(again, 640);
}

TEST_F(block_pool_memory, thread_that_ends_leaves_its_blocks_to_others) {
  std::vector<void*> mine(120);
  std::thread([] { free_all(take(120, 960), 960); }).join();
  auto const before = allocations();
  for (void*& each : mine) each = detail::allocate_block(960);
  EXPECT_EQ(allocations(), before);
  free_all(mine, 960);
}

TEST_F(block_pool_memory, burst_that_gets_no_memory_loses_nothing) {
  std::vector<void*> out;
  out.reserve(1'000'000);
  {
    failing_allocations const none(20, true);
    EXPECT_THROW(while (out.size() != out.capacity()) out.push_back(detail::allocate_block(704)),
                 std::bad_alloc);
  }
  EXPECT_GE(out.size(), 20 * (slab_bytes / 704));
  auto const size = out.size();
  free_all(out, 704);
  std::vector<void*> again(size);
  auto const before = allocations();
  for (void*& each : again) each = detail::allocate_block(704);
  EXPECT_EQ(allocations(), before) << "what was freed is there again";
  free_all(again, 704);
}

}  // namespace
}  // namespace tokengate::test
