#!/usr/bin/env bash
# Trains in two network namespaces that see each other over a slow network that loses packets, and checks that the result
# is, to the bit, that of one process. Needs root (namespaces) and Open MPI (`make setup-mpi`).
#
#   scripts/mpi-network.sh [STITCH [MILLISECONDS [PERCENT]]]     delay one way, packets lost
set -euo pipefail
cd "$(dirname "$0")/.."

stitch=$(realpath "${1:-.build/release/stitch}")
delay=${2:-5}
loss=${3:-1}
fail() {
  printf 'mpi-network: %s\n' "$1" >&2
  exit 2
}
[ "$(id -u)" -eq 0 ] || fail "namespaces need root: run it with sudo"
command -v mpirun >/dev/null || fail "Open MPI is missing: run make setup-mpi"

work=$(mktemp -d)
names=("stitch-$$-a" "stitch-$$-b")
relay=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
  [ -z "$relay" ] || kill "$relay" 2>/dev/null || true
  for name in "${names[@]}"; do ip netns del "$name" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

# --- Two machines and what lies between them

for name in "${names[@]}"; do
  ip netns add "$name"
  ip -n "$name" link set lo up
done
ip link add slow0 netns "${names[0]}" type veth peer name slow0 netns "${names[1]}"
if ip netns exec "${names[0]}" tc qdisc add dev slow0 root netem delay "${delay}ms" loss "${loss}%" 2>/dev/null; then
  ip netns exec "${names[1]}" tc qdisc add dev slow0 root netem delay "${delay}ms" loss "${loss}%"
  by="tc netem"
else
  ip -n "${names[0]}" link del slow0
  python3 scripts/slow_link.py "${names[@]}" "$delay" "$loss" >"$work/relay" &
  relay=$!
  until grep -q ready "$work/relay"; do
    kill -0 "$relay" || fail "scripts/slow_link.py ended"
    sleep 0.1
  done
  by="scripts/slow_link.py, for this kernel has no netem"
fi
for index in 0 1; do
  ip -n "${names[$index]}" addr add "10.99.7.$((index + 1))/24" dev slow0
  ip -n "${names[$index]}" link set slow0 up
done
echo "between the namespaces: $delay ms each way, $loss % lost ($by)"
ip netns exec "${names[0]}" ping -q -c 20 -i 0.05 10.99.7.2 2>/dev/null | tail -n 2 || true

# --- The same training by one process and by four on the two

# What starts a process on the other machine: `ssh HOST COMMAND` as far as mpirun uses it.
cat >"$work/rsh" <<RSH
#!/usr/bin/env bash
while [[ "\$1" == -* ]]; do shift; done
shift
exec ip netns exec ${names[1]} bash -c "\$*"
RSH
chmod +x "$work/rsh"

family=weights/tiny
data=weights/lessons/facts.jsonl
adapt=(adapt --family "$family" --data "$data" --steps "${STEPS:-20}" --tokens-per-step 512 --tokens-per-micro-batch 128
  --rank 8 --threads 1 --held-out-tokens 512)
export XDG_CACHE_HOME=$work/cache XDG_DATA_HOME=$work/data XDG_STATE_HOME=$work/state
"$stitch" "${adapt[@]}" --output "$work/alone" 2>"$work/alone.log" || fail "$(tail -n 1 "$work/alone.log")"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
start=$(date +%s)
ip netns exec "${names[0]}" mpirun -q -n 4 --oversubscribe --host 10.99.7.1:2,10.99.7.2:2 --map-by node \
  --mca plm_rsh_agent "$work/rsh" --mca pml ob1 --mca btl self,tcp --mca btl_tcp_if_include 10.99.7.0/24 \
  --mca oob_tcp_if_include 10.99.7.0/24 -x XDG_CACHE_HOME -x XDG_DATA_HOME -x XDG_STATE_HOME \
  "$stitch" "${adapt[@]}" --output "$work/divided" 2>"$work/divided.log" || {
  cat "$work/divided.log" >&2
  fail "training over the slow network failed"
}
end=$(date +%s)
carried=$(ip -n "${names[0]}" -s link show slow0 | awk 'tx { print $1; exit } /TX:/ { tx = 1 }')
cmp "$work/alone/esta.safetensors" "$work/divided/esta.safetensors" || fail "the bytes differ"
echo "4 processes in 2 namespaces: $((end - start)) s, $carried bytes sent by the first; the adapter is the same to the bit"
