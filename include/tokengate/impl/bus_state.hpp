// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <vector>

#include "tokengate/detail/bus_core.hpp"
#include "tokengate/error.hpp"
#include "tokengate/fwd.hpp"
#include "tokengate/impl/context_member.hpp"

namespace tokengate {

/// What became of an event that async_publish_and_wait() gave to all subscribers of its topic.
struct publish_report {
  std::size_t accepted = 0;                  ///< subscribers that took it into their queues
  std::size_t handled = 0;                   ///< their handlers returned, or their readers took it
  std::size_t failed = 0;                    ///< their handlers threw
  std::size_t dropped = 0;                   ///< by their full_policy
  std::size_t undelivered = 0;               ///< their subscriptions ended first
  std::vector<std::exception_ptr> errors{};  ///< what the handlers threw
};

namespace detail {

/// Where an event goes: a topic, or a subject to look up.
struct destination {
  type_space* space = nullptr;
  ref<topic_record> topic{};
  std::string subject{};
};

/// A publisher that waits: until all subscribers accepted its event, or handled it.
struct publish_waiter : waiter {
  publish_waiter(resume_function resume, event_ref&& given, destination&& to,
                 delivery_ledger::until what)
      : waiter(resume), event(std::move(given)), to(std::move(to)), until(what) {}

  event_ref event;
  destination to;
  delivery_ledger::until until;
  bool closed = false;
  std::exception_ptr failed{};

  [[nodiscard]] std::exception_ptr failure() const {
    if (failed) return failed;
    if (closed) return make_exception(error::closed);
    if (outcome == wait_outcome::cancelled) return make_exception(error::cancelled);
    if (outcome == wait_outcome::timed_out) return make_exception(error::timed_out);
    return nullptr;
  }
};

/// Tells how many accepted.
struct accept_waiter : publish_waiter {
  accept_waiter(resume_function resume, event_ref&& given, destination&& to)
      : publish_waiter(resume, std::move(given), std::move(to), delivery_ledger::until::accepted) {}
  template <class Finish>
  void complete(Finish&& finish) {
    auto error = failure();
    std::size_t const accepted = event->ledger.counts().accepted;
    std::move(finish)(std::move(error), accepted);
  }
};

/// Tells what became of it.
struct handled_waiter : publish_waiter {
  handled_waiter(resume_function resume, event_ref&& given, destination&& to)
      : publish_waiter(resume, std::move(given), std::move(to), delivery_ledger::until::handled) {}
  template <class Finish>
  void complete(Finish&& finish) {
    auto error = failure();
    auto const counts = event->ledger.counts();
    publish_report report{counts.accepted, counts.handled,     counts.failed,
                          counts.dropped,  counts.undelivered, event->ledger.errors()};
    std::move(finish)(std::move(error), std::move(report));
  }
};

/// The bus behind its handles, and where publishers wait (see async_wait.hpp).
class bus_state : public bus_core {
 public:
  bus_state(asio::any_io_executor executor, event_bus_options const& options)
      : bus_core(options), executor_(std::move(executor)) {}

  [[nodiscard]] asio::any_io_executor const& executor() const noexcept { return executor_; }

  [[nodiscard]] bool start(publish_waiter& by) noexcept {
    delivery_ledger& ledger = by.event->ledger;
    by.outcome = wait_outcome::timed_out;  // the only way to be given up before this is over
    if (!ledger.watch(by, by.until)) return true;
    std::size_t accepted = 0;
    try {
      auto result = by.to.topic ? publish(*by.to.topic, *by.event)
                                : publish(*by.to.space, by.to.subject, *by.event);
      // Its last handle has gone since, and it was forgotten: the one of today, then.
      if (result.is == publish_result::state::detached)
        result = publish(*by.to.space, by.to.topic->name->text, *by.event);
      accepted = result.accepted;
      by.closed = result.is == publish_result::state::closed;
      if (result.no_memory) by.failed = std::make_exception_ptr(std::bad_alloc());
    } catch (...) {
      by.failed = std::current_exception();  // before anything happened
    }
    // Once it waits it may be gone at any time.
    event_ref const event = by.event;
    switch (ledger.offered(accepted)) {
      case delivery_ledger::verdict::waits:
        return false;
      case delivery_ledger::verdict::decided:
        return true;
      case delivery_ledger::verdict::abandoned:
        withdraw(*event);
        return true;
    }
    return true;
  }
  /// What was accepted stays accepted; who held it back does not get it.
  [[nodiscard]] bool cancel(publish_waiter& by) noexcept {
    if (!by.event->ledger.give_up(by)) return false;
    withdraw(*by.event);
    return true;
  }

 private:
  kept_executor executor_;
};

}  // namespace detail
}  // namespace tokengate
