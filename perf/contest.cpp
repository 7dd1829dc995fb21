// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "contest.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>

#include "machine.hpp"
#include "quota.hpp"

namespace perf {
namespace {

bool ours(peer_kind const& kind) {
  return kind.name.starts_with("tokengate");
}

bool invited(peer_kind const& kind, entrants const& who) {
  auto const among = [&kind](std::vector<std::string> const& names) {
    return std::find(names.begin(), names.end(), kind.name) != names.end();
  };
  if (among(who.without)) return false;
  if (ours(kind)) return true;
  return who.only.empty() ? !kind.on_request : among(who.only);
}

}  // namespace

std::vector<variant> contenders(setup const& how, long_trial const& what, entrants const& who) {
  std::vector<variant> all;
  if (who.quota > 0 && !quota_possible()) return all;
  for (auto const& kind : peers()) {
    if (!invited(kind, who)) continue;
    auto form = how;
    form.how = kind.own_shape.value_or(how.how);
    auto measure = [make = kind.make, form, quota = who.quota, what](effort const& much) {
      scoped_quota const limit{quota};
      std::optional<scoped_pin> pin;
      auto const made = [&] {
        // A peer is made by an unpinned thread: its own must not inherit the loop thread's core.
        pin.reset();
        auto fresh = make(form);
        if (form.where == placement::one_worker && usable_cores().size() > 1)
          pin.emplace(loop_core());
        return fresh;
      };
      return what(made, much);
    };
    all.push_back({kind.name, kind.stock, std::move(measure)});
  }
  return all;
}

std::vector<variant> contenders(setup const& how, trial const& what, entrants const& who) {
  return contenders(how, long_trial{[what](factory const& make, effort const& much) {
                      auto const one = make();
                      return what(*one, much);
                    }},
                    who);
}

void run_whole(peer& who, load& what, bool may_refuse) {
  who.run(what);
  auto const back = what.completed() + what.refused();
  if (what.issued() == 0 || what.issued() != back)
    throw std::runtime_error("issued " + std::to_string(what.issued()) + " tokens, " +
                             std::to_string(back) + " came back");
  if (what.wrong() != 0)
    throw std::runtime_error(std::to_string(what.wrong()) + " tokens came back with a wrong value");
  if (!may_refuse && what.refused() != 0)
    throw std::runtime_error(std::to_string(what.refused()) + " tokens were refused");
}

std::size_t warm_up(peer& who, std::size_t outstanding, std::chrono::nanoseconds length,
                    effort const& much) {
  load probe{outstanding, std::max<std::size_t>(much.at_most(2000), 4 * outstanding)};
  probe.timed();  // also, since a peer may look at the time of issue
  run_whole(who, probe);
  auto const each = probe.elapsed() / static_cast<double>(probe.completed());
  auto const number = static_cast<std::size_t>(much.of(length) / each);
  return std::clamp<std::size_t>(number, 4 * outstanding, 20'000'000);
}

}  // namespace perf
