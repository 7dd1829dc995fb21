// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "mc/engine.hpp"
#include "mc/mutant.hpp"

/// @file
/// Runs a scenario many times: first a search through all schedules with few preemptions, then
/// random ones. A failure prints its trace and one line that replays it.
///
/// Environment: TOKENGATE_MC_REPLAY=<choices> one run with its trace; TOKENGATE_MC_SEED=<n>;
/// TOKENGATE_MC_FACTOR=<n> multiplies the number of runs, for the night; TOKENGATE_MC_VERBOSE=1
/// shows how many runs there were, and how each mutant was found.

namespace tokengate::mc {

/// One run as the scenario sees it.
class run {
 public:
  explicit run(engine& e) : engine_(e) {}

  /// State that lives as long as the run.
  template <class State, class... Args>
  State& make(Args&&... args) {
    auto made = std::make_shared<State>(std::forward<Args>(args)...);
    State& state = *made;
    kept_.push_back(std::move(made));
    return state;
  }
  void thread(std::string name, std::function<void()> body) {
    engine_.thread(std::move(name), std::move(body));
  }
  /// After all threads have ended.
  void finally(std::function<void()> check) { finally_ = std::move(check); }

  void go() {
    engine_.go();
    if (engine_.failure().empty() && finally_) finally_();
  }

 private:
  engine& engine_;
  std::vector<std::shared_ptr<void>> kept_;
  std::function<void()> finally_;
};

using scenario = std::function<void(run&)>;

struct effort {
  std::uint64_t searched = 200'000;  ///< most runs of the search
  std::uint64_t random = 20'000;
  bounds limit{};
};

struct verdict {
  std::string failure;  ///< empty: all runs passed
  std::string trace;
  std::string replay;
  std::uint64_t seed = 0;  ///< of the failing run, if a random one
  std::uint64_t runs = 0;
  std::uint64_t faults_hit = 0;
  bool complete = false;  ///< the search came to its end
};

class explorer {
 public:
  explorer(scenario what, effort how, const mutant* fault = nullptr)
      : scenario_(std::move(what)), effort_(how) {
    engine_.fault = fault;
  }

  verdict explore() {
    if (const char* text = std::getenv("TOKENGATE_MC_REPLAY")) return replay(text);
    const std::uint64_t factor = number("TOKENGATE_MC_FACTOR", 1);
    engine_.limit = effort_.limit;
    // First no preemption, then one, and so on: most defects need few, and what is cut short then
    // is the search with the most.
    std::uint64_t left = effort_.searched * factor;
    for (unsigned p = 0; p <= effort_.limit.preemptions && left != 0; ++p) {
      engine_.limit.preemptions = p;
      engine_.choose.start_search();
      bool more = true;
      for (; more && left != 0; --left) {
        if (!once()) return failed(0);
        more = engine_.choose.next();
      }
      verdict_.complete = !more && p == effort_.limit.preemptions;
    }
    engine_.limit.preemptions = unlimited;
    const std::uint64_t first = number("TOKENGATE_MC_SEED", 1);
    for (std::uint64_t i = 0; i < effort_.random * factor; ++i) {
      engine_.choose.start_random(first + i);
      if (!once()) return failed(first + i);
    }
    verdict_.faults_hit = engine_.faults_hit;
    return verdict_;
  }

  /// `choices` as printed: most preemptions, or r for a random run; then the choices taken.
  verdict replay(const std::string& choices) {
    engine_.limit = effort_.limit;
    engine_.limit.preemptions =
        choices.starts_with('r') ? unlimited : static_cast<unsigned>(choices.at(0) - '0');
    engine_.tracing = true;
    engine_.choose.start_replay(std::string_view(choices).substr(1));
    once();
    verdict_.failure = engine_.failure();
    verdict_.trace = engine_.steps();
    verdict_.replay = choices;
    verdict_.faults_hit = engine_.faults_hit;
    engine_.tracing = false;
    return verdict_;
  }

 private:
  static constexpr unsigned unlimited = std::numeric_limits<unsigned>::max();

  static std::uint64_t number(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
  }

  bool once() {
    ++verdict_.runs;
    engine_.begin();
    {
      run r(engine_);
      scenario_(r);
      r.go();
    }
    engine_.end();
    return engine_.failure().empty();
  }

  verdict failed(std::uint64_t seed) {
    verdict_.seed = seed;
    const std::uint64_t runs = verdict_.runs;
    engine_.tracing = true;  // the same choices once more, now with a trace
    const std::string found = seed != 0 ? "r" : std::to_string(engine_.limit.preemptions);
    const std::string text = found + engine_.choose.text();
    const std::string first = engine_.failure();
    replay(text);
    EXPECT_EQ(verdict_.failure, first) << "the scenario is not deterministic";
    verdict_.runs = runs;
    return verdict_;
  }

  scenario scenario_;
  effort effort_;
  engine engine_;
  verdict verdict_;
};

inline verdict explore(scenario what, effort how = {}, const mutant* fault = nullptr) {
  return explorer(std::move(what), how, fault).explore();
}

/// What a failed run prints.
inline std::string report(const verdict& v) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::ostringstream out;
  out << v.failure << "\n  run " << v.runs;
  if (v.seed != 0) out << ", seed " << v.seed;
  out << "; step, thread, operation:\n" << v.trace << "  replay: TOKENGATE_MC_REPLAY=" << v.replay;
  if (test != nullptr)
    out << " <this program> --gtest_filter=" << test->test_suite_name() << "." << test->name();
  return out.str();
}

/// For the names of parametrized tests.
inline void PrintTo(const mutant& m, std::ostream* out) {
  *out << m.name;
}

inline bool verbose() {
  return std::getenv("TOKENGATE_MC_VERBOSE") != nullptr;
}

inline void expect_holds(scenario what, effort how = {}) {
#if defined(__SANITIZE_ADDRESS__)
  // There to find mistakes in the protocols' code, not in their order.
  how.searched /= 10;
  how.random /= 10;
#endif
  const verdict v = explore(std::move(what), how);
  if (!v.failure.empty())
    ADD_FAILURE() << report(v);
  else if (!v.replay.empty())
    std::cout << "passes:\n" << v.trace;
  if (verbose())
    std::cout << v.runs << " runs, search " << (v.complete ? "complete\n" : "cut short\n");
}

/// The mutant must be found, for whatever reason.
inline void expect_killed(scenario what, const mutant& fault, effort how = {}) {
  const verdict v = explore(std::move(what), how, &fault);
  EXPECT_FALSE(v.failure.empty()) << "mutant survives: " << fault.name;
  EXPECT_NE(v.faults_hit, 0U) << "mutant was never met: " << fault.name;
  if (verbose()) std::cout << fault.name << ": " << report(v) << "\n";
}

}  // namespace tokengate::mc
