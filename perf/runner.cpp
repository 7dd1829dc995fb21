// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "runner.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <stdexcept>

#include "load.hpp"
#include "runs.hpp"

namespace perf {
namespace {

/// One line on the terminal that replaces itself; silent when nobody watches.
class progress {
 public:
  progress() = default;
  progress(progress const&) = delete;
  progress& operator=(progress const&) = delete;
  ~progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }

  void show(std::string const& workload, std::string const& variant, std::size_t round,
            std::size_t rounds) const {
    if (shown_)
      std::fprintf(stderr, "\r\033[K%s  round %zu of %zu  %s", workload.c_str(), round, rounds,
                   variant.c_str());
  }

 private:
  bool shown_ = isatty(STDERR_FILENO) == 1;
};

bool takes_part(variant const& who, options const& how) {
  auto const& names = how.variants;
  return names.empty() || std::find(names.begin(), names.end(), who.name) != names.end();
}

/// Every token that came back has run once, and none that was refused has.
sample measured(variant const& who, effort const& much) {
  auto const ran = functions_run();
  auto const back = load::all_completed();
  auto const found = who.measure(much);
  auto const runs = functions_run() - ran;
  auto const tokens = load::all_completed() - back;
  if (runs != tokens)
    throw std::runtime_error(std::to_string(tokens) + " tokens came back, " + std::to_string(runs) +
                             " functions have run");
  return found;
}

}  // namespace

std::vector<row> run_workload(workload const& what, options const& how) {
  std::vector<record> records;
  for (auto const& who : what.variants)
    if (takes_part(who, how)) records.push_back({&who, {}});

  progress line;
  std::mt19937 random{how.seed};
  std::vector<std::size_t> order(records.size());
  for (std::size_t at = 0; at < order.size(); ++at) order[at] = at;
  for (std::size_t round = 1; round <= how.repeat; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (auto at : order) {
      auto& each = records[at];
      line.show(what.name, each.who->name, round, how.repeat);
      try {
        each.runs.push_back(measured(*each.who, {how.scale, how.tokens}));
      } catch (std::exception const& error) {
        throw std::runtime_error(what.name + ", " + each.who->name + ": " + error.what());
      }
    }
  }
  return summarise(what, records);
}

}  // namespace perf
