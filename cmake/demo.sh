#!/bin/sh
# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Installs what is missing, builds the demo server optimised and runs its proof.
# What is done already is skipped. Arguments replace --proof.
set -eu
cd "$(dirname "$0")/.."
. cmake/install_deps.sh

deps_build
[ -f build/release/build.ninja ] || cmake --preset release
cmake --build --preset release --target offload_server -j "$(deps_jobs)"
[ $# -gt 0 ] || set -- --proof
exec build/release/example/offload_server/offload_server "$@"
