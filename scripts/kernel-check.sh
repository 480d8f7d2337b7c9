#!/usr/bin/env bash
# Checks the C of stitch on processors that this machine does not have, emulated by qemu-user: every kernel of every
# instruction set against double precision, the choice of one when the program starts, and that processors which do the
# same arithmetic answer with the same bits. scripts/setup-arm.sh installs what it needs.
# `kernel-check.sh undefined`: on this machine alone, under the undefined behaviour sanitizer; needs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# The compiler that builds stitch, on any machine.
clang=$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")/clang
[ -x "$clang" ] || clang=clang
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "${1:-}" = undefined ]; then
  # Pages that cannot be touched stand behind what the check gives the kernels. What takes the compiler minutes is left out.
  flags=(-O1 -fsanitize=undefined -fno-sanitize=null,object-size,pointer-overflow -fno-sanitize-recover=undefined)
  printf '%s\n' Tests/KernelCheck/*.c Sources/CKernels/*.c | xargs -P "$(nproc)" -I{} sh -c \
    'source=$1 work=$2; shift 2; exec "$@" -c "$source" -o "$work/$(basename "$source").o"' sh {} "$work" \
    "$clang" "${flags[@]}" -Wno-psabi -ISources/CKernels/include -ITests/KernelCheck
  "$clang" "${flags[@]}" "$work"/*.o -o "$work/kernel-check" -lm -lpthread
  "$work/kernel-check"
  exit
fi

compile() { # TARGET OPTIONS…
  "$clang" --target="$1" -O2 -Wall -Wextra -Werror -Wno-psabi -ISources/CKernels/include -ITests/KernelCheck \
    Tests/KernelCheck/*.c Sources/CKernels/*.c -o "$work/kernel-check-$1" -lm -lpthread "${@:2}"
}
compile "$(uname -m)-linux-gnu"
compile aarch64-linux-gnu -static
compile x86_64-linux-gnu -static

# The other shims are built only: they are calls of libraries that are not here for AArch64.
for file in Sources/{CMemory,CTerminal,CTextWidth,COpenBLAS,COpenMPI,COniguruma}/*.c Sources/CSentencePiece/*.cpp; do
  "$clang" --target=aarch64-linux-gnu -O2 -Wall -Wextra -Werror -I"$(dirname "$file")/include" -c "$file" -o "$work/shim.o"
done
echo "shims: built for aarch64: CMemory CTerminal CTextWidth COpenBLAS COpenMPI COniguruma CSentencePiece"

check() { # WHERE EXPECTED COMMAND…
  echo "== $1"
  "${@:3}" "$2" 2>"$work/errors" | tee "$work/output" || {
    grep -v "TCG doesn't support" "$work/errors" >&2 || true
    echo "kernel-check: $1: failed" >&2
    exit 1
  }
  cat "$work/output" >>"$work/all"
}

x86=$work/kernel-check-x86_64-linux-gnu arm=$work/kernel-check-aarch64-linux-gnu
echo "== this machine"
"$work/kernel-check-$(uname -m)-linux-gnu" | tee -a "$work/all"

# qemu's masked loads touch what the mask leaves out: no guards behind memory there.
check "x86-64, no AVX (Nehalem)" "baseline" qemu-x86_64 -cpu Nehalem "$x86" --without-guards
check "x86-64, AVX without AVX2 (SandyBridge)" "baseline" qemu-x86_64 -cpu SandyBridge "$x86" --without-guards
check "x86-64, AVX2 without AVX-512 (Haswell)" "baseline, AVX2" qemu-x86_64 -cpu Haswell "$x86" --without-guards
check "AArch64 (Cortex-A72)" "baseline, NEON" qemu-aarch64 -cpu cortex-a72 "$arm"
check "AArch64 with dot products (Neoverse N1)" "baseline, NEON, NEON dot product" qemu-aarch64 -cpu neoverse-n1 "$arm"
check "AArch64 with I8MM and BF16 (all that qemu has)" \
  "baseline, NEON, NEON dot product, NEON I8MM, NEON BF16" qemu-aarch64 -cpu max "$arm"

# Which tables do the same arithmetic: without and with fused multiply-add; with activations as they are, in words of 16
# bits, in two bytes.
same() { # WHAT COLUMN NAMES…
  local digests
  digests=$(grep -E "^($(IFS='|'; echo "${*:3}")) +floats" "$work/all" | sed -E 's/.*floats ([0-9a-f]+) +quantised ([0-9a-f]+) +sampling ([0-9a-f]+)/\1 \2 \3/' |
    cut -d ' ' -f "$2" | sort | uniq -c)
  if [ "$(echo "$digests" | wc -l)" -ne 1 ]; then
    printf 'kernel-check: %s: not the same bits everywhere:\n%s\n' "$1" "$digests" >&2
    exit 1
  fi
  echo "$1: the same bits in $(echo "$digests" | awk '{print $1}') runs"
}
fused=(AVX2 AVX-512 'AVX-512 VNNI' 'AVX-512 BF16' NEON 'NEON dot product' 'NEON I8MM' 'NEON BF16')
echo "== the same arithmetic, the same bits"
same "floats, baseline" 1 baseline
same "floats, fused" 1 "${fused[@]}"
same "quantised, baseline" 2 baseline
same "quantised, activations as they are" 2 AVX-512 NEON
same "quantised, activations in words" 2 AVX2
same "sampling" 3 baseline "${fused[@]}"
same "quantised, activations in two bytes" 2 'AVX-512 VNNI' 'AVX-512 BF16' 'NEON dot product' 'NEON I8MM' 'NEON BF16'
