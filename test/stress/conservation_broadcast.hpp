// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <mutex>

#include "support/conserved_items.hpp"
#include "support/outcome.hpp"
#include "tokengate/broadcast.hpp"

/// @file
/// Broadcasts whose readers are waited for, closed at any moment and replaced: every reader gets
/// every item that was sent, and none that was not.

namespace tokengate::test {

struct news {
  std::uint32_t sender = 0;
  std::uint32_t number = 0;
};

class news_line {
 public:
  using reader = broadcast<news>::reader;
  /// A broadcast, and its readers from the beginning: none misses an item.
  struct generation {
    generation(asio::any_io_executor const& executor, std::size_t readers) : of(executor, 8) {
      for (std::size_t i = 0; i != readers; ++i) ends.push_back(of.subscribe(lag_policy::wait));
    }
    broadcast<news> of;
    std::vector<reader> ends;
  };
  using pointer = std::shared_ptr<generation>;

  news_line(asio::any_io_executor executor, std::uint32_t senders, std::size_t readers,
            std::uint32_t each)
      : each(each),
        deliveries(readers),
        executor_(std::move(executor)),
        senders_(senders),
        sent_(senders) {
    chain_.push_back(std::make_shared<generation>(executor_, readers));
    for (auto& flags : sent_) flags.assign(each, 0);
    for (auto& of : deliveries) of.assign(senders, std::vector<std::uint8_t>(each, 0));
  }

  /// The n-th of them; null when there is none, and never will be.
  [[nodiscard]] pointer at(std::size_t n) {
    std::lock_guard hold(mutex_);
    return n < chain_.size() ? chain_[n] : nullptr;
  }
  [[nodiscard]] std::size_t last() {
    std::lock_guard hold(mutex_);
    return chain_.size() - 1;
  }
  void replace(std::size_t n) {
    pointer old, fresh = std::make_shared<generation>(executor_, deliveries.size());
    {
      std::lock_guard hold(mutex_);
      old = chain_[n];
      if (n + 1 == chain_.size() && senders_ != 0) chain_.push_back(std::move(fresh));
    }
    old->of.close();
  }
  void sender_done() {
    std::lock_guard hold(mutex_);
    if (--senders_ == 0) chain_.back()->of.close();
  }
  void sent(std::uint32_t sender, std::uint32_t number) { sent_[sender][number] = 1; }

  /// At the end: how many deliveries there were.
  [[nodiscard]] std::uint64_t close() const {
    std::uint64_t count = 0;
    for (std::size_t reader = 0; reader != deliveries.size(); ++reader)
      for (std::size_t sender = 0; sender != sent_.size(); ++sender)
        for (std::uint32_t number = 0; number != each; ++number) {
          auto const got = deliveries[reader][sender][number];
          count += got;
          if (got != sent_[sender][number])
            ADD_FAILURE() << "broadcast: item " << number << " of " << sender
                          << (got == 0 ? " never came" : " came unsent") << ", reader " << reader;
        }
    return count;
  }

  std::uint32_t const each;
  /// By reader, sender, number; each reader's is its own.
  std::vector<std::vector<std::vector<std::uint8_t>>> deliveries;

 private:
  asio::any_io_executor const executor_;
  std::mutex mutex_;
  std::uint32_t senders_;
  std::vector<pointer> chain_;
  std::vector<std::vector<std::uint8_t>> sent_;  ///< each sender's is its own
};

// --- senders ---

struct news_sender {
  news_sender(news_line& where, std::uint32_t id, std::uint32_t seed)
      : where(&where), id(id), random(seed), at(where.at(0)) {}

  [[nodiscard]] bool ready() {
    if (number == where->each) return false;
    if (random.one_in(1000)) where->replace(place);
    if (random.one_in(500)) at->of.cancel();
    while (code_is_closed) {
      place = where->last();
      at = where->at(place);
      code_is_closed = false;
    }
    return true;
  }
  [[nodiscard]] std::shared_ptr<news const> next() const {
    return std::make_shared<news const>(news{id, number});
  }
  void ended(std::exception_ptr const& failed) {
    if (!failed) where->sent(id, number);
    code_is_closed = code_of(failed) == error::closed;
    ++number;
  }

