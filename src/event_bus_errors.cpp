// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <spdlog/logger.h>

#include <boost/system/system_error.hpp>
#include <exception>

#include "tokengate/detail/subscriber.hpp"
#include "tokengate/error.hpp"
#include "tokengate/logging.hpp"

namespace tokengate::detail {

void log_handler_error(subscriber const& of, std::exception_ptr const& error) noexcept {
  try {
    auto const log = logger();
    try {
      std::rethrow_exception(error);
    } catch (std::exception const& thrown) {
      log->error("event bus: handler of subscription '{}' threw: {}", of.name, thrown.what());
    } catch (...) {
      log->error("event bus: handler of subscription '{}' threw no std::exception", of.name);
    }
  } catch (...) {
    // Without a log there is nobody left to tell.
  }
}

bool gate_is_over(std::exception_ptr const& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (boost::system::system_error const& thrown) {
    return thrown.code() == tokengate::error::closed || thrown.code() == tokengate::error::stopped;
  } catch (...) {
    return false;
  }
}

}  // namespace tokengate::detail
