#!/usr/bin/env bash
# Makes the default family, weights/smollm2, from nothing but SmolLM2-135M-Instruct: text that the model writes, prose and
# code from packages, routes, healing, measurement. Every stage is skipped if its result is there, and a stage that was
# killed goes on where it was; so the same command resumes. All intermediate files are in the cache folder. Some hours on
# two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

work="${XDG_CACHE_HOME:-$HOME/.cache}/stitch/smollm2"
data="$work/data"
stitch=.build/release/stitch
model=smollm2-135m
output=weights/smollm2
mkdir -p "$data"

# `smollm2-family.sh data` stops when the data is there, `smollm2-family.sh base` before healing: what the study starts
# from.
until="${1:-end}"

if [ "$until" = end ] && [ -e "$output" ]; then
  echo "$output exists already; remove it to make it anew" >&2
  exit 2
fi

say() { echo "smollm2-family: $*" >&2; }

$stitch models pull "$model"

# A file that is half written must not look like a whole one.
make_data() {
  [ -e "$data/$2" ] || { say "$1" && python3 scripts/smollm2-data.py "$1" "$data"; }
}
answer() {
  [ -e "$data/$1-replies.jsonl" ] || {
    say "answers: $1"
    $stitch generate --model "$model" --prompts "$data/$1-prompts.jsonl" --output "$data/$1-replies.jsonl" \
      --max-tokens 400 --batch 32 --temperature 0.8 --top-p 0.95 --seed 1
  }
}

make_data prompts held-out-prompts.jsonl
for part in heal validation held-out; do answer "$part"; done
make_data follow-ups follow-up-prompts.jsonl
answer follow-up
make_data texts held-out-code.jsonl
make_data join held-out.jsonl
make_data tasks tasks.jsonl
[ "$until" = data ] && exit 0

if [ ! -e "$work/family" ]; then
  say "family"
  head -n 200 "$data/heal.jsonl" >"$work/calibration.jsonl"
  $stitch family build --anchor "smollm2=$model" --calibration "$work/calibration.jsonl" --judged-tokens 2560 --name smollm2 \
    --output "$work/family"
fi
[ "$until" = base ] && exit 0

if [ ! -e "$work/healed" ]; then
  say "healing"
  $stitch adapt --heal --family "$work/family" --data "$data/heal.jsonl" --distill-share 1 --steps 1200 --rank 16 \
    --checkpoint "$work/heal.checkpoint" --checkpoint-interval 50 --log-stitches --log "$work/heal-log.jsonl" \
    --output "$work/healed"
fi

if [ ! -e "$work/healed/frontier.json" ]; then
  say "measurement"
  $stitch frontier --family "$work/healed" --data "$data/held-out.jsonl" --no-speeds --write
fi
$stitch frontier --family "$work/healed" --speeds --write

$stitch family strip "$work/healed" --output "$output"

# What the documents say of it: before healing, on the way, and after.
if [ ! -e "$work/fitted/frontier.json" ]; then
  rm -rf "$work/fitted"
  cp -R "$work/family" "$work/fitted"
  $stitch frontier --family "$work/fitted" --data "$data/held-out.jsonl" --no-speeds --write
fi
cp "$work/fitted/frontier.json" docs/measurements/smollm2-fitted.json
cp "$work/heal-log.jsonl" docs/measurements/smollm2-healing.jsonl
python3 scripts/smollm2-replies.py "$output" "$data/held-out-prompts.jsonl"
python3 scripts/family-tables.py
say "wrote $output"
