// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <cassert>
#include <memory>
#include <utility>

#include "tokengate/detail/mailbox.hpp"
#include "tokengate/detail/operation_record.hpp"

namespace tokengate::detail {

/// The gate's end of a link: its credits, what it has staged for the next flush, and the tokens
/// that can only go here. Belongs to the holder of the gate's combiner.
class lane_link {
 public:
  static constexpr std::uint32_t min_credits = 2;

  lane_link(std::shared_ptr<link> shared, worker_front& worker) noexcept
      : shared_(std::move(shared)), worker_(&worker) {}

  [[nodiscard]] link& shared() const noexcept { return *shared_; }
  [[nodiscard]] std::shared_ptr<link> const& owner() const noexcept { return shared_; }
  [[nodiscard]] parking_word<>& worker() const noexcept { return worker_->parking; }
  /// Of what is in flight, tokens and not husks.
  [[nodiscard]] std::uint32_t tokens() const noexcept { return tokens_; }
  /// Its worker is busy for long with the token of another gate. A look.
  [[nodiscard]] bool looks_taken() const noexcept {
    return tokens_ == 0 && worker_->occupied.load(std::memory_order_relaxed);
  }
  /// What is sent there lies behind such a one, or what is left of it.
  [[nodiscard]] bool behind_lengthy() const noexcept { return lengthy_end_ > collected(); }
  [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] bool alive() const noexcept { return alive_; }
  [[nodiscard]] bool has_credit() const noexcept { return in_flight_ < credits_ && alive_; }
  [[nodiscard]] std::uint32_t credits() const noexcept { return credits_; }
  void bury() noexcept { alive_ = false; }

  /// Puts a token into the next slot. Needs a credit. Visible to the worker after flush().
  void stage(token_base& token, run_length expected) noexcept {
    assert(has_credit());
    auto const at = sent_ % link::capacity;
    slot& place = shared_->slots[at];
    ++sent_;
    ++in_flight_;
    ++tokens_;
    prefetch_to_write(&shared_->at(sent_ + look_ahead));
    held_[at] = &token;
    token.way.in.slot = &place;
    token.where = token_base::place::slot;
    place.put(token, expected);
  }
  /// What was staged last is lengthy as a rule, or nobody knows.
  void note_lengthy() noexcept { lengthy_end_ = sent_; }

  [[nodiscard]] bool has_staged() const noexcept { return flushed_ != sent_; }
  /// Publishes what is staged. True when the worker was parked and has to be woken.
  [[nodiscard]] bool flush() noexcept {
    shared_->first.store(held_[flushed_ % link::capacity], std::memory_order_relaxed);
    flushed_ = sent_;
    shared_->sent.hand_over(sent_);
    return worker_->parking.notify();
  }

  /// Takes a token back that its worker has not started: true when it is the gate's again. The slot
  /// goes on to the worker as a husk and returns its credit from there.
  [[nodiscard]] bool pull_back(slot& place) noexcept {
    if (held(place) == nullptr || !place.pull_back()) return false;
    held(place) = nullptr;
    --tokens_;
    return true;
  }

  /// The token in a slot, null once it was pulled back. Not in the slot itself, which the worker
  /// writes to.
  [[nodiscard]] token_base*& held(slot const& place) noexcept {
    return held_[static_cast<std::size_t>(&place - shared_->slots.data())];
  }

  /// The token that was sent before all but `at` others that are out; null as held().
  [[nodiscard]] token_base* out(std::size_t at) const noexcept {
    return held_[(collected() + at) % link::capacity];
  }

  /// Calls visit(token, slot) for each token that is out, oldest first.
  template <class Visitor>
  void for_each_out(Visitor visit) {
    for (std::uint64_t at = collected(); at != sent_; ++at)
      if (token_base* token = held_[at % link::capacity]) visit(*token, shared_->at(at));
  }

  /// The oldest token that is out for which test(token, slot) holds; null when there is none.
  template <class Test>
  [[nodiscard]] token_base* find_out(Test test) noexcept {
    for (std::uint64_t at = collected(); at != sent_; ++at)
      if (token_base* token = held_[at % link::capacity])
        if (test(*token, shared_->at(at))) return token;
    return nullptr;
  }

  /// The oldest token that is out; null when there is none.
  [[nodiscard]] token_base* oldest() const noexcept {
    if (tokens_ == 0) return nullptr;
    auto at = collected();
    while (held_[at % link::capacity] == nullptr) ++at;
    return held_[at % link::capacity];
  }
  /// Ticks since it was dispatched; 0 when there is none.
  [[nodiscard]] std::uint64_t oldest_age(std::uint64_t now) const noexcept {
    token_base const* const token = oldest();
    if (token == nullptr) return 0;
    auto const since = token->issued + ticks_of(token->dispatched);
    return now > since ? now - since : 0;
  }

  /// Slots that came back and have not been taken back.
  [[nodiscard]] std::size_t returned() const noexcept {
    auto const back = std::max(shared_->returned.handed_over(), done_);
    return static_cast<std::size_t>(back - collected());
  }
  /// Looks for results that the worker holds back for company, while it is in a function that was
  /// to be brief: it takes the slots in their order, so it is done with those before one that it
  /// has taken. They count as returned.
  void look_for_held_back() noexcept {
    for (auto at = std::max(done_, collected()); at != sent_; ++at) {
      if (held_[at % link::capacity] == nullptr) continue;  // pulled back: says nothing
      if (!shared_->at(at).was_taken()) return;
      done_ = at;
    }
  }
  /// Takes the next of them: its token, or null for a husk.
  [[nodiscard]] token_base* take_back() noexcept {
    assert(returned() != 0);
    token_base*& mine = held_[collected() % link::capacity];
    --in_flight_;
    if (mine != nullptr) --tokens_;
    return std::exchange(mine, nullptr);
  }

  /// Sets the credits by the measured service time: enough to cover the hand-over, no more, because
  /// what lies in a mailbox is bound to one worker. Not after every token: it divides.
  /// True when it did.
  bool learn(run_estimate const& service, std::uint32_t hand_over) noexcept {
    if (--learn_in_ != 0) return false;
    learn_in_ = learn_every;
    std::uint64_t const covering = 2 + hand_over / (service.mean() + 1);
    credits_ = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(covering, min_credits, link::capacity));
    return true;
  }

  intrusive_list<token_base> pinned;  ///< their key is bound to this worker
  lane_link* next_dirty = nullptr;    ///< of those with something staged, see dispatcher::flush()

 private:
  /// How many slots have been taken back.
  [[nodiscard]] std::uint64_t collected() const noexcept { return sent_ - in_flight_; }

  static constexpr std::uint32_t look_ahead = 8;  ///< about a cache line of slots
  static constexpr std::uint32_t learn_every = 8;

  std::shared_ptr<link> shared_;
  worker_front* worker_;
  std::uint64_t sent_ = 0;     ///< staged ones too
  std::uint64_t flushed_ = 0;  ///< of them those that the worker may see
  std::uint64_t done_ = 0;     ///< of them those that the worker is done with, as last looked for
  std::uint64_t lengthy_end_ = 0;  ///< of them those up to the last that note_lengthy() spoke of
  std::uint32_t in_flight_ = 0;
  std::uint32_t tokens_ = 0;
  std::uint32_t credits_ = min_credits;
  bool alive_ = true;
  std::uint32_t learn_in_ = 1;
  std::array<token_base*, link::capacity> held_{};
};

}  // namespace tokengate::detail
