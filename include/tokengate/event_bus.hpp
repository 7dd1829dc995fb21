// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "tokengate/event.hpp"
#include "tokengate/event_bus_options.hpp"
#include "tokengate/event_bus_snapshot.hpp"
#include "tokengate/event_stream.hpp"
#include "tokengate/impl/make_subscriber.hpp"
#include "tokengate/impl/publish.hpp"
#include "tokengate/impl/request.hpp"
#include "tokengate/subscription.hpp"
#include "tokengate/topic.hpp"

namespace tokengate {

/// Publishers and subscribers that need not know each other. An event is a value of any type; who
/// subscribes names the type, and which of its topics: the one of the type itself, or those whose
/// subject matches a pattern. Subjects are levels joined by dots, `orders.eu.paid`; in a pattern
/// `*` stands for one level and `>`, at the end, for one or more. One event is shared by all who
/// get it.
///
/// A subscription has a bounded queue of its own and says what happens when it is full, see
/// full_policy. Its handler is called by the loop of an executor, is a coroutine there, or runs on
/// a lane of a gate; or its events are fetched from a stream. doc/event_bus.md tells more.
///
/// Order: events of one publisher to one subscription are handled in the order of publication, one
/// after another, unless the subscription asks for `concurrency`.
///
/// @par Thread safety  any thread, all functions but constructor and destructor; from inside
/// handlers and
///                  tokens too. A handler may destroy the bus
/// @par Lifetime    the destructor ends all subscriptions, as subscription::unsubscribe(): no
/// handler starts
///                  after it. Handles may outlive the bus. Contexts and gates may go first: the
///                  subscriptions on them end with them, on a gate with the next event
class event_bus {
 public:
  /// The executor is where operations complete whose handlers have none of their own.
  explicit event_bus(asio::any_io_executor executor, event_bus_options const& options = {})
      : state_(std::make_shared<detail::bus_state>(std::move(executor), options)) {}
  template <detail::has_executor Context>
  explicit event_bus(Context& context, event_bus_options const& options = {})
      : event_bus(context.get_executor(), options) {}
  ~event_bus() { state_->stop(); }
  event_bus(event_bus const&) = delete;
  event_bus& operator=(event_bus const&) = delete;

  /// A topic to publish to: that of a type, or a subject of that type. Sticky topics keep their
  /// last event for those who come later.
  /// @par Errors  std::invalid_argument: not a subject; std::length_error: more sticky topics than
  ///              event_bus_options allows; bad_alloc
  template <class T>
  [[nodiscard]] tokengate::topic<T> topic(topic_options const& options = {}) {
    auto& space = space_of<T>();
    return {state_, space, state_->open(space, {}, options.sticky)};
  }
  template <class T>
  [[nodiscard]] tokengate::topic<T> topic(std::string_view subject,
                                          topic_options const& options = {}) {
    detail::check_subject(subject);
    auto& space = space_of<T>();
    return {state_, space, state_->open(space, subject, options.sticky)};
  }

  /// As topic<T>(subject).async_publish(value), with a look at a table.
  template <class T>
  [[nodiscard]] auto async_publish(std::string_view subject, T&& value) {
    return detail::publish_accepted(state_, make<T>(value), to<T>(subject));
  }
  template <class T, asio::completion_token_for<detail::accepted_signature> CompletionToken>
  auto async_publish(std::string_view subject, T&& value, CompletionToken&& token) {
    return async_publish(subject, std::forward<T>(value))(std::forward<CompletionToken>(token));
  }
  template <class T>
  [[nodiscard]] auto async_publish_and_wait(std::string_view subject, T&& value) {
    return detail::publish_handled(state_, make<T>(value), to<T>(subject));
  }
  template <class T, asio::completion_token_for<detail::handled_signature> CompletionToken>
  auto async_publish_and_wait(std::string_view subject, T&& value, CompletionToken&& token) {
    return async_publish_and_wait(subject,
                                  std::forward<T>(value))(std::forward<CompletionToken>(token));
  }
  template <class T>
  std::optional<std::size_t> try_publish(std::string_view subject, T&& value) {
    detail::check_subject(subject);
    auto const event = make<T>(value);
    return detail::told(state_->try_publish(space_of<T>(), subject, *event));
  }

