#!/usr/bin/env bash
# Makes the default family, weights/tiny, from nothing: corpus, tokenizer, anchors, family, adaptation, measurement.
# Every stage is skipped if its result is there, and a stage that was killed goes on where it was; so the same command
# resumes. All intermediate files are in the cache folder. About an hour and a quarter on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

work="${XDG_CACHE_HOME:-$HOME/.cache}/stitch/tiny-family"
stitch=.build/release/stitch
corpus=.build/release/tiny-corpus
recipes=weights/recipes
output=weights/tiny
mkdir -p "$work/anchors"

# `tiny-family.sh base` stops before adaptation: what the study starts from.
until="${1:-end}"

if [ "$until" = end ] && [ -e "$output" ]; then
  echo "$output exists already; remove it to make it anew" >&2
  exit 2
fi

say() { echo "tiny-family: $*" >&2; }

if [ ! -e "$work/corpus" ]; then
  say "corpus"
  rm -rf "$work/corpus.part"
  $corpus --output "$work/corpus.part"
  $corpus check "$work/corpus.part"
  mv "$work/corpus.part" "$work/corpus"
fi

if [ ! -e "$work/tokenizer.model" ]; then
  say "tokenizer"
  $stitch train-tokenizer --data "$work/corpus/tokenizer.txt" --vocabulary-size 512 \
    --control-symbol '<|system|>' --control-symbol '<|user|>' --control-symbol '<|assistant|>' \
    --output "$work/tokenizer.model"
fi

for anchor in small medium large; do
  if [ ! -e "$work/anchors/$anchor" ]; then
    say "pretraining $anchor"
    $stitch pretrain --config "$recipes/$anchor.yaml" --data "$work/corpus/pretrain.jsonl" \
      --tokenizer "$work/tokenizer.model" --output "$work/anchors/$anchor" \
      --checkpoint "$work/$anchor.checkpoint"
  fi
done

if [ ! -e "$work/family" ]; then
  say "family"
  $stitch family build --anchor "$work/anchors/small" --anchor "$work/anchors/medium" --anchor "$work/anchors/large" \
    --name tiny --template tiny --calibration "$work/corpus/calibration.jsonl" \
    --joint-steps 4500 --joint-tokens-per-step 2048 --joint-learning-rate 1e-3 \
    --joint-data "$work/corpus/joint.jsonl" --quantize bf16 --output "$work/family"
fi
[ "$until" = end ] || exit 0

if [ ! -e "$work/adapted" ]; then
  say "adaptation"
  $stitch adapt --family "$work/family" --data "$work/corpus/adapt.jsonl" \
    --steps 4500 --rank 16 --learning-rate 1.5e-3 --checkpoint "$work/adapt.checkpoint" --output "$work/adapted"
fi

say "measurement"
# What is chosen on the validation split is reported on the test split.
$stitch frontier --family "$work/adapted" --data "$work/corpus/validation.jsonl" --choose-stops --stops all --level 0.1
$stitch frontier --family "$work/adapted" --data "$work/corpus/test.jsonl" --write
mkdir -p weights
cp -R "$work/adapted" "$output.part"
mv "$output.part" "$output"
python3 scripts/family-tables.py
say "wrote $output"
