// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

namespace tokengate::test {

/// An executor over an io_context that counts what goes through it, and knows whether the calling
/// thread is inside something it executes.
class tracking_executor {
 public:
  using inner = boost::asio::io_context::executor_type;

  explicit tracking_executor(inner to) : inner_(to), counts_(std::make_shared<counts>()) {}

  [[nodiscard]] int executed() const noexcept { return counts_->executed; }
  [[nodiscard]] bool inside() const noexcept { return current() == counts_.get(); }

  template <class Function>
  void execute(Function&& function) const {
    ++counts_->executed;
    boost::asio::post(inner_,
                      [counted = counts_, run = std::forward<Function>(function)]() mutable {
                        counts const* const outer = std::exchange(current(), counted.get());
                        struct restore {
                          counts const* to;
                          ~restore() { current() = to; }
                        } at_end{outer};
                        std::move(run)();
                      });
  }

  boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
    return inner_.context();
  }
  static constexpr boost::asio::execution::blocking_t query(
      boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }
  bool operator==(tracking_executor const& other) const noexcept {
    return inner_ == other.inner_ && counts_ == other.counts_;
  }

 private:
  struct counts {
    std::atomic<int> executed{0};
  };
  static counts const*& current() noexcept {
    thread_local counts const* here = nullptr;
    return here;
  }

  inner inner_;
  std::shared_ptr<counts> counts_;
};

}  // namespace tokengate::test
