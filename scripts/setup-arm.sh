#!/usr/bin/env bash
# Installs what builds C for AArch64 and runs it, and other x86-64 processors, emulated: for make test-arm alone.
set -euo pipefail

# Headers, start-up files and a linker for AArch64; the compiler itself is the Swift toolchain's clang.
packages=(g++-aarch64-linux-gnu qemu-user)
missing=()
command -v aarch64-linux-gnu-g++ >/dev/null || missing+=("${packages[0]}")
{ command -v qemu-aarch64 && command -v qemu-x86_64; } >/dev/null || missing+=("${packages[1]}")
[ ${#missing[@]} -eq 0 ] && exit 0
command -v apt-get >/dev/null || {
  echo "setup-arm: this is not Debian or Ubuntu: install a cross compiler for aarch64-linux-gnu and qemu-user by other means" >&2
  exit 2
}
command="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null; then
  as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
else
  echo "setup-arm: as an administrator run: apt-get update && $command" >&2
  exit 2
fi
# shellcheck disable=SC2086 # the command is a list of words
"${as_root[@]}" $command >&2 || {
  "${as_root[@]}" apt-get update -q >&2
  "${as_root[@]}" $command >&2
}
