#!/usr/bin/env bash
# The rules of CONTRIBUTING.md that a program can check: formatting, then what scripts/lint.py looks for.
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
status=0

if ! "$swift" format --version >/dev/null 2>&1; then
  echo "lint: '$swift format' is missing; it comes with Swift 6" >&2
  status=1
elif ! "$swift" format lint --strict --parallel --recursive Sources Tests Tools Package.swift; then
  echo "lint: 'make format' formats what can be formatted" >&2
  status=1
fi
python3 scripts/lint.py || status=1
exit $status
