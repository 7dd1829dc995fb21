// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Invariants: a thread owns one counter and alone writes it, so counting costs a plain load and
// store and disturbs no other thread. Threads beyond the table share its counters and may lose a
// count; a benchmark that starts so many has other worries.
#include "allocations.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

struct alignas(64) counter {
  std::atomic<std::uint64_t> value{0};
};
constinit std::array<counter, 256> counters{};
constinit std::atomic<std::size_t> threads{0};
constinit thread_local counter* mine = nullptr;

void count() noexcept {
  if (mine == nullptr)
    mine = &counters[threads.fetch_add(1, std::memory_order_relaxed) % counters.size()];
  auto const now = mine->value.load(std::memory_order_relaxed);
  mine->value.store(now + 1, std::memory_order_relaxed);
}

void* aligned(std::size_t alignment, std::size_t size) noexcept {
  count();
  void* block = nullptr;
  auto const at = std::max(alignment, sizeof(void*));
  return posix_memalign(&block, at, std::max<std::size_t>(size, 1)) == 0 ? block : nullptr;
}

void* plain(std::size_t size) {
  count();
  if (auto* block = std::malloc(std::max<std::size_t>(size, 1))) return block;
  throw std::bad_alloc{};
}

}  // namespace

std::uint64_t perf::allocations() {
  std::uint64_t sum = 0;
  for (auto const& each : counters) sum += each.value.load(std::memory_order_relaxed);
  return sum;
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
