# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Sourced by demo.sh, test.sh and .ci/run. Offers
#   deps_require "package: why" ...   install what is missing from Debian packages
#   deps_build, deps_ci               the lists that we need
#   deps_contenders                   what the benchmarks compare with, too
#   deps_jobs                         print how many compilers fit in this machine
# Set TOKENGATE_SKIP_DEPS=1 if the dependencies come from elsewhere.

deps_list() {
  for deps_item in "$@"; do
    printf '  %-20s %s\n' "${deps_item%%:*}" "${deps_item#*: }"
  done
}

deps_stop() {
  deps_reason=$1
  shift
  {
    printf 'tokengate: %s\nNeeded:\n' "$deps_reason"
    deps_list "$@"
    echo 'Names are those of Debian 12. With all of it in place, run again with TOKENGATE_SKIP_DEPS=1.'
  } >&2
  exit 1
}

deps_present() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

deps_require() {
  [ "${TOKENGATE_SKIP_DEPS:-0}" = 1 ] && return 0
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    deps_stop 'this is not Debian 12, please install what is needed yourself.' "$@"
  fi

  deps_missing=
  for deps_item in "$@"; do
    deps_present "${deps_item%%:*}" && continue
    [ -n "$deps_missing" ] || echo 'tokengate: Debian packages to install:'
    deps_list "$deps_item"
    deps_missing="$deps_missing ${deps_item%%:*}"
  done
  [ -n "$deps_missing" ] || return 0

  deps_root=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || deps_stop 'installing packages needs root or sudo.' "$@"
    deps_root=sudo
  fi
  # --no-remove: Boost 1.81 replaces another Boost -dev package, which is not ours to decide.
  # shellcheck disable=SC2086
  $deps_root apt-get -q update &&
    $deps_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -q install -y --no-install-recommends --no-remove $deps_missing ||
    deps_stop "apt-get could not install:$deps_missing (is this Debian 12? is another libboost*-dev installed?)" "$@"
}

deps_build() {
  deps_require \
    'g++: the compiler' \
    'cmake: configures the build' \
    'ninja-build: runs the build' \
    'pkg-config: finds hwloc' \
    'libboost1.81-dev: Boost.Asio, Lockfree and Beast, headers only' \
    'libspdlog-dev: logging' \
    'libhwloc-dev: cores, SMT siblings and NUMA nodes' \
    'libgtest-dev: the tests' \
    'libssl-dev: SHA-256 and PBKDF2 in the demo' \
    'zlib1g-dev: gzip in the demo'
}

deps_ci() {
  deps_require \
    'clang-19: the second compiler' \
    'libclang-rt-19-dev: ThreadSanitizer' \
    'clang-tools-19: clang-query for the coroutine lint' \
    'clang-format-14: formatting' \
    'spin: checks the models of the protocols' \
    'gcc: compiles what spin generates'
}

deps_contenders() {
  deps_require \
    'libtbb-dev: oneTBB, a contender in the benchmarks' \
    'libthread-pool-dev: a pool of futures, another one'
}

# One compiler with Asio takes up to 1.5 GB.
deps_jobs() {
  deps_cpus=$(nproc)
  deps_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  if [ -r /sys/fs/cgroup/memory.max ]; then
    deps_limit=$(cat /sys/fs/cgroup/memory.max)
    if [ "$deps_limit" != max ] && [ $((deps_limit / 1024)) -lt "$deps_kib" ]; then
      deps_kib=$((deps_limit / 1024))
    fi
  fi
  deps_fit=$((deps_kib / 1500000))
  [ "$deps_fit" -ge "$deps_cpus" ] && deps_fit=$deps_cpus
  [ "$deps_fit" -ge 1 ] || deps_fit=1
  echo "$deps_fit"
}
