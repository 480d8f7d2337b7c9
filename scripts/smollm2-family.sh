#!/usr/bin/env bash
# Makes the default family, weights/smollm2, from nothing but SmolLM2-135M-Instruct: text that the model writes, prose and
# code from packages, routes, healing, measurement. Every stage is skipped if its result is there, and a stage that was
# killed goes on where it was; so the same command resumes. All intermediate files are in the cache folder. Some hours on
# two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

# `smollm2-family.sh data` stops when the data is there, `smollm2-family.sh base` before healing: what the study starts
# from, `smollm2-family.sh other` tries what healing on other text adds (an hour more), and leaves the family as it is.
# `smollm2-family.sh try` goes through all of it in some minutes, with few prompts and steps, in a folder of its own.
until="${1:-end}"

work="${XDG_CACHE_HOME:-$HOME/.cache}/stitch/smollm2"
stitch=.build/release/stitch
model=smollm2-135m
output=weights/smollm2
documents=docs
steps=1200 more=800 texts=450 chats=700 judged=2560
if [ "$until" = try ]; then
  work="${2:-$work-try}"
  output="$work/weights"
  documents="$work/docs"
  steps=4 more=3 judged=256
  mkdir -p "$documents/measurements"
fi
data="$work/data"
mkdir -p "$data"

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

# Of a file every so many lines, where all is only tried.
thin() {
  [ "$until" != try ] || { awk "NR % $2 == 1" "$data/$1" >"$data/$1.part" && mv "$data/$1.part" "$data/$1"; }
}

if [ ! -e "$data/held-out-prompts.jsonl" ]; then
  make_data prompts held-out-prompts.jsonl
  thin heal-prompts.jsonl 100
  thin validation-prompts.jsonl 4
  thin held-out-prompts.jsonl 10
fi
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
  # Without it greedy replies of the smaller sizes repeat themselves without end.
  echo '{"repetition_penalty": 1.1}' >"$work/generation_config.json"
  $stitch family build --anchor "smollm2=$model" --calibration "$work/calibration.jsonl" --judged-tokens "$judged" --name smollm2 \
    --generation-config "$work/generation_config.json" --output "$work/family"
fi
[ "$until" = base ] && exit 0

# Twice, for the learning rate falls to nothing at the end of each.
if [ ! -e "$work/healed-first" ]; then
  say "healing"
  $stitch adapt --heal --family "$work/family" --data "$data/heal.jsonl" --distill-share 1 --steps "$steps" --rank 16 \
    --checkpoint "$work/heal.checkpoint" --checkpoint-interval 50 --log-stitches --log "$work/heal-log.jsonl" \
    --output "$work/healed-first"
fi
# `go_on FROM TO DATA STEPS SEED NAME`: heals what is healed already.
go_on() {
  [ -e "$work/$2" ] || {
    say "healing, continued: $6"
    $stitch adapt --heal --continue --family "$work/$1" --data "$data/$3" --distill-share 1 --steps "$4" \
      --tokens-per-step 2048 --learning-rate 0.002 --seed "$5" \
      --checkpoint "$work/heal-$6.checkpoint" --checkpoint-interval 25 --log-stitches --log "$work/heal-$6-log.jsonl" \
      --output "$work/$2"
  }
}
go_on healed-first healed heal.jsonl "$more" 2 more

measure() {
  [ -e "$work/$1/frontier.json" ] || {
    say "measurement: $1"
    $stitch frontier --family "$work/$1" --data "$data/held-out.jsonl" --no-speeds --write
  }
}
measure healed

if [ "$until" = other ]; then
  count() {
    [ -e "$work/replies-$1.json" ] ||
      python3 scripts/smollm2-replies.py --counts "$work/$1" "$data/held-out-prompts.jsonl" "$work/replies-$1.json"
    cp "$work/replies-$1.json" "$documents/measurements/smollm2-replies-$1.json"
    cp "$work/$1/frontier.json" "$documents/measurements/smollm2-$1.json"
  }
  make_data prompts more-prompts.jsonl
  answer more
  make_data more-texts more-code.jsonl
  make_data mix more-chats.jsonl
  count healed
  for mix in texts chats; do
    go_on healed "healed-$mix" "more-$mix.jsonl" "${!mix}" 3 "$mix"
    measure "healed-$mix"
    count "healed-$mix"
  done
  python3 scripts/family-tables.py
  exit 0
fi
$stitch frontier --family "$work/healed" --speeds --write

rm -rf "$output.part"
$stitch family strip "$work/healed" --output "$output.part"
mv "$output.part" "$output"

# What the documents say of it: before healing, on the way, and after.
if [ ! -e "$work/fitted" ]; then cp -R "$work/family" "$work/fitted"; fi
measure fitted
cp "$work/fitted/frontier.json" "$documents/measurements/smollm2-fitted.json"
cp "$work/heal-log.jsonl" "$documents/measurements/smollm2-healing.jsonl"
cp "$work/heal-more-log.jsonl" "$documents/measurements/smollm2-healing-more.jsonl"
python3 scripts/smollm2-replies.py "$output" "$data/held-out-prompts.jsonl" "$documents/smollm2-replies.md"
[ "$until" = try ] || python3 scripts/family-tables.py
say "wrote $output"
