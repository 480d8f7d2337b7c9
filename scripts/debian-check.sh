#!/usr/bin/env bash
# Sets stitch up in a Debian made by debootstrap, from a clone of this checkout's last commit, builds it without a network
# and asks it something. Nothing of this system is used but the Swift toolchain and what Swift packages were fetched
# before. Needs root. WORK: where the system is made; BASES: a directory that keeps the bare ones.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "debian-check: $1" >&2
  exit 2
}
suite=${1:?debian-check: which suite? bookworm (12) or trixie (13)}
[ "$(id -u)" -eq 0 ] || fail "chroots need root: run it as root"
if ! command -v debootstrap >/dev/null; then
  echo "debian-check: installing debootstrap" >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap >/dev/null 2>&1 ||
    fail "debootstrap is missing and cannot be installed"
fi
toolchain=$(dirname "$(dirname "$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")")")
[ -x "$toolchain/usr/bin/swift" ] || fail "no Swift toolchain in $toolchain"
[ -d .build/checkouts ] || fail "Swift packages are not here: run: swift package resolve"

work=$(mktemp -d "${WORK:-/var/tmp}/stitch-debian-XXXXXX")
root=$work/$suite
# In namespaces of its own: mounts go with it.
if [ -z "${STITCH_DEBIAN_INSIDE:-}" ]; then
  trap 'rm -rf --one-file-system "$work"' EXIT
  STITCH_DEBIAN_INSIDE=$work unshare --mount --propagation private "$0" "$@"
  exit
fi
rmdir "$work"
work=$STITCH_DEBIAN_INSIDE root=$work/$suite

echo "== Debian $suite: a bare system"
bare=${BASES:+$BASES/}
bare=${bare:+$bare$suite}
[ -n "$bare" ] || bare=$root
[ -d "$bare/etc" ] || debootstrap --variant=minbase "$suite" "$bare" "${MIRROR:-http://deb.debian.org/debian}" >"$work/log" 2>&1 || {
  tail -n 5 "$work/log" >&2
  fail "debootstrap: $suite could not be made"
}
[ "$bare" = "$root" ] || cp -a "$bare" "$root"
mkdir -p "$root$toolchain"
mount --bind "$toolchain" "$root$toolchain"
mount -o remount,bind,ro "$root$toolchain"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"
inside() { # COMMAND: in the chroot, as a login would have it
  chroot "$root" /usr/bin/env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    PATH="$toolchain/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin" bash -ec "cd && $1"
}

# What swift.org has the toolchain's users install, and what brings a clone to a machine.
needed="binutils-gold git libc6-dev libcurl4-openssl-dev libgcc-12-dev libncurses6 libsqlite3-0 libstdc++6 libxml2 make"
[ "$suite" = bookworm ] || needed="binutils git libc6-dev libcurl4-openssl-dev libgcc-14-dev libncurses6 libsqlite3-0 libstdc++6 libxml2 make"
inside "apt-get update -q >/dev/null && apt-get install -qy --no-install-recommends $needed >/dev/null 2>&1" ||
  fail "$suite: not installed: $needed"
echo "the toolchain's own: $needed"

git clone -q --no-hardlinks . "$root/root/stitch"
mkdir -p "$root/root/stitch/.build"
cp -R .build/checkouts .build/repositories .build/workspace-state.json "$root/root/stitch/.build/"

echo "== make setup"
inside "cd stitch && make setup 2>&1 | grep '^setup:'"
[ -z "$(inside 'cd stitch && make setup 2>&1')" ] || fail "$suite: make setup says something the second time"
echo "and says nothing the second time"

echo "== a build and a reply, without a network"
offline() { unshare --net bash -c "$(declare -p root toolchain); $(declare -f inside); inside \"\$1\"" bash "$1"; }
offline "cd stitch && nice -n 15 make build BUILD='swift build -c release --no-color-diagnostics --product stitch' >build.log 2>&1 ||
  { tail -n 20 build.log; exit 1; }; tail -n 1 build.log"
offline "cd stitch && ldd .build/release/stitch | grep -E 'not found|sentencepiece|onig|ncurses' | sed 's/ (0x.*//'"
offline "cd stitch && .build/release/stitch ask --family weights/tiny --temperature 0 'What is 2 + 3?'; echo" | tee "$work/reply"
grep -q 5 "$work/reply" || fail "$suite: that is not the reply"
offline "cd stitch && .build/release/stitch doctor --family weights/tiny"
echo "Debian $suite: all holds"
