#!/usr/bin/env python3
"""What `stitch anchor grow` and `shrink` make of a model, before and after equal tokens of healing: perplexity of replies that
the whole model gave, for each method and number of blocks.

Healed and measured on weights/smollm2/rehearsal.jsonl, conversations whose replies SmolLM2-135M-Instruct wrote: the last of them
are held out. Healing is a LoRA on all projections, with the same steps, data and seed for each. What is measured is kept below the
cache folder, so that a run that was stopped goes on; `--restart` throws it away. Writes docs/measurements/anchor-sizes.json and
the table of docs/method.md. Some twenty minutes on two cores; figures do not depend on time."""
import argparse
import hashlib
import json
import math
import os
import pathlib
import shutil
import subprocess

import documents

root = pathlib.Path(__file__).resolve().parent.parent
METHODS = [("shrink", "fold"), ("shrink", "drop"), *(("grow", method) for method in ["zero", "copy", "lesa", "replace", "share"])]
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--model", default="smollm2-135m")
parser.add_argument("--blocks", default="28,32", help="numbers of blocks, with commas")
parser.add_argument("--data", default=root / "weights/smollm2/rehearsal.jsonl", help="conversations to heal and measure on")
parser.add_argument("--held-out", type=int, default=60, help="how many of the last are measured on")
parser.add_argument("--steps", type=int, default=16, help="of healing")
parser.add_argument("--tokens-per-step", type=int, default=2048)
parser.add_argument("--restart", action="store_true", help="measure everything anew")
parser.add_argument("--dry", action="store_true", help="print, write nothing")
arguments = parser.parse_args()
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "stitch/bench/anchor-sizes"
lines = pathlib.Path(arguments.data).read_text().splitlines(keepends=True)
healing, held_out = lines[:-arguments.held_out], lines[-arguments.held_out:]


def stitch(*words):
    result = subprocess.run([str(arguments.stitch), *map(str, words)], capture_output=True, text=True)
    if result.returncode:
        raise subprocess.CalledProcessError(result.returncode, words, result.stdout, result.stderr)
    return result.stdout


def report(*words):
    return json.loads(stitch(*words, "--json"))


# What the figures depend on names the folder: another program, model or plan measures anew.
plan = "\n".join([arguments.model, str(arguments.steps), str(arguments.tokens_per_step), str(arguments.held_out), *lines])
work = CACHE / hashlib.sha256(plan.encode()).hexdigest()[:16]
if arguments.restart:
    shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True, exist_ok=True)
(work / "heal.jsonl").write_text("".join(healing))
(work / "held-out.jsonl").write_text("".join(held_out))
journal = work / "rows.jsonl"
rows = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []


def perplexity(family, name, *adapter):
    found = report("frontier", "--family", family, "--data", work / "held-out.jsonl", "--loss-only", "--no-speeds", *adapter)
    return math.exp(next(row["loss"] for row in found["stitches"] if row["id"] == name))


def measured(name, make):
    """A model before and after healing. `make` writes it to a directory, or tells where it is."""
    known = next((row for row in rows if row["name"] == name), None)
    if known:
        return known
    made, family, healed = (work / part for part in ["anchor", "family", "healed"])
    for place in [made, family, healed]:
        shutil.rmtree(place, ignore_errors=True)
    anchor, parameters = make(made)
    # A family of one: the route without a block that has to be there is not trained.
    stitch("family", "build", "--anchor", f"anchor={anchor}", "--routes", "dropped", "--leave-out", 1, "--calibration", work / "heal.jsonl",
           "--calibration-tokens", 2048, "--name", "anchor", "--output", family)
    before = perplexity(family, "anchor")
    cost = report("adapt", "--family", family, "--data", work / "heal.jsonl", "--output", healed, "--method", "lora-per-anchor", "--targets",
                  "all", "--rank", 16, "--learning-rate", 0.001, "--steps", arguments.steps, "--tokens-per-step", arguments.tokens_per_step,
                  "--held-out-tokens", 0, "--checkpoint", work / f"{name}.checkpoint")
    row = {"name": name, "parameters": parameters, "perplexity": before, "healed": perplexity(healed, "anchor"), "tokens": cost["tokens"]}
    rows.append(row)
    with journal.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(row, flush=True)
    for place in [made, family, healed]:
        shutil.rmtree(place, ignore_errors=True)
    return row


def sized(change, method, blocks):
    def make(place):
        # Text to fit and to learn by is the same for all, too.
        text = ["--calibration", work / "heal.jsonl"] if method in ["fold", "drop", "replace", "share"] else []
        made = report("anchor", change, "--model", arguments.model, "--blocks", blocks, "--method", method, "--output", place, *text)
        return place, made["parameters"]
    return make


def whole(place):
    return arguments.model, None


def cell(row):
    return f"{row['perplexity']:,.2f} → {row['healed']:,.2f}" if row else ""


anchors = [measured("whole", whole)]
for blocks in map(int, arguments.blocks.split(",")):
    for change, method in METHODS:
        try:
            anchors.append(measured(f"{method}-{blocks}", sized(change, method, blocks)) | {"method": method, "blocks": blocks})
        except subprocess.CalledProcessError as error:
            # A model is not shrunk to more blocks than it has.
            if error.cmd[0] != "anchor" or "ask for" not in error.stderr:
                raise SystemExit(f"anchor_sizes: {' '.join(map(str, error.cmd))}: {error.stderr.strip().splitlines()[-1:]}")
document = {"model": arguments.model, "steps": arguments.steps, "heldOut": arguments.held_out, "anchors": anchors}


def table():
    names = [method for _, method in METHODS]
    yield "| blocks | " + " | ".join(names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for blocks in sorted({row["blocks"] for row in anchors[1:]}):
        found = {row["method"]: row for row in anchors[1:] if row["blocks"] == blocks}
        yield f"| {blocks} | " + " | ".join(cell(found.get(name)) for name in names) + " |"
    yield ""
    yield f"The whole: {cell(anchors[0])}. {anchors[0]['tokens']:,} tokens of healing each."


print("\n".join(table()))
if not arguments.dry:
    documents.save(root / "docs/measurements/anchor-sizes.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
    documents.fill(root / "docs/method.md", {"sizes of an anchor": "\n".join(table())})
