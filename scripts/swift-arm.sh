#!/usr/bin/env bash
# Compiles the Swift sources of stitch to objects for AArch64, to see that they can be: with this machine's toolchain, whose
# library modules are given that architecture's name, since those of another cannot be had everywhere. The objects are of no
# use. Needs scripts/setup-arm.sh. swift-arm.sh [DIRECTORY]: where to build, kept then.
set -euo pipefail
cd "$(dirname "$0")/.."

swift=$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")/swift
resources=$(dirname "$(dirname "$swift")")/lib/swift
work=${1:-}
if [ -z "$work" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work/swift"
for part in "$resources"/*; do
  [ "$(basename "$part")" = linux ] || ln -sfn "$(readlink -f "$part")" "$work/swift/$(basename "$part")"
done
cp -R "$resources/linux" "$work/swift/"
cp -R "$work/swift/linux/x86_64" "$work/swift/linux/aarch64"
# Names within are of a fixed length: one that is as long and read as this architecture's.
find "$work/swift/linux" -name 'x86_64-unknown-linux-gnu.swiftmodule' -type f | while read -r module; do
  to=${module%/*}/aarch64-unknown-linux-gnu.swiftmodule
  LC_ALL=C sed 's/x86_64-unknown-linux-gnu/aarch64-unkown-linux-gnu/g' "$module" >"$to"
done

"$swift" build -c release --no-color-diagnostics --target stitch --triple aarch64-unknown-linux-gnu \
  --scratch-path "$work/build" -Xswiftc -resource-dir -Xswiftc "$work/swift" >"$work/log" 2>&1 || {
  grep -E 'error' "$work/log" >&2 || tail -n 20 "$work/log" >&2
  echo "swift-arm: not everything can be compiled for AArch64" >&2
  exit 1
}
objects=$(find "$work/build/aarch64-unknown-linux-gnu/release" -name '*.swift.o' | wc -l)
echo "swift-arm: $objects objects for AArch64"
