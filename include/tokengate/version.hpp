// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

/// The version of this header, readable by the preprocessor and by CMakeLists.txt, which takes the
/// project version from these three lines.
#define TOKENGATE_VERSION_MAJOR 0
#define TOKENGATE_VERSION_MINOR 1
#define TOKENGATE_VERSION_PATCH 0

/// One number to compare: 10000 * major + 100 * minor + patch.
#define TOKENGATE_VERSION \
  (TOKENGATE_VERSION_MAJOR * 10000 + TOKENGATE_VERSION_MINOR * 100 + TOKENGATE_VERSION_PATCH)
