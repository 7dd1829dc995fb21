// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/block_pool.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace tokengate::detail {
namespace {

bool aligned(void const* block, std::size_t to) {
  return reinterpret_cast<std::uintptr_t>(block) % to == 0;
}

TEST(block_pool, blocks_of_all_sizes_are_aligned_and_whole) {
  for (std::size_t bytes : {0, 1, 63, 64, 65, 500, 1023, 1024, 1025, 5000}) {
    void* const block = allocate_block(bytes);
    EXPECT_TRUE(aligned(block, block_alignment)) << bytes;
    std::memset(block, 0xa5, bytes);
    free_block(block, bytes);
  }
}

TEST(block_pool, blocks_that_are_out_do_not_overlap) {
  std::set<std::uintptr_t> places;
  std::vector<void*> out;
  for (int round = 0; round != 3; ++round) {
    for (int i = 0; i != 500; ++i) out.push_back(allocate_block(128));
    places.clear();
    for (void* each : out) {
      auto const at = reinterpret_cast<std::uintptr_t>(each);
      auto const above = places.lower_bound(at);
      if (above != places.end()) {
        EXPECT_GE(*above - at, 128u);
      }
      if (above != places.begin()) {
        EXPECT_GE(at - *std::prev(above), 128u);
      }
      places.insert(at);
    }
    for (void* each : out) free_block(each, 128);
    out.clear();
  }
}

#if !defined(TOKENGATE_DISABLE_RECYCLING)
TEST(block_pool, freed_block_is_the_next_one_given) {
  void* const first = allocate_block(200);
  free_block(first, 200);
  void* const second = allocate_block(210);
  EXPECT_EQ(first, second) << "200 and 210 bytes are one size class";
  free_block(second, 210);
}
#endif

TEST(block_pool, burst_larger_than_the_cache_comes_back) {
  std::vector<void*> out;
  for (int i = 0; i != 20'000; ++i) out.push_back(allocate_block(300));
  for (void* each : out) free_block(each, 300);
  void* const after = allocate_block(300);
  free_block(after, 300);
}

TEST(block_pool, blocks_may_be_freed_by_another_thread) {
  for (int round = 0; round != 20; ++round) {
    std::vector<void*> out;
    for (int i = 0; i != 300; ++i) out.push_back(allocate_block(64));
    std::thread([&] {
      for (void* each : out) free_block(each, 64);
    }).join();
  }
}

/// Every block carries its own address and size from end to end while it is out.
class marked_block {
 public:
  explicit marked_block(std::size_t bytes)
      : words_(static_cast<std::uintptr_t*>(allocate_block(bytes))), bytes_(bytes) {
    for (std::size_t i = 0; i != count(); ++i) words_[i] = mark(i);
  }
  void end() {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i != count(); ++i) wrong += words_[i] != mark(i) ? 1 : 0;
    EXPECT_EQ(wrong, 0u) << "words of a block were written while it was out";
    free_block(words_, bytes_);
  }

 private:
  std::size_t count() const { return bytes_ / sizeof(std::uintptr_t); }
  std::uintptr_t mark(std::size_t at) const {
    return reinterpret_cast<std::uintptr_t>(words_ + at) ^ bytes_;
  }

  std::uintptr_t* words_;
  std::size_t bytes_;
};

TEST(block_pool, blocks_of_all_sizes_change_hands_in_any_order) {
  std::mutex mutex;
  std::vector<marked_block> shared;
  auto const work = [&](unsigned seed) {
    std::mt19937 random{seed};
    std::vector<marked_block> mine;
    for (int step = 0; step != 20'000; ++step) {
      // Bursts of both kinds, so that chains and slabs fill and run empty.
      bool const more = random() % 1000 < ((step / 2'000) % 2 == 0 ? 700u : 300u);
      if (more)
        mine.emplace_back(64 * (1 + random() % 16) - random() % 8 * 8);
      else if (!mine.empty()) {
        std::swap(mine[random() % mine.size()], mine.back());
        mine.back().end();
        mine.pop_back();
      }
      if (random() % 16 == 0) {
        std::lock_guard hold(mutex);
        std::swap(mine, shared);
      }
    }
    for (auto& each : mine) each.end();
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed != 5; ++seed) threads.emplace_back(work, seed);
  for (auto& each : threads) each.join();
  for (auto& each : shared) each.end();
}

struct late_user {
  void* block = nullptr;
  ~late_user() {
    free_block(block, 64);
    free_block(allocate_block(64), 64);
  }
};

TEST(block_pool, thread_that_is_ending_may_still_use_it) {
  std::thread([] {
    // Built before the thread's cache, so destroyed after it.
    thread_local late_user late;
    late.block = allocate_block(64);
  }).join();
}

TEST(block_allocator, over_aligned_types_are_aligned) {
  struct alignas(256) wide {
    char bytes[256];
  };
  block_allocator<wide> from;
  wide* const one = from.allocate(3);
  EXPECT_TRUE(aligned(one, 256));
  from.deallocate(one, 3);
}

TEST(block_allocator, shared_pointers_come_from_the_pool) {
  auto const one = std::allocate_shared<int>(block_allocator<int>{}, 5);
  EXPECT_EQ(*one, 5);
  EXPECT_TRUE(block_allocator<int>{} == block_allocator<char>{});
}

}  // namespace
}  // namespace tokengate::detail
