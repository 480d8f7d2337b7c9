#!/usr/bin/env bash
# Installs Open MPI, for training on several machines. Nothing else of stitch needs it.
set -euo pipefail

if command -v mpirun.openmpi >/dev/null || { command -v mpirun >/dev/null && mpirun --version 2>&1 | grep -q 'Open MPI'; }; then
  exit 0
fi
"$(dirname "$0")/apt-install.sh" setup-mpi "Open MPI 4 or newer" openmpi-bin libopenmpi3 openssh-client
