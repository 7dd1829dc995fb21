// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "tokengate/event.hpp"
#include "tokengate/impl/publish.hpp"

namespace tokengate {

/// Publishes events of one type to one subject, or to the topic of the type itself. Made by
/// event_bus::topic(); the fastest way to publish, as nothing is looked up. Cheap to copy.
///
/// Order: the subscribers of a topic see its events in one order, the one in which they were
/// published. A publisher that is held back by one subscriber has been taken by the others already,
/// and comes before later ones there too.
///
/// @par Thread safety  any thread, all functions but assignment; from inside a handler and a token
/// too
/// @par Lifetime    may outlive its bus: publishing then gives error::closed
template <class T>
class topic {
 public:
  using event_type = event<T>;

  topic(std::shared_ptr<detail::bus_state> bus, detail::type_space& space,
        detail::ref<detail::topic_record> record) noexcept
      : bus_(std::move(bus)), space_(&space), record_(std::move(record)) {}
  topic(topic const& other) noexcept
      : bus_(other.bus_), space_(other.space_), record_(other.record_) {
    if (record_) bus_->add_handle(*space_, *record_);
  }
  topic(topic&&) noexcept = default;
  topic& operator=(topic other) noexcept {
    std::swap(bus_, other.bus_);
    std::swap(space_, other.space_);
    std::swap(record_, other.record_);
    return *this;
  }
  ~topic() {
    if (record_) bus_->drop_handle(*space_, *record_);
  }

  /// Publishes, and waits until every subscriber has taken the event into its queue or dropped it
  /// by its policy. What handlers do with it, or throw, is not the publisher's concern.
  /// @par Completion signature  void(std::exception_ptr, std::size_t)
  /// @par Completes with  how many accepted it; error::closed: the bus takes no more, none got it;
  ///                  error::cancelled, error::timed_out: those who had no place until then do not
  ///                  get it, the others do (one that gets a place at that very moment, on another
  ///                  thread, may); bad_alloc: nor do those whose queue cannot grow
  /// @par Executor    the handler's associated executor, else the bus's; never inside this call
  /// @par Cancellation  all types: as above. The lazy form has within() and until()
  /// @par Lifetime    none: the event is kept
  /// @par Cost        two blocks from recycled pools (the event with its value, the operation), one
  ///                  per subscriber that holds it back; a short lock per subscriber, never blocks
  /// @par Errors      bad_alloc, what the construction of T throws; nothing was published then
  /// @par Example     example/08_chat_server.cpp
  template <class U = T>
  [[nodiscard]] auto async_publish(U&& value) const {
    return detail::publish_accepted(bus_, make(std::forward<U>(value)), to());
  }
  template <class U = T, asio::completion_token_for<detail::accepted_signature> CompletionToken>
  auto async_publish(U&& value, CompletionToken&& token) const {
    return async_publish(std::forward<U>(value))(std::forward<CompletionToken>(token));
  }

  /// Publishes, and waits until every subscriber has handled the event, or given it up.
  /// @par Completion signature  void(std::exception_ptr, publish_report)
  /// @par Completes with  what became of it, with the exceptions of the handlers that threw; errors
  ///                  as async_publish, the handlers then go on unheard
  /// @par Executor, Cancellation, Lifetime, Cost  as async_publish
  template <class U = T>
  [[nodiscard]] auto async_publish_and_wait(U&& value) const {
    return detail::publish_handled(bus_, make(std::forward<U>(value)), to());
  }
  template <class U = T, asio::completion_token_for<detail::handled_signature> CompletionToken>
  auto async_publish_and_wait(U&& value, CompletionToken&& token) const {
    return async_publish_and_wait(std::forward<U>(value))(std::forward<CompletionToken>(token));
  }

  /// Publishes now, if no subscriber would hold the event back. Tells how many accepted it; nothing
  /// when there is one that would: then nobody gets it. One whose queue cannot grow for want of
  /// memory has not accepted it and counts it as dropped.
  /// @par Errors      boost::system::system_error with error::closed; bad_alloc. Nobody got it
  /// @par Cost        one block for the event; a short lock per subscriber, two where it might wait
  template <class U = T>
  std::optional<std::size_t> try_publish(U&& value) const {
    auto const event = make(std::forward<U>(value));
    return detail::told(bus_->try_publish(*record_, *event));
  }

  [[nodiscard]] std::string_view subject() const noexcept { return record_->name->text; }

  /// The last event, where the topic is sticky; else an empty one.
  [[nodiscard]] event<T> last() const noexcept {
    std::lock_guard hold(record_->mutex);
    return event<T>(record_->last);
  }
  /// Forgets the last event: who subscribes now gets none.
  void forget() const noexcept { bus_->forget(*space_, *record_); }
  /// How many subscriptions its events go to now.
  [[nodiscard]] std::size_t subscribers() const noexcept {
    std::lock_guard hold(record_->mutex);
    return record_->members.size();
  }

 private:
  template <class U>
  [[nodiscard]] static detail::event_ref make(U&& value) {
    return detail::event_block<T>::make(std::forward<U>(value));
  }
  [[nodiscard]] detail::destination to() const { return {space_, record_, {}}; }

  std::shared_ptr<detail::bus_state> bus_;
  detail::type_space* space_;
  detail::ref<detail::topic_record> record_;
};

}  // namespace tokengate
