#!/usr/bin/env bash
# Builds everything under a sanitizer, in a folder of its own, and runs the tests: `scripts/sanitize.sh address undefined`.
# FILTER names the tests to run (default: all). What is known to be none of ours stands in scripts/sanitizers, with reasons.
# Exit code 1: something was reported. The figures go to docs/measurements/sanitizers.json.
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
rules="$PWD/scripts/sanitizers"
status=0

for kind in "$@"; do
  case $kind in
    address | undefined | thread) ;;
    *) echo "sanitize: address, undefined or thread, not $kind" >&2; exit 2 ;;
  esac
  place=.build/sanitize-$kind
  "$swift" build -c release --no-color-diagnostics --scratch-path "$place" --sanitize "$kind" --build-tests
  reports=$place/reports
  rm -rf "$reports"
  mkdir -p "$reports"
  log=$place/tests.log
  common="log_path=$PWD/$reports/report:halt_on_error=0:exitcode=0"
  # Leaks: Swift keeps what it makes once, on purpose, until the process ends.
  export ASAN_OPTIONS="$common:detect_leaks=0:suppressions=$rules/address.txt"
  export UBSAN_OPTIONS="$common:print_stacktrace=1:suppressions=$rules/undefined.txt"
  export TSAN_OPTIONS="$common:suppressions=$rules/thread.txt:second_deadlock_stack=1"
  export SWIFT_BACKTRACE=enable=no OPENBLAS_NUM_THREADS=1
  code=0
  "$swift" test -c release --skip-build --no-color-diagnostics --scratch-path "$place" --sanitize "$kind" \
    ${FILTER:+--filter "$FILTER"} >"$log" 2>&1 || code=$?
  # libubsan of C alone writes to standard error.
  found=$( (cat "$reports"/report* 2>/dev/null; cat "$log") | grep -cE 'runtime error:|(ERROR|WARNING): (Address|Thread)Sanitizer' || true)
  ran=$(grep -oE 'Test run with [0-9]+ tests' "$log" | grep -oE '[0-9]+' | tail -n 1 || true)
  echo "sanitize: $kind: ${ran:-no} tests, $found reports, status $code; $log, $reports"
  python3 - "$kind" "${ran:-0}" "$found" "$code" "${FILTER:-}" <<'PYTHON'
import json, pathlib, sys
kind, ran, found, code, which = sys.argv[1:]
place = pathlib.Path("docs/measurements/sanitizers.json")
document = json.loads(place.read_text()) if place.exists() else {}
document[kind] = {"tests": int(ran), "reports": int(found), "status": int(code), "filter": which}
place.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
PYTHON
  if [ "$found" -gt 0 ] || [ "$code" -ne 0 ]; then status=1; fi
done
python3 scripts/reliability.py
exit $status
