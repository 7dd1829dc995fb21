// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <utility>

#include "tokengate/event.hpp"
#include "tokengate/impl/completion.hpp"
#include "tokengate/impl/coroutine_subscriber.hpp"
#include "tokengate/impl/publish.hpp"

namespace tokengate::detail {

/// A request as an event: many may see it, the first answer counts.
///
/// Invariant: `claimed` is under the ledger's mutex; who sets it writes `reply` and then tells the
/// ledger. The requester reads it after that, or after the end of all deliveries.
template <class Request, class Reply>
struct exchange {
  template <class... Args>
  explicit exchange(Args&&... args) : request(std::forward<Args>(args)...) {}
  Request request;
  mutable std::optional<Reply> reply{};
  mutable bool claimed = false;
};

template <class Request, class Reply>
void answer_with(event<exchange<Request, Reply>> const& to, Reply&& reply) {
  delivery_ledger& ledger = ledger_of(to);
  bool first = false;
  ledger.locked([&] { first = !std::exchange(to->claimed, true); });
  if (!first) return;
  // Should its move throw, nobody answers: the error goes where the handler's errors go.
  to->reply.emplace(std::move(reply));
  if (waiter* const woken = ledger.replied()) woken->resume();
}

/// The handler behind event_bus::serve().
template <class Request, class Reply, class Function>
struct responder {
  Function function;

  void operator()(event<exchange<Request, Reply>> const& to) {
    if (!ledger_of(to).wanted()) return;  // answered, or given up: not worth the work
    answer_with<Request, Reply>(to, std::invoke(function, std::as_const(to->request)));
  }
};
template <class Request, class Reply, class Function>
requires is_awaitable<std::invoke_result_t<Function&, Request const&>>
struct responder<Request, Reply, Function> {
  using coroutine = std::invoke_result_t<Function&, Request const&>;
  using executor = typename coroutine_executor<coroutine>::type;

  Function function;

  /// *this is the subscription's, which the library keeps while a call runs.
  asio::awaitable<void, executor> operator()(event<exchange<Request, Reply>> const& to) {
    bool const wanted = ledger_of(to).wanted();
    if (!wanted) co_return;
    Reply reply = co_await std::invoke(function, std::as_const(to->request));
    answer_with<Request, Reply>(to, std::move(reply));
  }
};

/// Where the errors of responders go: to the requester.
struct no_sink {
  void operator()(std::exception_ptr const&) const noexcept {}
};

template <class Reply>
using reply_signature = signature_of_t<Reply>;

/// Who asked, and waits for the answer.
template <class Request, class Reply>
struct request_waiter : publish_waiter {
  request_waiter(resume_function resume, event_ref&& given, destination&& to)
      : publish_waiter(resume, std::move(given), std::move(to), delivery_ledger::until::replied) {}

  template <class Finish>
  void complete(Finish&& finish) {
    auto failed = failure();
    if (failed) return std::move(finish)(std::move(failed), value_of_t<Reply>());
    auto const& asked = static_cast<event_block<exchange<Request, Reply>>&>(*event).value;
    if (event->ledger.has_reply())
      return std::move(finish)(std::exception_ptr(), value_of_t<Reply>(std::move(*asked.reply)));
    std::move(finish)(why_not(), value_of_t<Reply>());
  }

 private:
  [[nodiscard]] std::exception_ptr why_not() const {
    auto const errors = event->ledger.errors();
    if (!errors.empty()) return errors.front();
    auto const counts = event->ledger.counts();
    bool const nobody = counts.accepted + counts.dropped + counts.undelivered == 0;
    return make_exception(nobody ? error::no_subscriber : error::broken_promise);
  }
};

}  // namespace tokengate::detail
