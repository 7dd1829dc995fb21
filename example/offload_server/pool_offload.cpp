// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "offload.hpp"

namespace offload_server {
namespace {

/// The stock idiom: the coroutine itself hops to the pool and back to its loop. The function's
/// exceptions are caught by hand, because one that leaves a pool thread ends the process, and
/// the queue has no bound.
class pool_offload final : public offload {
 public:
  pool_offload(std::size_t threads, const key_derivation& password)
      : threads_(threads), password_(password), pool_(threads) {}

  ~pool_offload() override { pool_.join(); }

  asio::awaitable<answer> run(route which, std::string body) override {
    const asio::any_io_executor home = co_await asio::this_coro::executor;
    answer result;
    ++out_;
    co_await asio::post(asio::bind_executor(pool_.get_executor(), asio::deferred));
    try {
      result = answer(outcome::done, compute(which, body, password_));
    } catch (const std::exception& problem) {
      result = answer(outcome::failed, problem.what());
    }
    co_await asio::post(asio::bind_executor(home, asio::deferred));
    --out_;
    co_return result;
  }

  asio::awaitable<void> drain(std::chrono::milliseconds deadline) override {
    const auto until = std::chrono::steady_clock::now() + deadline;
    const asio::any_io_executor home = co_await asio::this_coro::executor;
    asio::steady_timer pause(home);
    while (out_ > 0 && std::chrono::steady_clock::now() < until) {
      pause.expires_after(std::chrono::milliseconds(5));
      boost::system::error_code ignored;
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
  }

  std::string stats() const override {
    return "{\"mode\":\"thread_pool\",\"threads\":" + std::to_string(threads_) +
           ",\"out\":" + std::to_string(out_) + "}";
  }

  std::size_t cores() const override { return threads_; }

 private:
  std::size_t threads_;
  key_derivation password_;
  std::size_t out_ = 0;  // touched on the loop only
  asio::thread_pool pool_;
};

}  // namespace

std::unique_ptr<offload> make_pool_offload(std::size_t threads, const key_derivation& password) {
  return std::make_unique<pool_offload>(threads, password);
}

}  // namespace offload_server
