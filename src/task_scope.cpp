// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <spdlog/logger.h>

#include <cstddef>
#include <exception>
#include <string_view>

#include "tokengate/logging.hpp"

namespace tokengate::detail {

void report_abandoned_scope(std::size_t live) noexcept {
  try {
    logger()->critical(
        "a task scope was destroyed with {} children and no join: they were cancelled and end on "
        "their own. Use with_scope(), or keep the scope until async_join() has been called",
        live);
  } catch (...) {
    // Nothing is left to tell it to.
  }
}

void end_without_join() noexcept {
  try {
    logger()->critical("with_scope() cannot wait for its children: out of memory");
  } catch (...) {
  }
  std::terminate();
}

void report_failed_actor(char const* name, std::size_t length, char const* what) noexcept {
  try {
    logger()->error("actor {}: {}", std::string_view(name, length), what);
  } catch (...) {
  }
}

}  // namespace tokengate::detail
