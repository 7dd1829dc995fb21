// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "memory/allocation_hooks.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

// This executable's operator new: counts, and fails where a test wants it to.

namespace tokengate::test {
namespace {

struct orders {
  bool armed = false;
  bool from_then_on = false;
  bool hit = false;
  int successes = 0;
};
constinit thread_local orders here;
constinit std::atomic<std::uint64_t> calls{0};
constinit std::atomic<std::uint64_t> deletions{0};

void* allocate(std::size_t bytes, std::size_t alignment) {
  calls.fetch_add(1, std::memory_order_relaxed);
  if (here.armed && here.successes-- <= 0) {
    here.hit = true;
    here.armed = here.from_then_on;
    here.successes = 0;
    throw std::bad_alloc();
  }
  bytes = (bytes + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, bytes == 0 ? alignment : bytes)) return memory;
  throw std::bad_alloc();
}

void deallocate(void* memory) noexcept {
  if (memory != nullptr) deletions.fetch_add(1, std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace

std::uint64_t allocations() noexcept {
  return calls.load(std::memory_order_relaxed);
}

std::uint64_t deallocations() noexcept {
  return deletions.load(std::memory_order_relaxed);
}

failing_allocations::failing_allocations(int successes, bool from_then_on) noexcept {
  here = {true, from_then_on, false, successes};
}
failing_allocations::~failing_allocations() {
  here.armed = false;
}
bool failing_allocations::hit() const noexcept {
  return here.hit;
}

}  // namespace tokengate::test

void* operator new(std::size_t bytes) {
  return tokengate::test::allocate(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return tokengate::test::allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, std::nothrow_t const&) noexcept {
  try {
    return operator new(bytes);
  } catch (...) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept {
  tokengate::test::deallocate(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  tokengate::test::deallocate(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  tokengate::test::deallocate(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  tokengate::test::deallocate(memory);
}
