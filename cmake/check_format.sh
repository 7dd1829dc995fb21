#!/bin/sh
# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Checks formatting with clang-format 14, the version of Debian 12. `sh cmake/check_format.sh -i` repairs it.
set -eu
cd "$(dirname "$0")/.."
[ "${1:-}" = -i ] && mode=-i || mode='--dry-run --Werror'
# shellcheck disable=SC2086
find include src test perf example cmake \( -name '*.hpp' -o -name '*.cpp' \) -print0 |
  xargs -0 -r "${CLANG_FORMAT:-clang-format-14}" --style=file $mode
echo 'format: ok'
