// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>

namespace perf {

/// Heap blocks asked for so far by all threads of this process, through operator new or through
/// aligned_alloc (which Asio's recycling allocator calls). Plain malloc is not counted.
std::uint64_t allocations();

/// The bytes that were asked for in them.
std::uint64_t bytes_requested();

/// What the heap holds now, with all that the allocator adds to each block; of plain malloc too.
std::uint64_t heap_bytes();

}  // namespace perf
