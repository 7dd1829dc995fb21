// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Invariants: a thread owns one counter and alone writes it, so counting costs a plain load and
// store and disturbs no other thread. Threads beyond the table share its counters and may lose a
// count; a benchmark that starts so many has other worries.
#include "allocations.hpp"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

struct alignas(64) counter {
  std::atomic<std::uint64_t> blocks{0};
  std::atomic<std::uint64_t> bytes{0};
};
constinit std::array<counter, 256> counters{};
constinit std::atomic<std::size_t> threads{0};
constinit thread_local counter* mine = nullptr;

void add(std::atomic<std::uint64_t>& to, std::uint64_t amount) noexcept {
  to.store(to.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

void count(std::size_t size) noexcept {
  if (mine == nullptr)
    mine = &counters[threads.fetch_add(1, std::memory_order_relaxed) % counters.size()];
  add(mine->blocks, 1);
  add(mine->bytes, size);
}

std::uint64_t sum(std::atomic<std::uint64_t> counter::*part) noexcept {
  std::uint64_t all = 0;
  for (auto const& each : counters) all += (each.*part).load(std::memory_order_relaxed);
  return all;
}

void* aligned(std::size_t alignment, std::size_t size) noexcept {
  count(size);
  void* block = nullptr;
  auto const at = std::max(alignment, sizeof(void*));
  return posix_memalign(&block, at, std::max<std::size_t>(size, 1)) == 0 ? block : nullptr;
}

void* plain(std::size_t size) {
  count(size);
  if (auto* block = std::malloc(std::max<std::size_t>(size, 1))) return block;
  throw std::bad_alloc{};
}

}  // namespace

std::uint64_t perf::allocations() {
  return sum(&counter::blocks);
}

std::uint64_t perf::bytes_requested() {
  return sum(&counter::bytes);
}

std::uint64_t perf::heap_bytes() {
  auto const now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

// The remaining forms of the standard library forward to these.
void* operator new(std::size_t size) {
  return plain(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (auto* block = aligned(static_cast<std::size_t>(alignment), size)) return block;
  throw std::bad_alloc{};
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  std::free(block);
}

extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return aligned(alignment, size);
}
