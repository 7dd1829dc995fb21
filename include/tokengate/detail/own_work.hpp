// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "tokengate/token_options.hpp"

namespace tokengate::detail {

/// How the library admits what it issues for itself: the turn of an actor, the runner of a
/// subscription, the work of a stage. Behind such a token are messages that were accepted, so a
/// gate that is full delays it and does not refuse it: it waits for a place whatever the bound of
/// the waiting room. Nothing becomes unbounded by that: an actor has one turn out, a subscription
/// and a stage as many tokens as their concurrency allows. Nor is it killed before it starts; whose
/// work it is can be stopped.
inline constexpr admission own_work{3};

}  // namespace tokengate::detail
