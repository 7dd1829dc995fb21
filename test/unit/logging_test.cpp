// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/logging.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>
#include <string>
#include <utility>

namespace tokengate {
namespace {

class logging : public testing::Test {
 protected:
  ~logging() override {
    spdlog::drop("tokengate");
    set_logger(nullptr);
  }

  std::shared_ptr<spdlog::logger> make(std::string name) {
    return std::make_shared<spdlog::logger>(
        std::move(name), std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
  }

  std::ostringstream text_;
};

TEST_F(logging, default_logger_is_quiet_and_shares_the_sinks_of_spdlog) {
  auto const made = logger();
  EXPECT_EQ(made->name(), "tokengate");
  EXPECT_EQ(made->level(), spdlog::level::warn);
  EXPECT_EQ(made->sinks(), spdlog::default_logger()->sinks());
  EXPECT_EQ(logger(), made);
}

TEST_F(logging, registered_logger_is_the_default) {
  auto const registered = make("tokengate");
  spdlog::register_logger(registered);
  EXPECT_EQ(logger(), registered);
}

TEST_F(logging, logger_handed_in_gets_the_lines) {
  set_logger(make("mine"));
  logger()->warn("pin failed on core {}", 3);
  EXPECT_NE(text_.str().find("pin failed on core 3"), std::string::npos);
}

TEST_F(logging, null_goes_back_to_the_default) {
  set_logger(make("mine"));
  set_logger(nullptr);
  EXPECT_EQ(logger()->name(), "tokengate");
}

}  // namespace
}  // namespace tokengate
