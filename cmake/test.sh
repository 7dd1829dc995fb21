#!/bin/sh
# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Installs what is missing, builds one preset (release unless named) with its tests and runs them.
# usage: sh cmake/test.sh [preset] [options of ctest]
# Options for the configuration go into TOKENGATE_CMAKE_ARGS.
set -eu
cd "$(dirname "$0")/.."
. cmake/install_deps.sh

preset=release
case ${1:-} in
  '' | -*) ;;
  *) preset=$1 && shift ;;
esac

deps_build
jobs=$(deps_jobs)
if [ -n "${TOKENGATE_CMAKE_ARGS:-}" ] || [ ! -f "build/$preset/build.ninja" ]; then
  # shellcheck disable=SC2086
  cmake --preset "$preset" ${TOKENGATE_CMAKE_ARGS:-}
fi
cmake --build --preset "$preset" -j "$jobs"
ctest --preset "$preset" -j "$(nproc)" "$@"
