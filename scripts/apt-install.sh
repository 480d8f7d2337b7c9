#!/usr/bin/env bash
# Installs Debian packages for another script, as an administrator or by sudo, and says what to do where neither is possible.
#
#   scripts/apt-install.sh NAME ELSEWHERE PACKAGE…
#
# NAME is who says so; ELSEWHERE is what to install where there is no apt.
set -euo pipefail

name=$1 elsewhere=$2
shift 2
command -v apt-get >/dev/null || {
  echo "$name: this is not Debian or Ubuntu: install $elsewhere by other means" >&2
  exit 2
}
install=(apt-get install -y --no-install-recommends "$@")
if [ "$(id -u)" -eq 0 ]; then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null; then
  as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
else
  echo "$name: as an administrator run: apt-get update && ${install[*]}" >&2
  exit 2
fi
"${as_root[@]}" "${install[@]}" >&2 || {
  "${as_root[@]}" apt-get update -q >&2
  "${as_root[@]}" "${install[@]}" >&2
}