  /// Subscribes to the topics of a type whose subjects match. `where` is an executor or a context,
  /// for a handler that is a function or a coroutine (it returns asio::awaitable<void>); or a gate,
  /// for a function that runs on a lane. The handler takes `T const&`, or `event<T> const&` to know
  /// the subject or keep the event. `sink(std::exception_ptr)` hears what the handler throws, on
  /// the thread where it did; without one it is logged.
  ///
  /// @par Cost    some allocations; one look through the topics of the type for a pattern with
  /// wildcards. An idle subscription does not keep its loop at work
  /// @par Errors  std::invalid_argument: not a pattern; bad_alloc
  /// @par Example example/08_chat_server.cpp
  template <class T, class Where, class Handler, class Sink = detail::log_sink>
  requires detail::subscriber_handler<T, Handler> subscription
  subscribe(std::string_view pattern, Where&& where, subscription_options const& options,
            Handler&& handler, Sink sink = Sink()) {
    detail::check_pattern(pattern);
    return add<T>(pattern,
                  detail::make_subscriber<T>(state_, where, options, std::forward<Handler>(handler),
                                             std::move(sink)));
  }
  template <class T, class Where, class Handler, class Sink = detail::log_sink>
  requires detail::subscriber_handler<T, Handler> subscription subscribe(std::string_view pattern,
                                                                         Where&& where,
                                                                         Handler&& handler,
                                                                         Sink sink = Sink()) {
    return subscribe<T>(pattern, where, subscription_options{}, std::forward<Handler>(handler),
                        std::move(sink));
  }
  /// Subscribes to the topic of the type itself.
  template <class T, detail::event_place Where, class Handler, class Sink = detail::log_sink>
  requires detail::subscriber_handler<T, Handler> subscription subscribe(
      Where&& where, subscription_options const& options, Handler&& handler, Sink sink = Sink()) {
    return add<T>({}, detail::make_subscriber<T>(state_, where, options,
                                                 std::forward<Handler>(handler), std::move(sink)));
  }
  template <class T, detail::event_place Where, class Handler, class Sink = detail::log_sink>
  requires detail::subscriber_handler<T, Handler> subscription subscribe(Where&& where,
                                                                         Handler&& handler,
                                                                         Sink sink = Sink()) {
    return subscribe<T>(where, subscription_options{}, std::forward<Handler>(handler),
                        std::move(sink));
  }

  /// Subscribes without a handler. Readers without an executor of their own complete on this one.
  template <class T>
  [[nodiscard]] event_stream<T> stream(std::string_view pattern, asio::any_io_executor executor,
                                       subscription_options const& options = {}) {
    detail::check_pattern(pattern);
    return add_stream<T>(pattern, std::move(executor), options);
  }
  template <class T>
  [[nodiscard]] event_stream<T> stream(asio::any_io_executor executor,
                                       subscription_options const& options = {}) {
    return add_stream<T>({}, std::move(executor), options);
  }

  /// Answers requests: `function` takes `Request const&` and returns the Reply, or an
  /// asio::awaitable of it. What it throws goes to the requester. Requests whose requester has
  /// given up, or has been answered by another, are not worked on.
  template <class Request, class Reply, class Where, class Function>
  subscription serve(std::string_view pattern, Where&& where, subscription_options const& options,
                     Function&& function) {
    detail::check_event<Request>();
    using answers = detail::responder<Request, Reply, std::decay_t<Function>>;
    return subscribe<detail::exchange<Request, Reply>>(
        pattern, where, options, answers{std::forward<Function>(function)}, detail::no_sink{});
  }
  template <class Request, class Reply, class Where, class Function>
  subscription serve(std::string_view pattern, Where&& where, Function&& function) {
    return serve<Request, Reply>(pattern, where, subscription_options{},
                                 std::forward<Function>(function));
  }

