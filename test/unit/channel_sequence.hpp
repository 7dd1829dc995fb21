// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tokengate/detail/channel_waiter.hpp"
#include "unit/channel_model.hpp"

// A sequence of operations on the core of a channel and on a plain model of it, compared after
// every step: several senders and receivers, single and batch, that are cancelled while they wait,
// and give back what they got before they were told. The random test and the fuzz target drive it.

namespace tokengate::detail::test {

inline void agree(bool truth, char const* text) {
  if (!truth) throw std::runtime_error(std::string("differs from the model: ") + text);
}
#define TOKENGATE_AGREE(condition) agree(static_cast<bool>(condition), #condition)

using parcel = std::unique_ptr<int>;  // a second owner, or none, is seen by the address sanitizer

class channel_sender : public send_waiter<parcel> {
 public:
  channel_sender(int item, std::vector<waiter*>& log)
      : send_waiter(&note, own), own(std::make_unique<int>(item)), item_number(item), log_(&log) {}
  parcel own;
  int const item_number;

 private:
  static void note(waiter& self) noexcept {
    static_cast<channel_sender&>(self).log_->push_back(&self);
  }
  std::vector<waiter*>* log_;
};

struct channel_batch {
  std::vector<parcel> batch;
};
class channel_receiver : private channel_batch, public receive_waiter<parcel> {
 public:
  channel_receiver(int number, std::vector<waiter*>& log)
      : receive_waiter(&note), number(number), log_(&log) {}
  channel_receiver(int number, std::vector<waiter*>& log, std::size_t max)
      : receive_waiter(&note, batch, max), number(number), most(max), log_(&log) {}

  [[nodiscard]] std::vector<int> items() const {
    std::vector<int> all;
    if (one_) all.push_back(**one_);
    for (auto const& each : batch) all.push_back(*each);
    return all;
  }
  int const number;
  std::size_t const most = 1;
  bool told = false;  ///< its handler has run: too late to give back

 private:
  static void note(waiter& self) noexcept {
    static_cast<channel_receiver&>(self).log_->push_back(&self);
  }
  std::vector<waiter*>* log_;
};

/// One sequence. `choices` decides every step: pick(n) gives a number below n, ended() whether
/// there is nothing more to decide by.
template <class Core, class Choices>
class channel_sequence {
  static constexpr bool locks_itself = requires(Core core) { core.close(); };

 public:
  template <class... Args>
  channel_sequence(Choices& choices, channel_model model, Args... args)
      : choices_(choices), model_(std::move(model)), core_(args...) {}

  void run(std::size_t steps) {
    for (at_ = 0; at_ != steps && !choices_.ended(); ++at_) {
      model_.told_now.clear();
      log_.clear();
      step();
      compare();
    }
    finish();
  }
  std::size_t at_ = 0;

 private:
  using answer = channel_model::answer;

  std::size_t pick(std::size_t below) { return choices_.pick(below); }

