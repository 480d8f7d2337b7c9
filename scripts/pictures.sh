#!/usr/bin/env bash
# Plays examples/*.yaml in tmux and draws what the screen shows at their end: docs/NAME.svg.
#   scripts/pictures.sh [examples/NAME.yaml ...]
set -euo pipefail
cd "$(dirname "$0")/.."
stitch=${STITCH:-.build/release/stitch}
speed=${SPEED:-3}
socket="stitch-pictures-$$"
home=$(mktemp -d)
trap 'tmux -L "$socket" kill-server 2>/dev/null || true; rm -rf "$home"' EXIT

command -v tmux >/dev/null || { echo "pictures: tmux is missing; install it" >&2; exit 2; }
scripts=("$@")
[ ${#scripts[@]} -gt 0 ] || scripts=(examples/*.yaml)
for script in "${scripts[@]}"; do
  name=$(basename "$script" .yaml)
  echo "pictures: $script" >&2
  # Nothing of the user's own but models that were pulled: no configuration, no adapters, no colours of a light terminal.
  mkdir -p "$home/$name/data/stitch" "$home/$name/cache/stitch"
  ln -s "${XDG_DATA_HOME:-$HOME/.local/share}/stitch/models" "$home/$name/data/stitch/models"
  ln -s "${XDG_CACHE_HOME:-$HOME/.cache}/stitch/models" "$home/$name/cache/stitch/models"
  tmux -u -L "$socket" -f /dev/null new-session -d -s "$name" -x 112 -y 32 \
    -e "XDG_DATA_HOME=$home/$name/data" -e "XDG_STATE_HOME=$home/$name" -e "XDG_CACHE_HOME=$home/$name/cache" \
    -e "XDG_CONFIG_HOME=$home/$name" -e LC_ALL=C.UTF-8 \
    env -u NO_COLOR -u COLORFGBG "$stitch" chat --theme dark --script "$script" --speed "$speed"
  for ((tenth = 0; ; tenth++)); do
    shown=$(tmux -L "$socket" capture-pane -p -t "$name") || { echo "pictures: $script ended early" >&2; exit 1; }
    case "$shown" in *"the script is over"*) break ;; esac
    [ "$tenth" -lt 6000 ] || { echo "pictures: $script does not end" >&2; exit 1; }
    sleep 0.1
  done
  # A key that does nothing else takes that remark away.
  tmux -L "$socket" send-keys -t "$name" C-l
  while tmux -L "$socket" capture-pane -p -t "$name" | grep -q "the script is over"; do sleep 0.1; done
  tmux -L "$socket" capture-pane -e -p -t "$name" | python3 scripts/screenshot.py >"docs/$name.svg"
  tmux -L "$socket" kill-session -t "$name"
done
