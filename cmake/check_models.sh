#!/bin/sh
# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Runs the Promela models of doc/model. Each says in its first lines what to run and what must come out:
#   // run: -DPROTO=4 -> pass
#   // run: -DPROTO=2 -E -> fail
# -D options go to spin, the others to the verifier (-E: ignore invalid end states).
# A variant that must fail shows that the model can see the defect.
set -eu
cd "$(dirname "$0")/.."
models=${1:-doc/model}
if [ -d "$models" ]; then  # as many models at a time as there are processors
  find "$models" -name '*.pml' -print0 | xargs -0 -n 1 -P "$(nproc)" sh cmake/check_models.sh
  echo 'models: ok'
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
runs=0

model=$models
cp "$model" "$work/model.pml"
# `// run: <flags> -> <result>` becomes `<result> <flags>`.
sed -nE 's|^ *(//)? *run: *(.*[^ ])? *-> *([a-z]+).*|\3 \2|p' "$model" >"$work/plan"
[ -s "$work/plan" ] || { echo "$model has no line '// run: <flags> -> pass|fail'" >&2; exit 1; }
while read -r expected flags; do
  defines=
  options=
  for flag in $flags; do
    case $flag in
      -D*) defines="$defines $flag" ;;
      *) options="$options $flag" ;;
    esac
  done
  # shellcheck disable=SC2086
  (cd "$work" && spin -a $defines model.pml && gcc -O1 -w -DSAFETY -o pan pan.c) >"$work/build" 2>&1 ||
    { cat "$work/build" >&2; exit 1; }
  # shellcheck disable=SC2086
  (cd "$work" && ./pan -m2000000 -w24 $options) >"$work/out" 2>&1 || true
  if grep -qE 'errors: 0$' "$work/out"; then got=pass; else got=fail; fi
  if grep -qE 'max search depth too small|out of memory|Search not completed' "$work/out" && [ $got = pass ]; then
    got=incomplete
  fi
  grep -q 'errors:' "$work/out" || got=broken
  if [ "$got" != "$expected" ]; then
    cat "$work/out" >&2
    echo "models: $model $flags: expected $expected, got $got" >&2
    exit 1
  fi
  printf 'models: %s %s: %s, as expected\n' "$(basename "$model")" "$flags" "$got"
  runs=$((runs + 1))
done <"$work/plan"
echo "models: $(basename "$models"): ok ($runs runs)"