  void step() {
    switch (pick(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return send(true);
      case 4:
      case 5:
        return send(false);
      case 6:
      case 7:
      case 8:
      case 9:
        return receive(pick(4) == 0 ? 2 + pick(3) : 1, true);
      case 10:
      case 11:
        return receive(pick(4) == 0 ? 2 + pick(3) : 1, false);
      case 12:
        return cancel_send();
      case 13:
      case 14:
      case 15:
      case 16:
        return cancel_receive();
      case 17:
      case 18:
        return tell();
      default:
        if (auto const which = pick(30); which < 2)
          end_waits(which == 0 ? wait_outcome::closed : wait_outcome::cancelled);
    }
  }

  /// `locked` with a list of those who are woken, or `plain` of a core that resumes them itself.
  template <class Locked, class Plain>
  bool call(Locked locked, Plain plain) {
    if constexpr (locks_itself) {
      return plain(core_);
    } else {
      woken_list woken;
      bool const result = locked(core_, woken);
      resume_all(woken);
      return result;
    }
  }
  bool put(channel_sender& one, bool may_wait) {
    if (!may_wait)
      return call([&](auto& core, auto& woken) { return core.try_send(one, woken); },
                  [&](auto& core) { return core.try_send(one); });
    return call([&](auto& core, auto& woken) { return core.send(one, woken); },
                [&](auto& core) { return core.try_send(one) || core.send(one); });
  }
  bool get(channel_receiver& one, bool may_wait) {
    if (!may_wait)
      return call([&](auto& core, auto& woken) { return core.try_receive(one, woken); },
                  [&](auto& core) { return core.try_receive(one); });
    return call([&](auto& core, auto& woken) { return core.receive(one, woken); },
                [&](auto& core) { return core.try_receive(one) || core.receive(one); });
  }
  template <class Party>
  bool withdraw(Party& one) {
    return call([&](auto& core, auto& woken) { return core.cancel(one, woken); },
                [&](auto& core) { return core.cancel(one); });
  }

  void send(bool may_wait) {
    int const item = static_cast<int>(senders_.size());
    auto& one = *senders_.emplace_back(std::make_unique<channel_sender>(item, log_));
    one.cost = 1 + pick(4);
    auto const expected = model_.send({item, one.cost}, may_wait);
    TOKENGATE_AGREE(put(one, may_wait) == (expected != answer::waits));
    if (expected == answer::waits) return;
    TOKENGATE_AGREE(one.outcome ==
                    (expected == answer::done ? wait_outcome::done : wait_outcome::closed));
    TOKENGATE_AGREE((one.own == nullptr) == (expected == answer::done));
  }
  void receive(std::size_t most, bool may_wait) {
    int const number = static_cast<int>(receivers_.size());
    auto& one = *receivers_.emplace_back(
        most == 1 ? std::make_unique<channel_receiver>(number, log_)
                  : std::make_unique<channel_receiver>(number, log_, most));
    bool const decided = get(one, may_wait);
    // A batch from a ring is as large as the receiver knew the ring to be: one at least.
    bool const knows = model_.sort == channel_sort::ring && decided && one.taken() != 0;
    std::vector<int> items;
    auto const expected = model_.receive(number, knows ? one.taken() : most, items, may_wait);
    TOKENGATE_AGREE(decided == (expected != answer::waits));
    TOKENGATE_AGREE(one.items() == items);
    if (expected != answer::waits)
      TOKENGATE_AGREE(one.outcome ==
                      (expected == answer::done ? wait_outcome::done : wait_outcome::closed));
    if (expected == answer::done) under_way_.push_back(&one);
  }
  /// Mostly of one that waits: of a few among many.
  void cancel_send() {
    if (senders_.empty()) return;
    auto const& waiting = model_.senders;
    bool const waits = !waiting.empty() && pick(4) != 0;
    auto& one = *senders_[waits ? static_cast<std::size_t>(waiting[pick(waiting.size())].item)
                                : pick(senders_.size())];
    bool const waited = model_.cancel_send(one.item_number);
    TOKENGATE_AGREE(withdraw(one) == waited);
    if (waited) TOKENGATE_AGREE(one.own != nullptr);
  }
  /// As the shell: who waits is taken out, who was decided gives back.
  void cancel_receive() {
    bool const decided = !under_way_.empty() && pick(3) != 0;
    if (!decided && model_.receivers.empty()) return;
    auto& one = decided ? *under_way_[pick(under_way_.size())]
                        : *receivers_[static_cast<std::size_t>(
                              model_.receivers[pick(model_.receivers.size())])];
    bool const waited = model_.cancel_receive(one.number);
    TOKENGATE_AGREE(withdraw(one) == waited);
    if (waited) return;
    auto const had = one.items();
    bool const gives = one.most == 1;  // a batch is the caller's already
    if (gives) model_.give_back(had.at(0));
    bool const gave = call([&](auto& core, auto& woken) { return core.retract(one, woken); },
                           [&](auto& core) { return core.retract(one); });
    TOKENGATE_AGREE(gave == gives);
    TOKENGATE_AGREE(one.items() == (gives ? std::vector<int>{} : had));
    if (gives) std::erase(under_way_, &one);
  }
  /// A handler runs.
  void tell() {
    if (under_way_.empty()) return;
    auto& one = *under_way_[pick(under_way_.size())];
    one.told = true;
    for (int const item : one.items()) {
      TOKENGATE_AGREE(!got_.contains(item));
      got_.insert(item);
    }
    std::erase(under_way_, &one);
  }
  void end_waits(wait_outcome how) {
    model_.end_waits(how);
    auto const end = [&](auto& core, auto&... woken) {
      how == wait_outcome::closed ? core.close(woken...) : core.cancel_all(woken...);
      return true;
    };
    call(end, end);
  }

  void compare() {
    std::vector<channel_model::told> told;
    for (waiter* const each : log_) told.push_back(what_was_told(*each));
    TOKENGATE_AGREE(told == model_.told_now);
    TOKENGATE_AGREE(core_.closed() == model_.closed);
    TOKENGATE_AGREE(core_.size() == model_.inside.size());
    if constexpr (requires { core_.cost(); }) TOKENGATE_AGREE(core_.cost() == model_.cost());
  }
  channel_model::told what_was_told(waiter& who) {
    for (auto const& each : senders_)
      if (each.get() == &who) {
        TOKENGATE_AGREE((each->own == nullptr) == (who.outcome == wait_outcome::done));
        return {true, each->item_number, who.outcome};
      }
    for (auto const& each : receivers_)
      if (each.get() == &who) {
        if (who.outcome == wait_outcome::done) under_way_.push_back(each.get());
        return {false, each->number, who.outcome, each->items()};
      }
    throw std::logic_error("resumed: nobody");
  }

  /// Every item that was taken from its sender has come to somebody, once.
  void finish() {
    model_.told_now.clear();
    log_.clear();
    end_waits(wait_outcome::closed);
    compare();
    while (!under_way_.empty()) tell();
    while (!model_.inside.empty()) {
      receive(1, false);
      tell();
    }
    for (auto const& each : senders_)
      TOKENGATE_AGREE((each->own == nullptr) == got_.contains(each->item_number));
  }

  Choices& choices_;
  channel_model model_;
  std::vector<waiter*> log_;  ///< who was resumed by the last step
  std::vector<std::unique_ptr<channel_sender>> senders_;
  std::vector<std::unique_ptr<channel_receiver>> receivers_;
  std::vector<channel_receiver*> under_way_;  ///< decided, and not told
  std::set<int> got_;
  Core core_;
};

#undef TOKENGATE_AGREE

}  // namespace tokengate::detail::test
