#!/usr/bin/env bash
# pull-model.sh STITCH: brings the model of the default family to this machine, once. Without a network, or after Ctrl-C, it
# says so in a line and ends with 0: the chat opens with the small family then.
set -uo pipefail
stitch=$1
model=smollm2-135m
# Somebody who names a family does not wait for another one's model.
if [ -n "${STITCH_FAMILY:-}" ]; then exit 0; fi

# In a terminal the download has a process group of its own, as in an interactive shell: Ctrl-C ends it, and not make.
if [ -t 0 ]; then set -m; fi
trap : INT
"$stitch" models pull "$model" --optional >/dev/null
status=$?
if [ "$status" -gt 128 ]; then
  echo "$model: the download was stopped; '$stitch models pull $model' goes on with it" >&2
  exit 0
fi
exit 0
