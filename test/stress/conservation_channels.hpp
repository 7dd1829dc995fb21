// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "conservation_line.hpp"

/// @file
/// Those who send and receive through channels: coroutines, callbacks and plain threads, who give
/// up, and throw.

namespace tokengate::test {

// --- coroutines ---

struct coroutine_sender : sending_end {
  coroutine_sender(asio::io_context& loop, line& where, item_books& books, std::uint32_t id,
                   std::uint32_t seed)
      : sending_end(where, books, id, seed), stop(loop, random) {
    keep_running(
        loop, random, [this] { return send_share(this); }, [] {});
  }

  static asio::awaitable<void> send_share(coroutine_sender* self) {
    using namespace asio::experimental::awaitable_operators;
    auto const token = asio::as_tuple(asio::use_awaitable);
    while (self->ready()) {
      item next = self->mint();
      auto& to = self->at->of;
      auto const dice = self->random.below(64);
      if (dice == 0) {
        self->give_back(next);
        if (self->random.one_in(4)) throw mishap();
      } else if (dice <= 2) {
        if (!to.try_send(std::move(next))) self->give_back(next);
      } else if (dice <= 5) {
        auto wait = to.async_send(std::move(next)).within(self->random.patience(20'000));
        auto [failed] = co_await std::move(wait)(token);
        self->give_back(failed);
      } else if (dice <= 8) {
        auto wait = to.async_send_from(next);
        auto by_slot = asio::bind_cancellation_slot(self->stop.slot(), token);
        auto [failed] = co_await std::move(wait)(std::move(by_slot));
        self->give_back(next, failed);
      } else if (dice == 9) {
        auto race = to.async_send_from(next, asio::use_awaitable) || self->stop.timeout();
        static_cast<void>(co_await std::move(race));
        if (next.here()) self->give_back(next);
      } else {
        auto [failed] = co_await to.async_send_from(next, token);
        self->give_back(next, failed);
      }
    }
  }

  giving_up stop;
};

struct coroutine_receiver : receiving_end {
  coroutine_receiver(asio::io_context& loop, line& where, item_books& books, std::uint32_t senders,
                     std::uint32_t seed)
      : receiving_end(where, books, senders, seed), stop(loop, random) {
    keep_running(
        loop, random, [this] { return receive_all(this); }, [] {});
  }

  static asio::awaitable<void> receive_all(coroutine_receiver* self) {
    using namespace asio::experimental::awaitable_operators;
    auto const token = asio::as_tuple(asio::use_awaitable);
    while (self->ready()) {
      auto& from = self->at->of;
      auto const dice = self->random.below(64);
      if (dice == 0) {
        if (self->random.one_in(4)) throw mishap();
      } else if (dice <= 2) {
        if (auto const got = from.try_receive()) self->take(*got);
      } else if (dice <= 6) {
        auto wait = from.async_receive().within(self->random.patience(20'000));
        auto [failed, got] = co_await std::move(wait)(token);
        self->take(failed, got);
      } else if (dice <= 10) {
        auto by_slot = asio::bind_cancellation_slot(self->stop.slot(), token);
        auto [failed, got] = co_await from.async_receive(std::move(by_slot));
        self->take(failed, got);
      } else if (dice <= 12) {
        auto wait = from.async_receive_some(self->batch, 8);
        auto by_slot = asio::bind_cancellation_slot(self->stop.slot(), token);
        auto [failed, count] = co_await std::move(wait)(std::move(by_slot));
        self->take(self->batch);
        self->told(failed);
      } else if (dice <= 14) {
        // Its error goes with the race, and so would an item that it could not give back.
        auto race = from.async_receive(asio::use_awaitable) || self->stop.timeout();
        auto const first = co_await std::move(race);
        if (first.index() == 0)
          self->take(std::get<0>(first));
        else if (from.closed() && from.empty())
          self->at = self->where->now();
      } else if (dice <= 40) {
        auto wait = from.async_receive_some(self->batch, 16);
        auto [failed, count] = co_await std::move(wait)(token);
        self->take(self->batch);
        self->told(failed);
      } else {
        auto [failed, got] = co_await from.async_receive(token);
        self->take(failed, got);
      }
    }
  }

  giving_up stop;
  std::vector<item> batch;
};

// --- callbacks ---

struct callback_sender : sending_end {
  callback_sender(asio::io_context& loop, line& where, item_books& books, std::uint32_t id,
                  std::uint32_t seed)
      : sending_end(where, books, id, seed), stop(loop, random) {
    asio::post(loop, [this] { go(); });
  }
  void go() {
    if (!ready()) return;
    auto next = mint();
    auto sent = asio::bind_executor(stop.loop().get_executor(), [this](std::exception_ptr failed) {
      give_back(failed);
      go();
      if (random.one_in(256)) throw mishap();
    });
    if (random.one_in(16))
      at->of.async_send(std::move(next),
                        asio::bind_cancellation_slot(stop.slot(), std::move(sent)));
    else
      at->of.async_send(std::move(next), std::move(sent));
  }
  giving_up stop;
};

struct callback_receiver : receiving_end {
  callback_receiver(asio::io_context& loop, line& where, item_books& books, std::uint32_t senders,
                    std::uint32_t seed)
      : receiving_end(where, books, senders, seed), stop(loop, random) {
    asio::post(loop, [this] { go(); });
  }
  void go() {
    if (!ready()) return;
    auto got = asio::bind_executor(stop.loop().get_executor(),
                                   [this](std::exception_ptr failed, item what) {
                                     take(failed, what);
                                     go();
                                     if (random.one_in(256)) throw mishap();
                                   });
    if (random.one_in(16))
      at->of.async_receive(asio::bind_cancellation_slot(stop.slot(), std::move(got)));
    else
      at->of.async_receive(std::move(got));
  }
  giving_up stop;
};

// --- plain threads; false: done ---

struct thread_sender : sending_end {
  using sending_end::sending_end;
  [[nodiscard]] bool step() {
    if (at == nullptr || !ready()) return false;
    auto next = mint();
    auto const dice = random.below(16);
    try {
      if (dice == 0) {
        if (!at->of.try_send(std::move(next))) give_back(next);
      } else if (dice == 1) {
        at->of.send_from(next, random.patience(20'000));
      } else if (dice == 2) {
        at->of.send(std::move(next), random.patience(20'000));
      } else {
        at->of.send(std::move(next));
      }
    } catch (not_sent<item> const& back) {
      give_back(back.item());
    } catch (boost::system::system_error const&) {
      give_back(next);
    }
    return true;
  }
};

/// Serves more than one line, so it waits for none for long.
struct thread_receiver : receiving_end {
  using receiving_end::receiving_end;
  [[nodiscard]] bool step() {
    if (!ready()) return false;
    try {
      if (random.one_in(16)) {
        if (auto const got = at->of.try_receive()) take(*got);
      } else if (random.one_in(2)) {
        take(at->of.receive(random.patience(50'000)));
      } else {
        at->of.receive_some(batch, 16, random.patience(50'000));
        take(batch);
      }
    } catch (boost::system::system_error const& failed) {
      if (failed.code() == error::closed) at = where->now();
    }
    return true;
  }
  std::vector<item> batch;
};

}  // namespace tokengate::test
