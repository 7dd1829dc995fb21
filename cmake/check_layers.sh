#!/bin/sh
# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# The rules of doc/architecture.md that a compiler does not enforce. Prints each offence, fails if any.
set -eu
cd "$(dirname "$0")/.."
CXX=${CXX:-g++}
failed=0

offence() {
  printf '%s\n' "$1" | sed "s/^/$2: /"
  failed=1
}

# Without comments: `// ...` and the lines of a block comment.
code() {
  grep -nE "$1" -r "$2" --include='*.hpp' --include='*.cpp' | grep -vE '^[^:]+:[0-9]+: *(//|\*|/\*)' |
    grep -vE "//.*($1)" || true
}

# 1. The cores, the worker side and every source but the shells do not see Asio, not even through a
#    header they include.
shells='gate* operation* *drain* loop* return* guard* flow_var* turn_queue* thread_wait*'
files=$(find include/tokengate/detail include/tokengate/worker_pool*.hpp -name '*.hpp' 2>/dev/null || true)
for file in src/*.?pp; do
  for shell in $shells; do
    # shellcheck disable=SC2254
    case $(basename "$file") in $shell) continue 2 ;; esac
  done
  files="$files $file"
done
for file in $files; do
  if ! depends=$("$CXX" -std=c++20 -DSPDLOG_FMT_EXTERNAL -Iinclude -Isrc -M -x c++ "$file" 2>&1); then
    offence "$depends" 'does not preprocess'
  elif printf '%s\n' "$depends" | grep -q 'boost/asio'; then
    offence "$file" 'Asio below the shells'
  fi
done

# 2. Every ordering is on an atomic operation: a sanitizer does not model a fence, and a reader neither.
found=$(for dir in include src; do code 'atomic_(thread|signal)_fence' $dir; done)
[ -z "$found" ] || offence "$found" 'stand-alone fence'

# 3. A test that sleeps is slow when it passes and wrong when the machine is busy.
found=$(code '(sleep_for|sleep_until|usleep|nanosleep|::sleep) *\(|[ ;{]sleep *\([0-9]' test)
[ -z "$found" ] || offence "$found" 'sleep in a test'

# 4. Two concepts in one file: worth a look, not an error.
find include src test example perf -name '*.hpp' -o -name '*.cpp' | sort | while read -r file; do
  case $file in
    *.hpp) limit=300 ;;
    test/*) limit=400 ;;
    *) limit=250 ;;
  esac
  lines=$(wc -l <"$file")
  [ "$lines" -le $limit ] || echo "note: $file has $lines lines, the guideline is $limit"
done

[ $failed = 0 ] && echo 'layers: ok'
exit $failed
