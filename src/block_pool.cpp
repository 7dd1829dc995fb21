// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/block_pool.hpp"

#include <array>
#include <cstdint>
#include <mutex>

namespace tokengate::detail {
namespace {

#if defined(TOKENGATE_DISABLE_RECYCLING)
constexpr bool recycles = false;
#else
constexpr bool recycles = true;
#endif

constexpr std::size_t class_step = 64;
constexpr std::size_t class_count = 16;  // up to 1 KiB; larger blocks are not kept
constexpr std::uint32_t chain_length = 64;
constexpr std::size_t depot_bytes = std::size_t{4} << 20;  // kept per size class

struct block {
  block* next;
};

struct chain {
  block* first = nullptr;
  std::uint32_t length = 0;

  void push(block* one) noexcept {
    one->next = first;
    first = one;
    ++length;
  }
  block* pop() noexcept {
    block* one = first;
    first = one->next;
    --length;
    return one;
  }
};

void release(chain& blocks) noexcept {
  while (blocks.first != nullptr)
    ::operator delete (blocks.pop(), std::align_val_t{block_alignment});
}

/// Whole chains, one stack of them per size class. A chain is linked to the next through the second
/// word of its first block.
class depot {
 public:
  bool put(std::size_t index, chain& full) noexcept {
    std::lock_guard hold(mutex_);
    shelf& at = shelves_[index];
    if (at.chains >= depot_bytes / (chain_length * class_step * (index + 1))) return false;
    auto* head = reinterpret_cast<stored*>(full.first);
    head->below = at.top;
    at.top = head;
    ++at.chains;
    full = {};
    return true;
  }
  bool get(std::size_t index, chain& empty) noexcept {
    std::lock_guard hold(mutex_);
    shelf& at = shelves_[index];
    if (at.top == nullptr) return false;
    empty = {&at.top->as_block, chain_length};
    at.top = at.top->below;
    --at.chains;
    return true;
  }

 private:
  struct stored {
    block as_block;
    stored* below;
  };
  struct shelf {
    stored* top = nullptr;
    std::size_t chains = 0;
  };
  std::mutex mutex_;
  std::array<shelf, class_count> shelves_{};
};

/// Never destroyed: threads may end after static destruction has begun.
depot& shared_depot() noexcept {
  alignas(depot) static unsigned char place[sizeof(depot)];
  static depot* const it = new (place) depot;
  return *it;
}

/// What a thread keeps: two chains per class, so that a thread that alternates around a chain's end
/// does not go to the depot each time. Constant-initialised and trivially destroyed, so that the
/// fast path is free of guards; `reaper` empties it when the thread ends.
struct thread_cache {
  struct size_class {
    chain active;
    chain spare;
  };
  std::array<size_class, class_count> classes{};
  std::uint32_t limit = 0;  ///< chain_length while the reaper is there; 0: nothing is kept
  bool ended = false;
};
constinit thread_local thread_cache cache;

struct reaper {
  reaper() noexcept { cache.limit = chain_length; }
  ~reaper() {
    cache.limit = 0;
    cache.ended = true;  // blocks may be freed later than this
    for (std::size_t index = 0; index != class_count; ++index)
      for (chain* one : {&cache.classes[index].active, &cache.classes[index].spare})
        if (one->length != chain_length || !shared_depot().put(index, *one)) release(*one);
  }
};

void start_cache() {
  if (recycles && !cache.ended) {
    thread_local reaper const at_thread_end;
    (void)at_thread_end;
  }
}

void* get_slowly(std::size_t index) {
  start_cache();
  if (index < class_count && cache.limit != 0) {
    auto& [active, spare] = cache.classes[index];
    std::swap(active, spare);
    if (active.length != 0 || shared_depot().get(index, active)) return active.pop();
  }
  return ::operator new ((index + 1) * class_step, std::align_val_t{block_alignment});
}

void put_slowly(std::size_t index, void* memory) noexcept {
  start_cache();
  if (index >= class_count || cache.limit == 0)
    return ::operator delete (memory, std::align_val_t{block_alignment});
  auto& [active, spare] = cache.classes[index];
  if (active.length == chain_length) {
    if (spare.length == chain_length && !shared_depot().put(index, spare)) release(spare);
    std::swap(active, spare);
  }
  active.push(static_cast<block*>(memory));
}

constexpr std::size_t class_of(std::size_t bytes) noexcept {
  return bytes == 0 ? 0 : (bytes - 1) / class_step;
}

}  // namespace

void* allocate_block(std::size_t bytes) {
  auto const index = class_of(bytes);
  if (index < class_count) [[likely]]
    if (chain& active = cache.classes[index].active; active.first != nullptr) [[likely]]
      return active.pop();
  return get_slowly(index);
}

void free_block(void* memory, std::size_t bytes) noexcept {
  auto const index = class_of(bytes);
  if (index < class_count) [[likely]]
    if (chain& active = cache.classes[index].active; active.length < cache.limit) [[likely]]
      return active.push(static_cast<block*>(memory));
  put_slowly(index, memory);
}

}  // namespace tokengate::detail
