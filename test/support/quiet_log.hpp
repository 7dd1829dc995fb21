// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>
#include <string>

#include "tokengate/logging.hpp"

namespace tokengate::test {

/// Keeps what the library logs, for as long as it lives.
class quiet_log {
 public:
  quiet_log() {
    set_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
  }
  quiet_log(quiet_log const&) = delete;
  quiet_log& operator=(quiet_log const&) = delete;
  ~quiet_log() { set_logger(nullptr); }

  /// To be read when nothing is logged.
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
};

}  // namespace tokengate::test
