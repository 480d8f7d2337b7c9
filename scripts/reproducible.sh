#!/usr/bin/env bash
# Builds stitch twice, in two clean clones of the last commit at one and the same place, and compares the programs section by
# section. Exit code 1: what is loaded into memory differs. A quarter of an hour and more. WORK: where the clones are made (a
# new directory below /var/tmp); PRODUCT: what is built (stitch).
#
# The Swift compiler compiles the headers of C modules, and what it makes of one has a signature that debug information
# names and that depends on when the headers were written, among them one that is written while building. It is told to
# leave the time out.
set -euo pipefail
cd "$(dirname "$0")/.."

swift=${SWIFT:-swift} product=${PRODUCT:-stitch}
without_times=(-Xswiftc -Xcc -Xswiftc -Xclang -Xswiftc -Xcc -Xswiftc -fno-pch-timestamp)
work=$(mktemp -d "${WORK:-/var/tmp}/stitch-reproducible-XXXXXX")
trap 'rm -rf "$work"' EXIT

commit=$(git rev-parse HEAD)
for number in 1 2; do
  git clone -q --no-hardlinks . "$work/clone"
  git -C "$work/clone" checkout -q "$commit"
  mkdir "$work/clone/.build"
  # Packages are fetched once.
  for part in checkouts repositories workspace-state.json; do
    [ ! -e ".build/$part" ] || cp -R ".build/$part" "$work/clone/.build/"
  done
  echo "reproducible: build $number of 2" >&2
  (cd "$work/clone" && "$swift" build -c release --no-color-diagnostics --product "$product" "${without_times[@]}" \
    >"$work/log" 2>&1) || { tail -n 20 "$work/log" >&2; exit 2; }
  cp "$work/clone/.build/release/$product" "$work/program$number"
  rm -rf "$work/clone"
done
sha256sum "$work/program1" "$work/program2" | sed "s| .*/program| build |"
cmp "$work/program1" "$work/program2" && echo "$product: the same bytes" && exit
python3 scripts/reproducible.py "$work/program1" "$work/program2"
