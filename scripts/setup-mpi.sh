#!/usr/bin/env bash
# Installs Open MPI, for training on several machines. Nothing else of stitch needs it.
set -euo pipefail

if command -v mpirun.openmpi >/dev/null || { command -v mpirun >/dev/null && mpirun --version 2>&1 | grep -q 'Open MPI'; }; then
  exit 0
fi
command -v apt-get >/dev/null || {
  echo "setup-mpi: this is not Debian or Ubuntu: install Open MPI 4 or newer by other means" >&2
  exit 2
}
command="apt-get install -y --no-install-recommends openmpi-bin libopenmpi3 openssh-client"
if [ "$(id -u)" -eq 0 ]; then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null; then
  as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
else
  echo "setup-mpi: as an administrator run: apt-get update && $command" >&2
  exit 2
fi
# shellcheck disable=SC2086 # the command is a list of words
"${as_root[@]}" $command >&2 || {
  "${as_root[@]}" apt-get update -q >&2
  "${as_root[@]}" $command >&2
}
