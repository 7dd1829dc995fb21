// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "offload.hpp"

#include <exception>

namespace offload_server {
namespace {

class inline_offload final : public offload {
 public:
  explicit inline_offload(const key_derivation& password) : password_(password) {}

  asio::awaitable<answer> run(route which, std::string body) override {
    answer result;
    try {
      result = answer(outcome::done, compute(which, body, password_));
    } catch (const std::exception& problem) {
      result = answer(outcome::failed, problem.what());
    }
    co_return result;
  }

  asio::awaitable<void> drain(std::chrono::milliseconds) override { co_return; }
  std::string stats() const override { return "{\"mode\":\"inline\"}"; }
  std::size_t cores() const override { return 1; }

 private:
  key_derivation password_;
};

}  // namespace

const char* name_of(mode which) {
  switch (which) {
    case mode::inline_handler:
      return "inline";
    case mode::thread_pool:
      return "thread_pool";
    case mode::tokengate:
      return "tokengate";
  }
  return "?";
}

std::string compute(route which, const std::string& body, const key_derivation& password) {
  switch (which) {
    case route::digest:
      return digest(body);
    case route::gzip:
      return compress(body);
    case route::password:
      return password(body);
  }
  return {};
}

std::unique_ptr<offload> make_inline_offload(const key_derivation& password) {
  return std::make_unique<inline_offload>(password);
}

std::unique_ptr<offload> make_offload(mode which, asio::io_context& loop,
                                      const offload_settings& settings,
                                      const key_derivation& password) {
  switch (which) {
    case mode::inline_handler:
      return make_inline_offload(password);
    case mode::thread_pool:
      return make_pool_offload(settings.cores, password);
    case mode::tokengate:
      return make_gate_offload(loop, settings, password);
  }
  return nullptr;
}

}  // namespace offload_server