  /// Asks, and waits for the first answer, at most for `deadline`.
  /// @par Completion signature  void(std::exception_ptr, Reply); a Reply that cannot be
  ///                  default-constructed arrives as std::optional<Reply>
  /// @par Completes with  the reply; error::no_subscriber: nobody serves it, said at once; what the
  ///                  responder threw, if nobody else answered; error::broken_promise: all who took
  ///                  it dropped it or ended; error::timed_out, error::cancelled, error::closed
  /// @par Executor    the handler's associated executor, else the bus's; never inside this call
  /// @par Cancellation  all types: the answer is not waited for; a responder that has begun goes on
  /// @par Cost        as async_publish
  template <class Reply, class Request>
  [[nodiscard]] auto async_request(std::string_view subject, Request&& request,
                                   std::chrono::nanoseconds deadline) {
    using asked = std::decay_t<Request>;
    detail::check_event<asked>();
    using exchange = detail::exchange<asked, Reply>;
    using waiter = detail::request_waiter<asked, Reply>;
    return detail::lazy_publish<detail::reply_signature<Reply>, waiter>(
               state_, state_->executor(),
               detail::event_block<exchange>::make(std::forward<Request>(request)),
               to<exchange>(subject))
        .within(deadline);
  }
  template <class Reply, class Request,
            asio::completion_token_for<detail::reply_signature<Reply>> CompletionToken>
  auto async_request(std::string_view subject, Request&& request, std::chrono::nanoseconds deadline,
                     CompletionToken&& token) {
    return async_request<Reply>(subject, std::forward<Request>(request),
                                deadline)(std::forward<CompletionToken>(token));
  }

  /// Takes no more events: publishing gives error::closed. What is queued is handled, and streams
  /// end when they were read.
  void close() noexcept { state_->close(); }
  [[nodiscard]] bool closed() const noexcept { return state_->closed(); }

  /// @par Cost  a lock per type, per topic and per subscription, one after another
  [[nodiscard]] event_bus_snapshot snapshot() const {
    event_bus_snapshot all;
    state_->read_into(all);
    return all;
  }

 private:
  template <class T>
  [[nodiscard]] detail::type_space& space_of() {
    detail::check_event<std::decay_t<T>>();
    return state_->space_of(typeid(std::decay_t<T>));
  }
  template <class T>
  [[nodiscard]] static detail::event_ref make(T& value) {
    return detail::event_block<std::decay_t<T>>::make(static_cast<T&&>(value));
  }
  template <class T>
  [[nodiscard]] detail::destination to(std::string_view subject) {
    detail::check_subject(subject);
    auto& space = space_of<T>();
    // The text is kept only where the topic has to be made, which is done when it is published to.
    if (auto known = state_->known(space, subject)) return {&space, std::move(known), {}};
    return {&space, {}, std::string(subject)};
  }
  template <class T>
  [[nodiscard]] subscription add(std::string_view pattern,
                                 detail::ref<detail::subscriber> const& who) {
    std::shared_ptr<detail::subscription_state> state;
    try {
      auto& space = space_of<T>();
      state = std::make_shared<detail::subscription_state>(who, state_);
      state_->subscribe(space, who, pattern);
    } catch (...) {
      who->left();
      throw;
    }
    if (!detail::still_tied(*who)) state->end();  // its context went meanwhile
    return subscription(std::move(state));
  }
  template <class T>
  [[nodiscard]] event_stream<T> add_stream(std::string_view pattern, asio::any_io_executor executor,
                                           subscription_options const& options) {
    auto& space = space_of<T>();
    detail::ref<detail::subscriber> const who(new detail::stream_subscriber(options));
    auto state = std::make_shared<detail::stream_state<T>>(who, state_, std::move(executor));
    state_->subscribe(space, who, pattern);
    return event_stream<T>(std::move(state));
  }

  std::shared_ptr<detail::bus_state> state_;
};

}  // namespace tokengate
