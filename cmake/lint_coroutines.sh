#!/bin/sh
# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Finds the coroutine expressions that g++ 12 compiles into a double free or skips (see README.md).
# usage: sh cmake/lint_coroutines.sh [clang build folder] [file ...]
# Without files: every file of example/, test/ and the documents' snippets. The build folder needs
# compile_commands.json and, if it uses one, its precompiled header.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/clang}
[ $# -eq 0 ] || shift
query=${CLANG_QUERY:-clang-query-19}

files=
batches=
if [ $# -eq 0 ]; then
  # Tests in the batches in which they are compiled: less time than one by one. A folder may still hold
  # batches of an earlier configuration.
  for batch in $(find "$build/test/CMakeFiles" -name 'unity_*_cxx.cxx' 2>/dev/null | sort); do
    grep -qF "${batch#"$build"}\"" "$build/compile_commands.json" || continue
    # shellcheck disable=SC2046
    if grep -q co_await /dev/null $(sed -n 's/^#include "\(.*\)"$/\1/p' "$batch"); then
      batches="$batches $batch"
      files="$files $batch"
    fi
  done
  # shellcheck disable=SC2046
  set -- $(find example test "$build/test/snippet" -name '*.cpp' \
    -not -path 'test/compile_fail/*' -not -path 'test/consumer/*' 2>/dev/null | sort)
fi
for file in "$@"; do
  # Only files that have a coroutine; the rest is not worth a parse.
  if grep -q co_await "$file" && ! grep -qsF "\"$PWD/$file\"" /dev/null $batches; then
    files="$files $file"
  fi
done
if [ -z "$files" ]; then
  echo 'coroutine lint: no coroutines'
  exit 0
fi

# A temporary with a destructor is bound (cxxBindTemporaryExpr); trivially destructible ones are safe.
# One match, because each walks through all of Asio; `here` is last, because it compares names.
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cat >"$out/queries" <<'Q'
set output diag
set bind-root false
let here anyOf(isExpansionInMainFile(), isExpansionInFileMatching("(^|/)(example|test)/"))
let awaits anyOf(coawaitExpr(), hasDescendant(coawaitExpr()))
let temporaries coawaitExpr(eachOf(hasDescendant(cxxBindTemporaryExpr(has(lambdaExpr())).bind("lambda with a destructor inside co_await: name it first")), hasDescendant(cxxBindTemporaryExpr(has(initListExpr())).bind("aggregate with a destructor inside co_await: name it first"))))
let braces anyOf(initListExpr(hasDescendant(coawaitExpr())), cxxConstructExpr(isListInitialization(), hasDescendant(coawaitExpr())))
let conditions anyOf(ifStmt(anyOf(hasCondition(expr(awaits)), hasConditionVariableStatement(hasDescendant(coawaitExpr())))), whileStmt(hasCondition(expr(awaits))), doStmt(hasCondition(expr(awaits))), forStmt(hasCondition(expr(awaits))), switchStmt(hasCondition(expr(awaits))))
match stmt(anyOf(temporaries, stmt(braces).bind("co_await inside braces: name the result first"), stmt(conditions).bind("co_await in a condition: name the result first"), conditionalOperator(hasDescendant(coawaitExpr())).bind("co_await in ?: : write an if with named results"), cxxNewExpr(hasDescendant(coawaitExpr())).bind("co_await in new: name the result first")), here)
Q
# As many at a time as there are processors, each with a few files.
export out query build
# shellcheck disable=SC2016
printf '%s\n' $files | xargs -P "$(nproc)" -n 2 sh -c '
  "$query" -p "$build" -f "$out/queries" "$@" >"$out/$$.log" 2>&1 || touch "$out/failed"' sh
if [ -e "$out/failed" ] || grep -h -E 'error:|note: "' "$out"/*.log; then
  [ ! -e "$out/failed" ] || cat "$out"/*.log
  echo 'coroutine lint: see above, and the table of g++ 12 rules in README.md' >&2
  exit 1
fi
echo "coroutine lint: ok ($(echo $files | wc -w) files)"
