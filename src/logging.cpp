// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/logging.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <utility>

namespace tokengate {
namespace {

constexpr char const* logger_name = "tokengate";

struct slot {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger;
};

// Never destroyed: a worker may still have something to tell while static objects go.
slot& current() {
  static slot& only = *new slot;
  return only;
}

std::shared_ptr<spdlog::logger> default_logger() {
  if (auto registered = spdlog::get(logger_name)) return registered;
  std::shared_ptr<spdlog::logger> made;
  if (auto const model = spdlog::default_logger()) {
    auto const& sinks = model->sinks();
    made = std::make_shared<spdlog::logger>(logger_name, sinks.begin(), sinks.end());
  } else {
    auto nowhere = std::make_shared<spdlog::sinks::null_sink_mt>();
    made = std::make_shared<spdlog::logger>(logger_name, std::move(nowhere));
  }
  made->set_level(spdlog::level::warn);
  return made;
}

}  // namespace

void set_logger(std::shared_ptr<spdlog::logger> replacement) {
  auto& [mutex, logger] = current();
  std::scoped_lock lock{mutex};
  // The old logger, and with it perhaps sinks of the user, goes after the lock was released.
  logger.swap(replacement);
}

std::shared_ptr<spdlog::logger> logger() {
  auto& [mutex, logger] = current();
  std::scoped_lock lock{mutex};
  if (!logger) logger = default_logger();
  return logger;
}

}  // namespace tokengate
