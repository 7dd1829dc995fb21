#!/bin/sh
# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Installs what is missing, builds the benchmarks optimised and runs them.
# usage: sh cmake/perf.sh [options of tokengate_perf]   everything, interleaved: about 50 minutes
#        sh cmake/perf.sh --run NAME,...                some workloads only
#        sh cmake/perf.sh --instructions [--tokens N]   instructions per token, counted by callgrind
#        sh cmake/perf.sh --statistics [options]        what always-on statistics cost
#        sh cmake/perf.sh --quick                       is all of it right? no figure is looked at
# All but the last put what is new to what was measured before (build/perf/*.json), refresh the tables
# of doc/benchmarks.md and README.md, and draw doc/plot/*.svg; not so a run that is too short to quote,
# or that leaves contenders out. With --no-tables first they leave the documents alone.
set -eu
cd "$(dirname "$0")/.."
. cmake/install_deps.sh

perf=build/release/perf/tokengate_perf
bare=build/release-no-statistics
out=build/perf

perf_build() {
  deps_build
  [ -f build/release/build.ninja ] || cmake --preset release
  cmake --build --preset release --target tokengate_perf -j "$(deps_jobs)"
  mkdir -p "$out"
}

# Contenders, not dependencies: for figures they are wanted, for --quick what is there will do.
perf_contenders() {
  deps_contenders
  [ ! -f build/release/build.ninja ] || cmake build/release >/dev/null
}

perf_commit() {
  commit=$(git rev-parse --short HEAD 2>/dev/null) || commit='no commit'
  [ -z "$(git status --porcelain -- include src perf 2>/dev/null)" ] || commit="after $commit"
  echo "$(date -u +%Y-%m-%d), $commit"
}

# Why a run with these options is nothing to quote; empty when it is.
perf_unfit() {
  while [ $# -gt 0 ]; do
    case $1 in
      --variant) echo "$1 leaves contenders out" ;;
      --scale) awk -v is="${2:-1}" 'BEGIN { exit !(is < 1) }' && echo "--scale $2 is below 1" ;;
      --repeat) [ "${2:-10}" -ge 10 ] || echo "--repeat $2 is below 10" ;;
      --tokens) [ "${2:-20000}" -ge 20000 ] || echo "--tokens $2 is below 20000" ;;
    esac
    shift
  done
}

# perf_keep NAME OPTION...: $out/new.json joins $out/NAME.json, and the documents are refreshed.
perf_keep() {
  kept=$1
  shift
  unfit=$(perf_unfit "$@" | paste -sd';' -)
  if [ -n "$unfit" ]; then
    echo "perf: $unfit: what came out is in $out/new.json only, documents and plots stay as they are"
    return
  fi
  earlier=
  [ ! -f "$out/$kept.json" ] || earlier=$out/$kept.json,
  "$perf" --read "$earlier$out/new.json" --json "$out/merged.json" >/dev/null
  mv "$out/merged.json" "$out/$kept.json"
  [ "$tables" = 1 ] || return 0
  all=
  for each in rows instructions statistics; do
    [ ! -f "$out/$each.json" ] || all=$all${all:+,}$out/$each.json
  done
  "$perf" --read "$all" --fresh "$out/new.json" --plot doc/plot \
    --tables doc/benchmarks.md,README.md --stamp "$(perf_commit)" >"$out/tables.txt"
  tail -2 "$out/tables.txt"
}

measure() {
  perf_contenders
  perf_build
  rm -f "$out/new.json"
  "$perf" --json "$out/new.json" "$@"
  [ ! -f "$out/new.json" ] || perf_keep rows "$@"
}

# Lines of "variant count" become rows.
instruction_rows() {
  awk '{ name[NR] = $1; count[NR] = $2
         if ($1 ~ /^asio_/ && (!best || $2 < best)) best = $2 }
    END { print "["
      for (i = 1; i <= NR; ++i) {
        printf "  {\"workload\": \"instructions\", \"variant\": \"%s\", ", name[i]
        printf "\"metric\": \"instructions_per_token\", \"median\": %.9g, \"mad\": 0, ", count[i]
        printf "\"runs\": 1, \"unit\": \"count\", "
        printf "\"ratio_to_best_stock\": %.9g}%s\n", best / count[i], i < NR ? "," : ""
      }
      print "]" }'
}