  news_line* where;
  std::uint32_t id;
  chance random;
  std::size_t place = 0;
  news_line::pointer at;
  std::uint32_t number = 0;
  bool code_is_closed = false;
};

struct news_coroutine_sender : news_sender {
  news_coroutine_sender(asio::io_context& loop, news_line& where, std::uint32_t id,
                        std::uint32_t seed)
      : news_sender(where, id, seed), stop(loop, random) {
    keep_running(
        loop, random, [this] { return send_share(this); }, [this] { this->where->sender_done(); });
  }
  static asio::awaitable<void> send_share(news_coroutine_sender* self) {
    auto const token = asio::as_tuple(asio::use_awaitable);
    while (self->ready()) {
      auto const dice = self->random.below(64);
      if (dice == 0) throw mishap();
      auto wait = self->at->of.async_send(self->next());
      if (dice <= 4) {
        auto by_slot = asio::bind_cancellation_slot(self->stop.slot(), token);
        auto [failed] = co_await std::move(wait)(std::move(by_slot));
        self->ended(failed);
      } else if (dice <= 8) {
        auto limited = std::move(wait).within(self->random.patience(20'000));
        auto [failed] = co_await std::move(limited)(token);
        self->ended(failed);
      } else {
        auto [failed] = co_await std::move(wait)(token);
        self->ended(failed);
      }
    }
  }
  giving_up stop;
};

struct news_thread_sender : news_sender {
  using news_sender::news_sender;
  /// False: done.
  [[nodiscard]] bool step() {
    if (over) return false;
    if (!ready()) {
      over = true;
      where->sender_done();
      return false;
    }
    std::exception_ptr failed;
    try {
      if (random.one_in(2))
        at->of.send(next(), random.patience(50'000));
      else
        at->of.send(next());
    } catch (boost::system::system_error const&) {
      failed = std::current_exception();
    }
    ended(failed);
    return true;
  }
  bool over = false;
};

// --- readers ---

struct news_reader {
  news_reader(news_line& where, std::size_t id, std::uint32_t senders, std::uint32_t seed)
      : where(&where), id(id), random(seed), at(where.at(0)), seen("broadcast", senders) {}

  [[nodiscard]] news_line::reader& end() { return at->ends[id]; }
  void take(broadcast_item<news> const& got) {
    EXPECT_EQ(got.skipped, 0u);
    seen.saw(got->sender, got->number);
    if (where->deliveries[id][got->sender][got->number]++ != 0) ADD_FAILURE() << "broadcast: twice";
  }
  void take(std::exception_ptr const& failed, broadcast_item<news> const& got) {
    EXPECT_EQ(static_cast<bool>(got), failed == nullptr);
    if (got) take(got);
    if (code_of(failed) == error::closed) at = where->at(++place);
  }

  news_line* where;
  std::size_t id;
  chance random;
  std::size_t place = 0;
  news_line::pointer at;
  rising_numbers seen;
};

struct news_coroutine_reader : news_reader {
  news_coroutine_reader(asio::io_context& loop, news_line& where, std::size_t id,
                        std::uint32_t senders, std::uint32_t seed)
      : news_reader(where, id, senders, seed), stop(loop, random) {
    keep_running(
        loop, random, [this] { return read_all(this); }, [] {});
  }
  static asio::awaitable<void> read_all(news_coroutine_reader* self) {
    using namespace asio::experimental::awaitable_operators;
    auto const token = asio::as_tuple(asio::use_awaitable);
    while (self->at != nullptr) {
      auto& from = self->end();
      auto const dice = self->random.below(64);
      if (dice == 0) throw mishap();
      if (dice <= 2) {
        if (auto const got = from.try_receive()) self->take(got);
      } else if (dice <= 6) {
        auto wait = from.async_receive().within(self->random.patience(20'000));
        auto [failed, got] = co_await std::move(wait)(token);
        self->take(failed, got);
      } else if (dice <= 10) {
        auto by_slot = asio::bind_cancellation_slot(self->stop.slot(), token);
        auto [failed, got] = co_await from.async_receive(std::move(by_slot));
        self->take(failed, got);
      } else if (dice <= 12) {
        auto race = from.async_receive(asio::use_awaitable) || self->stop.timeout();
        auto const first = co_await std::move(race);
        if (first.index() == 0) self->take(std::get<0>(first));
      } else {
        auto [failed, got] = co_await from.async_receive(token);
        self->take(failed, got);
      }
    }
  }
  giving_up stop;
};

struct news_callback_reader : news_reader {
  news_callback_reader(asio::io_context& loop, news_line& where, std::size_t id,
                       std::uint32_t senders, std::uint32_t seed)
      : news_reader(where, id, senders, seed), stop(loop, random) {
    asio::post(loop, [this] { go(); });
  }
  void go() {
    if (at == nullptr) return;
    auto got =
        asio::bind_executor(stop.loop().get_executor(),
                            [this](std::exception_ptr failed, broadcast_item<news> const& what) {
                              take(failed, what);
                              go();
                              if (random.one_in(256)) throw mishap();
                            });
    if (random.one_in(16))
      end().async_receive(asio::bind_cancellation_slot(stop.slot(), std::move(got)));
    else
      end().async_receive(std::move(got));
  }
  giving_up stop;
};

struct news_thread_reader : news_reader {
  using news_reader::news_reader;
  [[nodiscard]] bool step() {
    if (at == nullptr) return false;
    std::exception_ptr failed;
    broadcast_item<news> got;
    try {
      got = end().receive(random.patience(50'000));
    } catch (boost::system::system_error const&) {
      failed = std::current_exception();
    }
    take(failed, got);
    return true;
  }
};

}  // namespace tokengate::test
