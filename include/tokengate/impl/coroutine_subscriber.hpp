// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "tokengate/impl/loop_subscriber.hpp"

namespace tokengate::detail {

template <class Awaitable>
struct coroutine_executor;
template <class R, class Executor>
struct coroutine_executor<asio::awaitable<R, Executor>> {
  using type = Executor;
};

/// Handlers that are coroutines: one at a time, each to its end. A coroutine of the library runs
/// them while there are events, so that an idle subscription keeps no loop at work.
template <class T, class Executor, class Handler, class Sink>
class coroutine_subscriber final
    : public handling_subscriber<T, executor_subscriber<Executor>, Handler, Sink> {
  using base = handling_subscriber<T, executor_subscriber<Executor>, Handler, Sink>;
  using coroutine = event_result_t<T, Handler>;
  using coroutine_executor_type = typename coroutine_executor<coroutine>::type;

 public:
  coroutine_subscriber(Handler&& handler, Sink&& sink, Executor const& executor,
                       subscription_options const& options, std::weak_ptr<bus_state> bus)
      : base(std::move(handler), std::move(sink), executor, options,
             subscriber::traits{"coroutine", 1}, std::move(bus)) {}

 private:
  int run(ref<subscriber>) noexcept override {
    try {
      asio::co_spawn(coroutine_executor_type(this->executor()),
                     drain(ref<coroutine_subscriber>(this)), asio::detached);
    } catch (...) {
      std::lock_guard hold(this->mutex);
      this->core.unschedule();  // no memory: the next event tries again
    }
    return 1;
  }

  static asio::awaitable<void, coroutine_executor_type> drain(ref<coroutine_subscriber> self) {
    int left = base::budget;
    handling one = take_next(*self);
    while (one) {
      std::exception_ptr error;
      // Kept here: the coroutine may refer to the value to its end.
      tokengate::event<T> const given = base::shared(one.event());
      try {
        co_await self->start(given);
      } catch (...) {
        error = std::current_exception();
      }
      if (error) error = self->report(std::move(error));
      bool const well = error == nullptr;
      if (--left != 0) {
        one.finish_and_take(well, std::move(error));
        continue;
      }
      one.finish(well, std::move(error));
      self->add_ref();
      self->wake();
      co_return;
    }
  }

  coroutine start(tokengate::event<T> const& given) {
    if constexpr (std::invocable<Handler&, T const&>)
      return std::invoke(this->handler_, *given);
    else
      return std::invoke(this->handler_, given);
  }
};

}  // namespace tokengate::detail
