// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <boost/asio/use_future.hpp>

#include "support/conserved_items.hpp"
#include "support/gate_fixture.hpp"
#include "tokengate/event_bus.hpp"

/// @file
/// A topic with subscribers of every kind, whose handlers throw, and publishers who give up: each
/// subscriber gets what was accepted, once, in the order of each publisher.

namespace tokengate::test {

/// What one subscriber has seen.
struct deliveries {
  deliveries(std::uint32_t publishers, std::uint32_t each, std::uint32_t seed)
      : order("bus", publishers),
        random(seed),
        seen(publishers, std::vector<std::uint8_t>(each, 0)) {}

  /// Calls for one publisher are one at a time.
  void take(item const& what) {
    order.saw(what.sender, what.number);
    if (seen[what.sender][what.number]++ != 0) ADD_FAILURE() << "bus: twice";
  }
  void take_and_throw(item const& what) {
    take(what);
    if (what.number % 61 != 7) return;
    ++thrown;
    throw mishap();
  }

  rising_numbers order;
  chance random;
  std::vector<std::vector<std::uint8_t>> seen;
  std::atomic<std::uint64_t> thrown{0};
};

class bus_part {
 public:
  static constexpr std::uint32_t publishers = 3;
  enum class told : std::uint8_t { nothing, accepted, refused, given_up };

  bus_part(asio::io_context& one, asio::io_context& other, std::uint32_t each, std::uint32_t seed)
      : each_(each), lanes_(one.get_executor(), workers_), bus_(one), stop_reading_(other, dice_) {
    for (auto& of : told_) of.assign(each, told::nothing);
    for (std::uint32_t i = 0; i != kinds; ++i)
      got_.push_back(std::make_unique<deliveries>(publishers, each, seed + i));
    auto const ignore = [](std::exception_ptr) {};
    auto const plain = [](deliveries* to) {
      return [to](item const& what) { to->take_and_throw(what); };
    };
    subscription_options options;
    options.capacity = 32;
    auto const coroutine = [to = got_[1].get()](item const& what) -> asio::awaitable<void> {
      to->take_and_throw(what);
      co_return;
    };
    add(bus_.subscribe<item>("a.b", one, options, plain(got_[0].get()), ignore));
    add(bus_.subscribe<item>("a.*", other, options, coroutine, ignore));
    add(bus_.subscribe<item>("a.>", lanes_, options, plain(got_[2].get()), ignore));
    auto const sender = [](item const& what) { return what.sender; };
    add(bus_.subscribe<item>("*.b", lanes_, options, by_key(sender, plain(got_[3].get())), ignore));
    stream_ = bus_.stream<item>(">", other.get_executor(), options);
    keep_running(
        other, dice_, [this] { return read(this); }, [] {});
    options.when_full = full_policy::drop_oldest;
    add(bus_.subscribe<item>("a.b", other, options, plain(got_[drops].get()), ignore));

    for (std::uint32_t i = 0; i != 2; ++i) {
      auto& loop = i == 0 ? one : other;
      auto& by = *on_loops_.emplace_back(std::make_unique<publisher>(*this, loop, i, seed + 10));
      keep_running(
          loop, by.random, [&by] { return publish_share(&by); }, [this] { publisher_done(); });
    }
  }

  /// Of the plain thread. False: done.
  [[nodiscard]] bool step() {
    if (thread_number_ == each_) return false;
    std::uint32_t const me = 2, number = thread_number_++;
    if (number % 4 != 0) {
      auto const taken = topic_.try_publish(item(me, number));
      told_[me][number] = taken ? told::accepted : told::refused;
    } else {
      auto const count = topic_.async_publish(item(me, number), asio::use_future).get();
      EXPECT_GE(count, waited_for);
      told_[me][number] = told::accepted;
    }
    if (thread_number_ == each_) publisher_done();
    return true;
  }

  /// Waits until all is published and handled.
  void finish() {
    for (int left = publishing_; left != 0; left = publishing_) publishing_.wait(left);
    for (auto const& each : subscribed_) EXPECT_TRUE(poll_until([&] { return idle(each); }));
    EXPECT_TRUE(poll_until([&] { return idle(stream_); }));
  }

