#!/usr/bin/env bash
# Installs what builds C for AArch64 and runs it, and other x86-64 processors, emulated: for make test-arm alone.
set -euo pipefail

# Headers, start-up files and a linker for AArch64; the compiler itself is the Swift toolchain's clang.
packages=(g++-aarch64-linux-gnu qemu-user)
missing=()
command -v aarch64-linux-gnu-g++ >/dev/null || missing+=("${packages[0]}")
{ command -v qemu-aarch64 && command -v qemu-x86_64; } >/dev/null || missing+=("${packages[1]}")
[ ${#missing[@]} -eq 0 ] && exit 0
"$(dirname "$0")/apt-install.sh" setup-arm "a cross compiler for aarch64-linux-gnu and qemu-user" "${missing[@]}"
