// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Nothing is lost: two loops and two plain threads pass items through channels of all flavours, a
// broadcast and a bus, all at once, while channels are closed and replaced, operations given up and
// exceptions thrown by chance. Each item has an identity, and in the end it was received once, or
// given back, or was left in a closed channel. TOKENGATE_STRESS scales it: 10 is ten million
// events.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <iostream>
#include <thread>

#include "conservation_broadcast.hpp"
#include "conservation_bus.hpp"
#include "conservation_channels.hpp"
#include "stress/scaled.hpp"

namespace tokengate::test {
namespace {

std::uint32_t first_seed() {
  char const* const one = std::getenv("TOKENGATE_SEED");
  return one != nullptr ? static_cast<std::uint32_t>(std::strtoul(one, nullptr, 10)) : 1;
}

/// A line with those who use it.
class channel_part {
 public:
  channel_part(std::string name, channel_options<item> const& options, std::uint32_t senders,
               std::uint32_t each, bool in_order)
      : senders_(senders),
        books_(std::move(name), senders, each),
        line_(options, books_, static_cast<int>(senders), in_order) {}

  template <class Sender>
  void send_on(asio::io_context& loop, std::uint32_t seed) {
    auto const id = next_++;
    keep(std::make_shared<Sender>(loop, line_, books_, id, seed));
  }
  template <class Receiver>
  void receive_on(asio::io_context& loop, std::uint32_t seed) {
    keep(std::make_shared<Receiver>(loop, line_, books_, senders_, seed));
  }
  void send_on_thread(std::uint32_t seed) {
    sender_ = std::make_unique<thread_sender>(line_, books_, next_++, seed);
  }
  void receive_on_thread(std::uint32_t seed) {
    receiver_ = std::make_unique<thread_receiver>(line_, books_, senders_, seed);
  }
  [[nodiscard]] bool send_step() { return sender_ != nullptr && sender_->step(); }
  [[nodiscard]] bool receive_step() { return receiver_ != nullptr && receiver_->step(); }

  [[nodiscard]] item_books::totals close() {
    parties_.clear();  // with the channels that they have last used
    receiver_.reset();
    return books_.close();
  }
  [[nodiscard]] std::uint64_t closed() const { return line_.closed(); }

 private:
  void keep(std::shared_ptr<void> one) { parties_.push_back(std::move(one)); }

  std::uint32_t senders_;
  item_books books_;
  line line_;
  std::uint32_t next_ = 0;
  std::vector<std::shared_ptr<void>> parties_;
  std::unique_ptr<thread_sender> sender_;
  std::unique_ptr<thread_receiver> receiver_;
};

class conservation {
 public:
  conservation(std::uint32_t seed, std::uint32_t unit) {
    using flavour = channel_flavour;
    // Several of each, on all four threads.
    for (std::size_t const capacity : {16, 0}) {
      auto const each = capacity == 0 ? unit / 4 : unit;
      auto& all = add(capacity == 0 ? "rendezvous" : "any to any", capacity, 4, each, false);
      all.send_on<coroutine_sender>(one_, seed += 7);
      all.send_on<coroutine_sender>(other_, seed += 7);
      all.send_on<callback_sender>(one_, seed += 7);
      all.send_on_thread(seed += 7);
      all.receive_on<coroutine_receiver>(one_, seed += 7);
      all.receive_on<coroutine_receiver>(other_, seed += 7);
      all.receive_on<callback_receiver>(other_, seed += 7);
      all.receive_on_thread(seed += 7);
    }
    auto& ordered = add("any to one", 4, 3, unit / 2, true);
    ordered.send_on<coroutine_sender>(one_, seed += 7);
    ordered.send_on<callback_sender>(other_, seed += 7);
    ordered.send_on_thread(seed += 7);
    ordered.receive_on<coroutine_receiver>(other_, seed += 7);

    auto& across = add("one to one, loops", 8, 1, unit, true, flavour::one_to_one);
    across.send_on<coroutine_sender>(one_, seed += 7);
    across.receive_on<coroutine_receiver>(other_, seed += 7);
    auto& called = add("one to one, callbacks", 1, 1, unit, true, flavour::one_to_one);
    called.send_on<callback_sender>(other_, seed += 7);
    called.receive_on<callback_receiver>(one_, seed += 7);
    auto& in = add("one to one, thread to loop", 8, 1, unit, true, flavour::one_to_one);
    in.send_on_thread(seed += 7);
    in.receive_on<coroutine_receiver>(one_, seed += 7);
    auto& out = add("one to one, loop to thread", 8, 1, unit, true, flavour::one_to_one);
    out.send_on<coroutine_sender>(other_, seed += 7);
    out.receive_on_thread(seed += 7);

    news_.emplace(one_.get_executor(), 3, 4, unit / 5);
    keep(std::make_shared<news_coroutine_sender>(one_, *news_, 0, seed += 7));
    keep(std::make_shared<news_coroutine_sender>(other_, *news_, 1, seed += 7));
    news_out_.emplace(*news_, 2, seed += 7);
    keep(std::make_shared<news_coroutine_reader>(one_, *news_, 0, 3, seed += 7));
    keep(std::make_shared<news_coroutine_reader>(other_, *news_, 1, 3, seed += 7));
    keep(std::make_shared<news_callback_reader>(other_, *news_, 2, 3, seed += 7));
    news_in_.emplace(*news_, 3, 3, seed += 7);

    bus_.emplace(one_, other_, unit / 5, seed += 7);
  }

