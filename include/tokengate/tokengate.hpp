// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

/// @file
/// Everything.

#include "tokengate/error.hpp"
#include "tokengate/flow_var.hpp"
#include "tokengate/gate.hpp"
#include "tokengate/guard.hpp"
#include "tokengate/lazy_token.hpp"
#include "tokengate/logging.hpp"
#include "tokengate/operation.hpp"
#include "tokengate/snapshot.hpp"
#include "tokengate/this_token.hpp"
#include "tokengate/token_options.hpp"
#include "tokengate/version.hpp"
#include "tokengate/weight.hpp"
#include "tokengate/worker_pool.hpp"