  /// At the end, with the loops: how many deliveries there were.
  [[nodiscard]] std::uint64_t close() const {
    std::uint64_t all = 0;
    for (std::uint32_t kind = 0; kind != kinds; ++kind) {
      std::uint64_t count = 0;
      for (std::uint32_t sender = 0; sender != publishers; ++sender)
        for (std::uint32_t number = 0; number != each_; ++number) {
          auto const was_told = told_[sender][number];
          auto const seen = got_[kind]->seen[sender][number];
          count += seen;
          if (was_told == told::accepted ? seen == 0 && kind != drops
                                         : seen != 0 && was_told != told::given_up)
            ADD_FAILURE() << "bus: subscriber " << kind << ", event " << number << " of " << sender
                          << (seen == 0 ? " was accepted and never came" : " came unaccepted");
        }
      auto const books =
          kind == stream ? stream_.snapshot() : subscribed_[kind - (kind > stream)].snapshot();
      EXPECT_EQ(books.handled + books.failed, count) << kind;
      EXPECT_EQ(books.failed, got_[kind]->thrown) << kind;
      EXPECT_EQ(books.offered, count + books.dropped + books.undelivered) << kind;
      if (kind != drops) {
        EXPECT_EQ(books.dropped, 0u) << kind;
      }
      all += count;
    }
    expect_conserved(lanes_);
    return all;
  }

 private:
  static constexpr std::uint32_t stream = 4, drops = 5, kinds = 6;
  static constexpr std::size_t waited_for = 5;

  struct publisher {
    publisher(bus_part& of, asio::io_context& loop, std::uint32_t id, std::uint32_t seed)
        : of(&of), id(id), random(seed + id), stop(loop, random) {}
    void ended(std::exception_ptr const& failed, std::size_t count) {
      if (!failed) {
        EXPECT_GE(count, waited_for);
      }
      of->told_[id][number++] = failed ? told::given_up : told::accepted;
    }
    bus_part* of;
    std::uint32_t id;
    chance random;
    giving_up stop;
    std::uint32_t number = 0;
  };

  static asio::awaitable<void> publish_share(publisher* self) {
    auto const token = asio::as_tuple(asio::use_awaitable);
    while (self->number != self->of->each_) {
      auto const dice = self->random.below(64);
      if (dice == 0) throw mishap();
      auto wait = self->of->topic_.async_publish(item(self->id, self->number));
      if (dice <= 4) {
        auto by_slot = asio::bind_cancellation_slot(self->stop.slot(), token);
        auto [failed, count] = co_await std::move(wait)(std::move(by_slot));
        self->ended(failed, count);
      } else if (dice <= 8) {
        auto limited = std::move(wait).within(self->random.patience(20'000));
        auto [failed, count] = co_await std::move(limited)(token);
        self->ended(failed, count);
      } else {
        auto [failed, count] = co_await std::move(wait)(token);
        self->ended(failed, count);
      }
    }
  }

  static asio::awaitable<void> read(bus_part* self) {
    auto const token = asio::as_tuple(asio::use_awaitable);
    auto& to = *self->got_[stream];
    std::exception_ptr failed;
    while (code_of(failed) != error::closed) {
      auto const dice = self->dice_.below(64);
      if (dice == 0) throw mishap();
      auto wait = self->stream_.async_next();
      if (dice <= 4) {
        auto by_slot = asio::bind_cancellation_slot(self->stop_reading_.slot(), token);
        auto [ended, got] = co_await std::move(wait)(std::move(by_slot));
        if (got) to.take(*got);
        failed = ended;
      } else if (dice <= 8) {
        auto limited = std::move(wait).within(self->dice_.patience(20'000));
        auto [ended, got] = co_await std::move(limited)(token);
        if (got) to.take(*got);
        failed = ended;
      } else {
        auto [ended, got] = co_await std::move(wait)(token);
        if (got) to.take(*got);
        failed = ended;
      }
    }
  }

  void add(subscription one) { subscribed_.push_back(std::move(one)); }
  void publisher_done() {
    if (--publishing_ != 0) return;
    bus_.close();  // what is queued is handled, and the stream ends
    publishing_.notify_all();
  }
  template <class Subscribed>
  [[nodiscard]] static bool idle(Subscribed const& who) {
    auto const books = who.snapshot();
    return books.queued + books.held_back + books.running == 0;
  }

  std::uint32_t const each_;
  worker_pool workers_{small_pool()};
  gate lanes_;
  event_bus bus_;
  chance dice_{99};
  giving_up stop_reading_;
  topic<item> const topic_ = bus_.topic<item>("a.b");
  std::array<std::vector<told>, publishers> told_;  ///< each publisher's is its own
  std::vector<std::unique_ptr<deliveries>> got_;
  std::vector<subscription> subscribed_;
  event_stream<item> stream_;
  std::vector<std::unique_ptr<publisher>> on_loops_;
  std::uint32_t thread_number_ = 0;
  std::atomic<int> publishing_{publishers};
};

}  // namespace tokengate::test
