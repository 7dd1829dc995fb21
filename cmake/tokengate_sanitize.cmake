# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Applies TOKENGATE_SANITIZE to every target that is made after this file was included.

set(TOKENGATE_SPDLOG spdlog::spdlog)
if(NOT TOKENGATE_SANITIZE)
  return()
endif()

list(JOIN TOKENGATE_SANITIZE "," sanitizers)
add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
add_link_options(-fsanitize=${sanitizers})

# As for the tests: see test/CMakeLists.txt.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)

# Named points at which the stress tests shake the order of threads.
add_compile_definitions(TOKENGATE_FAULT_POINTS)

# A recycled block hides a use after free from AddressSanitizer, so every pool is switched off.
if("address" IN_LIST TOKENGATE_SANITIZE)
  add_compile_definitions(
    BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING
    BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
    TOKENGATE_DISABLE_RECYCLING)
endif()

if("thread" IN_LIST TOKENGATE_SANITIZE)
  # The compiled spdlog of the system is not instrumented; its header-only form is.
  set(TOKENGATE_SPDLOG spdlog::spdlog_header_only)
  # g++ warns that Asio's stand-alone fence is not modelled; clang has no such warning.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
endif()
