// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/block_pool.hpp"

#include <array>
#include <cstdint>
#include <mutex>

#include "tokengate/detail/intrusive_list.hpp"

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
/// Slabs lie at multiples of this. The heap leaves as much room between two of them, for others.
constexpr std::size_t slab_span = std::size_t{64} << 10;
constexpr std::size_t kept_bytes = std::size_t{4} << 20;  // in free slabs, per size class
constexpr std::size_t bucket_count = 512;                 // per size class

constexpr std::size_t size_of(std::size_t index) noexcept {
  return (index + 1) * class_step;
}
constexpr std::uint32_t blocks_in_slab(std::size_t index) noexcept {
  return static_cast<std::uint32_t>(slab_span / size_of(index));
}

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

/// A slab with free blocks. It is described in one of them, so that a slab whose blocks are all out
/// costs nothing beside them.
struct slab : list_hook<> {
  slab* below = nullptr;   ///< in the same bucket
  chain free;              ///< but for the block that this lies in
  std::uint32_t unused{};  ///< blocks at the end that were never out: their memory is not touched

  [[nodiscard]] std::uintptr_t base() const noexcept {
    return reinterpret_cast<std::uintptr_t>(this) / slab_span * slab_span;
  }
  [[nodiscard]] bool is_whole(std::size_t index) const noexcept {
    return 1 + free.length + unused == blocks_in_slab(index);
  }
};
static_assert(sizeof(slab) <= class_step);

block* new_block(std::uintptr_t at) noexcept {
  return ::new (reinterpret_cast<void*>(at)) block;
}

slab* new_slab(std::size_t index) {
  auto const count = blocks_in_slab(index);
  std::size_t const bytes = count * size_of(index);
  auto* const fresh = ::new (::operator new (bytes, std::align_val_t{slab_span})) slab;
  fresh->unused = count - 1;
  return fresh;
}

/// What no thread keeps, in slabs, so that a slab is given back to the heap when all its blocks
/// are here and enough others are.
class depot {
 public:
  void put(std::size_t index, chain& blocks) noexcept {
    shelf& to = shelves_[index];
    chain done;
    {
      std::lock_guard hold(to.mutex);
      while (blocks.length != 0)
        if (slab* whole = to.put(index, blocks.pop())) {
          auto const base = whole->base();
          whole->~slab();
          done.push(new_block(base));
        }
    }
    while (done.length != 0) ::operator delete (done.pop(), std::align_val_t{slab_span});
  }

  /// Fills an empty chain with up to `most` blocks, one at least. May throw bad_alloc.
  void get(std::size_t index, chain& empty, std::uint32_t most) {
    shelf& at = shelves_[index];
    std::unique_lock hold(at.mutex);
    if (at.slabs.empty()) {
      hold.unlock();
      slab* const fresh = new_slab(index);
      hold.lock();
      ++at.whole;
      at.add(*fresh);
    }
    block** end = &empty.first;
    while (empty.length != most && !at.slabs.empty()) {
      *end = at.get(index);
      end = &(*end)->next;
      ++empty.length;
    }
    *end = nullptr;
  }

 private:
  /// The slabs of one size class.
  struct shelf {
    std::mutex mutex;
    intrusive_list<slab> slabs;  ///< those that are free as a whole come last
    std::size_t whole = 0;
    std::array<slab*, bucket_count> buckets{};

    [[nodiscard]] slab*& bucket(std::uintptr_t address) noexcept {
      return buckets[address / slab_span % bucket_count];
    }
    [[nodiscard]] slab* find(block const* one) noexcept {
      auto const address = reinterpret_cast<std::uintptr_t>(one);
      slab* at = bucket(address);
      while (at != nullptr && at->base() != address / slab_span * slab_span) at = at->below;
      return at;
    }
    void add(slab& one) noexcept {
      slab*& top = bucket(one.base());
      one.below = top;
      top = &one;
      slabs.push_front(one);
    }
    void remove(slab& one) noexcept {
      slab** at = &bucket(one.base());
      while (*at != &one) at = &(*at)->below;
      *at = one.below;
      slabs.remove(one);
    }

    /// Gives a slab that is to go back to the heap, or null.
    [[nodiscard]] slab* put(std::size_t index, block* one) noexcept {
      slab* in = find(one);
      if (in != nullptr)
        in->free.push(one);
      else
        add(*(in = ::new (static_cast<void*>(one)) slab));
      if (!in->is_whole(index)) return nullptr;
      if (whole >= kept_bytes / slab_span) {
        remove(*in);
        return in;
      }
      ++whole;
      slabs.remove(*in);
      slabs.push_back(*in);
      return nullptr;
    }

    [[nodiscard]] block* get(std::size_t index) noexcept {
      slab& from = *slabs.front();
      if (from.is_whole(index)) --whole;
      if (from.free.length != 0) return from.free.pop();
      if (from.unused != 0)
        return new_block(from.base() + (blocks_in_slab(index) - from.unused--) * size_of(index));
      remove(from);
      from.~slab();
      return new_block(reinterpret_cast<std::uintptr_t>(&from));
    }
  };

  std::array<shelf, class_count> shelves_;
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
        shared_depot().put(index, *one);
  }
};

void start_cache() {
  if (!cache.ended) {
    thread_local reaper const at_thread_end;
    (void)at_thread_end;
  }
}

[[nodiscard]] constexpr bool is_kept(std::size_t index) noexcept {
  return recycles && index < class_count;
}

// Apart, so that the way past them saves no registers.
[[gnu::noinline]] void* get_slowly(std::size_t index) {
  if (!is_kept(index)) return ::operator new (size_of(index), std::align_val_t{block_alignment});
  start_cache();
  if (cache.limit == 0) {
    chain one;
    shared_depot().get(index, one, 1);
    return one.pop();
  }
  auto& [active, spare] = cache.classes[index];
  std::swap(active, spare);
  if (active.length == 0) shared_depot().get(index, active, chain_length);
  return active.pop();
}

[[gnu::noinline]] void put_slowly(std::size_t index, void* memory) noexcept {
  if (!is_kept(index)) return ::operator delete (memory, std::align_val_t{block_alignment});
  start_cache();
  auto* const freed = ::new (memory) block;
  if (cache.limit == 0) {
    chain one;
    one.push(freed);
    return shared_depot().put(index, one);
  }
  auto& [active, spare] = cache.classes[index];
  if (active.length == chain_length) {
    if (spare.length == chain_length) shared_depot().put(index, spare);
    std::swap(active, spare);
  }
  active.push(freed);
}

}  // namespace

void* allocate_block_of_class(std::size_t index) {
  if (index < class_count) [[likely]]
    if (chain& active = cache.classes[index].active; active.first != nullptr) [[likely]]
      return active.pop();
  return get_slowly(index);
}

void free_block_of_class(void* memory, std::size_t index) noexcept {
  if (index < class_count) [[likely]]
    if (chain& active = cache.classes[index].active; active.length < cache.limit) [[likely]]
      return active.push(static_cast<block*>(memory));
  put_slowly(index, memory);
}

}  // namespace tokengate::detail
