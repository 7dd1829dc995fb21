// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "contest.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>

#include "machine.hpp"

namespace perf {

std::vector<variant> contenders(shape how, placement where, trial const& what,
                                std::initializer_list<std::string_view> only) {
  std::vector<variant> all;
  for (auto const& kind : peers()) {
    auto const wanted = std::find(only.begin(), only.end(), kind.name) != only.end();
    if (kind.stock && only.size() != 0 && !wanted) continue;
    auto measure = [make = kind.make, form = kind.own_shape.value_or(how), where,
                    what](effort const& much) {
      // The peer is made first: its threads must not inherit the loop thread's core.
      auto const who = make(form, where);
      auto const alone = where == placement::one_worker && usable_cores().size() > 1;
      scoped_pin const pin{alone ? std::optional{loop_core()} : std::nullopt};
      return what(*who, much);
    };
    all.push_back({kind.name, kind.stock, std::move(measure)});
  }
  return all;
}

void run_whole(peer& who, load& what) {
  who.run(what);
  if (what.issued() == 0 || what.issued() != what.completed())
    throw std::runtime_error("issued " + std::to_string(what.issued()) + " tokens, " +
                             std::to_string(what.completed()) + " came back");
}

std::size_t warm_up(peer& who, std::size_t outstanding, std::chrono::nanoseconds length,
                    effort const& much) {
  load probe{outstanding, std::max<std::size_t>(2000, 4 * outstanding)};
  run_whole(who, probe);
  auto const each = probe.elapsed() / static_cast<double>(probe.completed());
  auto const number = static_cast<std::size_t>(much.of(length) / each);
  return std::clamp<std::size_t>(number, 4 * outstanding, 20'000'000);
}

}  // namespace perf
