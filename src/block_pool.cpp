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
constexpr std::size_t class_count = 16;   // up to 1 KiB; larger blocks are not kept
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
  while (blocks.first != nullptr) ::operator delete(blocks.pop(), std::align_val_t{block_alignment});
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

/// Two chains per class, so that a thread that alternates around a chain's end does not go to the
/// depot each time.
class thread_cache {
 public:
  ~thread_cache() {
    for (std::size_t index = 0; index != class_count; ++index)
      for (chain* one : {&classes_[index].active, &classes_[index].spare})
        if (one->length != chain_length || !shared_depot().put(index, *one)) release(*one);
    gone_ = true;
  }

  void* get(std::size_t index) noexcept {
    auto& [active, spare] = classes_[index];
    if (active.length == 0) {
      std::swap(active, spare);
      if (active.length == 0 && !shared_depot().get(index, active)) return nullptr;
    }
    return active.pop();
  }
  void put(std::size_t index, void* memory) noexcept {
    auto& [active, spare] = classes_[index];
    if (active.length == chain_length) {
      if (spare.length == chain_length && !shared_depot().put(index, spare)) release(spare);
      std::swap(active, spare);
    }
    active.push(static_cast<block*>(memory));
  }

  /// Null once this thread's cache was destroyed: blocks may be freed later than that.
  static thread_cache* mine() noexcept {
    thread_local thread_cache cache;
    return gone_ ? nullptr : &cache;
  }

 private:
  struct size_class {
    chain active;
    chain spare;
  };
  std::array<size_class, class_count> classes_{};
  static thread_local bool gone_;
};
thread_local bool thread_cache::gone_ = false;

constexpr std::size_t class_of(std::size_t bytes) noexcept {
  return bytes == 0 ? 0 : (bytes - 1) / class_step;
}

}  // namespace

void* allocate_block(std::size_t bytes) {
  auto const index = class_of(bytes);
  if (recycles && index < class_count)
    if (thread_cache* cache = thread_cache::mine())
      if (void* memory = cache->get(index)) return memory;
  return ::operator new((index + 1) * class_step, std::align_val_t{block_alignment});
}

void free_block(void* memory, std::size_t bytes) noexcept {
  auto const index = class_of(bytes);
  if (recycles && index < class_count)
    if (thread_cache* cache = thread_cache::mine()) return cache->put(index, memory);
  ::operator delete(memory, std::align_val_t{block_alignment});
}

}  // namespace tokengate::detail
