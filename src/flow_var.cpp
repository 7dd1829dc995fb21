// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <spdlog/logger.h>

#include <future>

#include "tokengate/impl/flow_state.hpp"
#include "tokengate/logging.hpp"

namespace tokengate::detail {

std::exception_ptr no_result(std::future_errc why) noexcept {
  try {
    throw std::future_error(why);  // its text is allocated
  } catch (...) {
    return std::current_exception();
  }
}

void lost_error(gate_core* gate, std::exception_ptr const& error) noexcept {
  if (gate != nullptr) return lost_error(*gate, error);
  // Both ends were dropped: nobody wanted anything.
  if (error == make_exception(error::broken_promise)) return;
  try {
    std::rethrow_exception(error);
  } catch (std::exception const& e) {
    logger()->error("a promise was given an exception and nobody takes it: {}", e.what());
  } catch (...) {
    logger()->error("a promise was given an exception and nobody takes it");
  }
}

}  // namespace tokengate::detail
