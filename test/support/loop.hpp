// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "support/patience.hpp"

namespace tokengate::test {

/// An io_context run by the test itself, which fails when the context runs out of work too early,
/// or never does.
class loop {
 public:
  explicit loop(int concurrency = 1) : context(concurrency) {}

  /// Runs handlers until done() holds. Fails when there is no work left before.
  template <class Predicate>
  void run_until(Predicate done) {
    auto const until = std::chrono::steady_clock::now() + patience;
    wake();
    while (!done()) {
      if (context.run_one_for(slice) == 0 && context.stopped()) {
        // Out of work: what another thread does may still come, but no handler.
        if (done()) return;
        ADD_FAILURE() << "the io_context ran out of work";
        return;
      }
      if (std::chrono::steady_clock::now() > until) {
        ADD_FAILURE() << "what the test waits for never came";
        return;
      }
    }
  }

  /// Runs until there is no work left, as run() does. Fails when there always is.
  std::size_t run_out() {
    auto const until = std::chrono::steady_clock::now() + patience;
    std::size_t handlers = 0;
    wake();
    while (!context.stopped()) {
      handlers += context.run_one_for(slice);
      if (std::chrono::steady_clock::now() > until) {
        ADD_FAILURE() << "the io_context never runs out of work";
        break;
      }
    }
    return handlers;
  }

  /// Runs what is ready now.
  void poll() {
    wake();
    context.poll();
  }
  void poll_one() {
    wake();
    context.poll_one();
  }

  [[nodiscard]] auto executor() { return context.get_executor(); }

  boost::asio::io_context context;

 private:
  /// A context that ran out of work takes no more until it is told to.
  void wake() {
    if (context.stopped()) context.restart();
  }

  /// Between two looks at a condition that no handler announces.
  static constexpr std::chrono::milliseconds slice{5};
};

}  // namespace tokengate::test
