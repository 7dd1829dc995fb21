#!/bin/sh
# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Installs what is missing, builds the benchmarks optimised and runs them.
# usage: sh cmake/perf.sh [options of tokengate_perf]   everything, interleaved: about 40 minutes
#        sh cmake/perf.sh --run NAME,...                some workloads only
#        sh cmake/perf.sh --quick                       is all of it right? no figure is looked at
#        sh cmake/perf.sh --instructions                instructions per token, counted by callgrind
# The first two leave rows.json in build/perf, refresh the tables of doc/benchmarks.md and README.md,
# and draw doc/plot/*.svg. With --no-tables they leave the documents alone.
set -eu
cd "$(dirname "$0")/.."
. cmake/install_deps.sh

perf=build/release/perf/tokengate_perf
out=build/perf

perf_build() {
  deps_build
  [ -f build/release/build.ninja ] || cmake --preset release
  cmake --build --preset release --target tokengate_perf -j "$(deps_jobs)"
  mkdir -p "$out"
}

# Contenders, not dependencies: for figures they are wanted, for --quick what is there will do.
perf_contenders() {
  deps_require 'libtbb-dev: oneTBB, a contender' 'libthread-pool-dev: a pool of futures, a contender'
  [ ! -f build/release/build.ninja ] || cmake build/release >/dev/null
}

perf_commit() {
  commit=$(git rev-parse --short HEAD 2>/dev/null) || commit='no commit'
  [ -z "$(git status --porcelain -- include src perf 2>/dev/null)" ] || commit="after $commit"
  echo "$(date -u +%Y-%m-%d), $commit"
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
  for plot in round_trip throughput efficiency; do
    tail -1 "$out/plot/$plot.svg" | grep -q '^</svg>$'
  done
  # The tables can be put into the documents: tried on copies.
  cp doc/benchmarks.md "$out/benchmarks.md"
  cp README.md "$out/readme.md"
  "$perf" --read "$out/quick.json" --tables "$out/benchmarks.md,$out/readme.md" --stamp quick >"$out/tables.txt"
  grep -q 'benchmarks.md:.*round_trip.*refreshed' "$out/tables.txt"
  echo "perf: $(sed -n '/^[a-z]/p' "$out/list.txt" | wc -l) workloads ran, counts and files are right"
}

# The difference of two lengths leaves out start and end. The loop may sleep, and many tokens are out,
# so that hardly any instruction is one of waiting.
instructions() {
  deps_require 'valgrind: counts instructions'
  perf_build
  for variant in tokengate_no_hot asio_callback asio_lean_deferred; do
    for tokens in 20000 60000; do
      valgrind --tool=callgrind --callgrind-out-file="$out/callgrind.$variant.$tokens" \
        "$perf" --run instructions --variant "$variant" --repeat 1 --tokens "$tokens" \
        >"$out/callgrind.txt" 2>&1
    done
    few=$(sed -n 's/^summary: *//p' "$out/callgrind.$variant.20000")
    many=$(sed -n 's/^summary: *//p' "$out/callgrind.$variant.60000")
    echo "$variant: $(((many - few) / 40000)) instructions per token"
  done
}

tables=1
case ${1:-} in
  --quick)
    quick
    exit
    ;;
  --instructions)
    instructions
    exit
    ;;
  --no-tables)
    tables=0
    shift
    ;;
esac

perf_contenders
perf_build
"$perf" --json "$out/rows.json" "$@"
if [ "$tables" = 1 ]; then
  "$perf" --read "$out/rows.json" --plot doc/plot --tables doc/benchmarks.md,README.md \
    --stamp "$(perf_commit)" >"$out/tables.txt"
  tail -2 "$out/tables.txt"
fi
