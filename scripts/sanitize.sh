#!/usr/bin/env bash
# Builds everything under a sanitizer and runs the tests: `scripts/sanitize.sh undefined address thread`.
# address, thread: C and Swift. undefined: C alone, under the address sanitizer, too; Swift checks such things itself.
# FILTER names the tests to run. PLACE is the build folder (default: .build/sanitize-KIND). scripts/sanitizers says which
# tests are not run and what is none of ours, with reasons.
# Exit code 1: something was reported, or a test failed. The figures go to docs/measurements/sanitizers.json.
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
clang=$(dirname "$(readlink -f "$(command -v "$swift")")")/clang
rules="$PWD/scripts/sanitizers"
status=0
servers='^(RemoteChatTests|ServingTests)[.]'

left_out() { # KIND: names of tests that are not run under it, from its file
  sed -n 's/^# not run: //p' "$rules/$1.txt"
}

for kind in "$@"; do
  case $kind in
    address) mark=__asan_init ;;
    undefined) mark=__ubsan_handle_ ;;
    thread) mark=__tsan_init ;;
    *) echo "sanitize: address, undefined or thread, not $kind" >&2; exit 2 ;;
  esac
  place=${PLACE:-.build/sanitize-$kind}
  how=(-c release --no-color-diagnostics --scratch-path "$place")
  # swiftc knows no undefined sanitizer here: Package.swift asks the C compiler.
  if [ "$kind" = undefined ]; then export STITCH_SANITIZE_C=undefined,address; else how+=(--sanitize "$kind"); fi
  "$swift" build "${how[@]}" --build-tests
  # The programs that tests start lie beside the tests, and are found there.
  for program in stitch stitch-serve stitchPackageTests.xctest; do
    if [ "$(nm "$place/release/$program" | grep -c "$mark")" -eq 0 ]; then
      echo "sanitize: $place/release/$program: built without the $kind sanitizer" >&2
      exit 2
    fi
  done
  reports=$place/reports
  rm -rf "$reports"
  mkdir -p "$reports"
  log=$place/tests.log
  # Of every process that a test starts, too: each writes its reports to a file of its own and goes on.
  common="log_path=$PWD/$reports/report:halt_on_error=0:exitcode=0"
  # Tests send these to programs, which have handlers of their own; a fault ends a program, and the test fails.
  common+=:handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_sigfpe=0:handle_abort=0
  # Leaks: Swift keeps what it makes once, on purpose, until the process ends.
  export ASAN_OPTIONS="$common:detect_leaks=0:suppressions=$rules/address.txt"
  export UBSAN_OPTIONS="$common:print_stacktrace=1:suppressions=$rules/undefined.txt"
  export TSAN_OPTIONS="$common:suppressions=$rules/thread.txt:second_deadlock_stack=1"
  export SWIFT_BACKTRACE=enable=no OPENBLAS_NUM_THREADS=1
  preload=
  if [ "$kind" = thread ]; then
    preload=$PWD/$place/swift_order.so
    "$clang" -O2 -Wall -Wextra -Werror -shared -fPIC Tests/Sanitizers/swift_order.c -o "$preload"
  fi
  skipped=()
  while read -r name; do skipped+=(--skip "$name"); done < <(left_out "$kind")
  code=0
  tests() { # ARGUMENT...: which of them; goes on after a failure
    LD_PRELOAD=$preload "$swift" test --skip-build "${how[@]}" "${skipped[@]}" "$@" >>"$log" 2>&1 || code=$?
  }
  : >"$log"
  if [ -n "${FILTER:-}" ]; then
    tests --filter "$FILTER"
  else
    # Tests of commands hold the few threads that servers within the tests answer on: those run by themselves.
    tests --skip "$servers"
    tests --filter "$servers"
  fi
  unset STITCH_SANITIZE_C
  python3 scripts/sanitizer_figures.py "$kind" "$log" "$reports" "$code" $((${#skipped[@]} / 2)) "${FILTER:-}" || status=1
done
python3 scripts/reliability.py
exit $status