  void run() {
    auto guards = std::pair(asio::make_work_guard(one_), asio::make_work_guard(other_));
    std::jthread first([this] { run_with_mishaps(one_); });
    std::jthread second([this] { run_with_mishaps(other_); });
    std::jthread sending([this] {
      for (bool more = true; more;) {
        more = news_out_->step();
        more |= bus_->step();
        for (auto& each : channels_) more |= each->send_step();
      }
    });
    std::jthread receiving([this] {
      for (bool more = true; more;) {
        more = news_in_->step();
        for (auto& each : channels_) more |= each->receive_step();
      }
    });
    sending.join();
    receiving.join();
    bus_->finish();
    guards.first.reset();
    guards.second.reset();
  }

  /// How many events there were.
  [[nodiscard]] std::uint64_t close() {
    item_books::totals items;
    std::uint64_t channels = 0;
    for (auto& each : channels_) {
      auto const one = each->close();
      channels += each->closed();
      items.received += one.received;
      items.given_back += one.given_back;
      items.left += one.left;
      items.lost += one.lost;
    }
    auto const news = news_->close(), events = bus_->close();
    std::cout << "items: " << items.received << " received, " << items.given_back << " given back, "
              << items.left << " left in one of " << channels << " closed channels, " << items.lost
              << " lost; deliveries: " << news << " of a broadcast, " << events << " of a bus; "
              << mishap::thrown << " exceptions\n";
    EXPECT_GT(items.received, items.given_back);
    return items.received + items.given_back + items.left + news + events;
  }

 private:
  channel_part& add(char const* name, std::size_t capacity, std::uint32_t senders,
                    std::uint32_t each, bool in_order,
                    channel_flavour flavour = channel_flavour::any_to_any) {
    channel_options<item> options;
    options.capacity = capacity;
    options.flavour = flavour;
    return *channels_.emplace_back(
        std::make_unique<channel_part>(name, options, senders, each, in_order));
  }
  void keep(std::shared_ptr<void> one) { parties_.push_back(std::move(one)); }

  asio::io_context one_{1};
  asio::io_context other_{1};
  std::vector<std::unique_ptr<channel_part>> channels_;
  std::optional<news_line> news_;
  std::optional<news_thread_sender> news_out_;
  std::optional<news_thread_reader> news_in_;
  std::vector<std::shared_ptr<void>> parties_;
  std::optional<bus_part> bus_;
};

TEST(conservation_of_events, every_one_has_exactly_one_end) {
  auto const seed = first_seed();
  auto const repeat = "TOKENGATE_SEED=" + std::to_string(seed);
  auto const unit = std::max(10U, scaled(65'000U, 8U));
  conservation all(seed, unit);
  auto running = std::async(std::launch::async, [&] { all.run(); });
  if (running.wait_for(std::chrono::minutes(8) + std::chrono::milliseconds(unit)) !=
      std::future_status::ready) {
    std::cerr << repeat << ": it stands still\n";
    std::abort();
  }
  std::cout << all.close() << " events\n";
  if (testing::Test::HasFailure()) std::cout << "failed with " << repeat << '\n';
}

}  // namespace
}  // namespace tokengate::test