# The difference of two lengths leaves out start and end. The loop may sleep, and many tokens are out,
# so that hardly any instruction is one of waiting.
instructions() {
  deps_require 'valgrind: counts instructions'
  perf_build
  few=20000
  [ "${1:-}" != --tokens ] || few=$2
  many=$((3 * few))
  : >"$out/instructions.txt"
  for variant in tokengate_no_hot asio_callback asio_lean_deferred asio_two_hops_deferred; do
    for tokens in "$few" "$many"; do
      valgrind --tool=callgrind --callgrind-out-file="$out/callgrind.$variant.$tokens" \
        "$perf" --run instructions --variant "$variant" --repeat 1 --tokens "$tokens" \
        >"$out/callgrind.txt" 2>&1
    done
    counts=$(sed -n 's/^summary: *//p' "$out/callgrind.$variant.$many" "$out/callgrind.$variant.$few")
    # shellcheck disable=SC2086
    set -- $counts
    echo "$variant $((($1 - $2) / (many - few)))" >>"$out/instructions.txt"
  done
  cat "$out/instructions.txt"
  instruction_rows <"$out/instructions.txt" >"$out/new.json"
  perf_keep instructions --tokens "$few"
}

# One run of the program as it is or without statistics, for the round of that number.
statistics_run() {
  which=$1
  round=$2
  shift 2
  program=$perf
  [ "$which" = with ] || program=$bare/perf/tokengate_perf
  "$program" --run throughput_callback_32,throughput_callback_256,throughput_callback_4096 \
    --variant tokengate "$@" --repeat 1 --json "$out/$which.$round.json" >/dev/null
}

# Two programs, in turn; who begins changes with each round.
statistics() {
  perf_build
  [ -f "$bare/build.ninja" ] || cmake --preset release -B "$bare" -DTOKENGATE_STATISTICS=OFF \
    -DTOKENGATE_BUILD_TESTS=OFF -DTOKENGATE_BUILD_EXAMPLES=OFF
  cmake --build "$bare" --target tokengate_perf -j "$(deps_jobs)"
  rounds=10
  previous=
  for word in "$@"; do
    [ "$previous" != --repeat ] || rounds=$word
    previous=$word
  done
  with=
  without=
  round=1
  while [ "$round" -le "$rounds" ]; do
    order='with without'
    [ $((round % 2)) = 1 ] || order='without with'
    for which in $order; do statistics_run "$which" "$round" "$@"; done
    with=$with${with:+,}$out/with.$round.json
    without=$without${without:+,}$out/without.$round.json
    round=$((round + 1))
  done
  "$perf" --with "$with" --without "$without" --json "$out/new.json"
  perf_keep statistics "$@"
}

quick() {
  perf_build
  "$perf" --list >"$out/list.txt"
  names=$(sed -n '/^[a-z]/p' "$out/list.txt" | paste -sd, -)
  # Every workload fails by itself when a token is lost, or a function did not run exactly once.
  "$perf" --run "$names" --repeat 2 --scale 0.01 --json "$out/quick.json" >"$out/quick.txt" || {
    tail -5 "$out/quick.txt" >&2
    exit 1
  }
  # Well formed, and nobody is missing.
  "$perf" --read "$out/quick.json" --run "$names" --plot "$out/plot" >/dev/null
  for plot in round_trip throughput throughput_cpu efficiency; do
    tail -1 "$out/plot/$plot.svg" | grep -q '^</svg>$'
  done
  # What two programs or callgrind would have counted: any figures do for the form.
  "$perf" --with "$out/quick.json" --without "$out/quick.json" --json "$out/quick_statistics.json" >/dev/null
  printf '%s\n' 'tokengate_no_hot 1' 'asio_callback 2' | instruction_rows >"$out/quick_instructions.json"
  # The tables can be put into the documents: tried on copies.
  cp doc/benchmarks.md "$out/benchmarks.md"
  cp README.md "$out/readme.md"
  "$perf" --read "$out/quick.json,$out/quick_instructions.json,$out/quick_statistics.json" \
    --tables "$out/benchmarks.md,$out/readme.md" --stamp quick >"$out/tables.txt"
  for block in $(sed -n 's/^<!-- figures:begin \([a-z_]*\) -->$/\1/p' doc/benchmarks.md); do
    grep -q "benchmarks.md:.* $block .*refreshed" "$out/tables.txt"
  done
  grep -q 'readme.md:.* summary .*refreshed' "$out/tables.txt"
  echo "perf: $(sed -n '/^[a-z]/p' "$out/list.txt" | wc -l) workloads ran, counts and files are right"
}

tables=1
if [ "${1:-}" = --no-tables ]; then
  tables=0
  shift
fi
case ${1:-} in
  --quick) quick ;;
  --instructions)
    shift
    instructions "$@"
    ;;
  --statistics)
    shift
    statistics "$@"
    ;;
  *) measure "$@" ;;
esac
