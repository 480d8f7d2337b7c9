#!/usr/bin/env python3
"""Measures what it costs to choose SmolLM2's routes by what a move of the slider computes anew, before healing: for some
weights of `stitch family build --move-weight`, the mean KL of the stops from the whole model on the validation data, and
the mean share of a stop's blocks that a move from the stop beside it leaves to compute. Writes
docs/measurements/smollm2-moves.json. A few minutes a weight. Exit code 0: measured; 2: it could not run."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "stitch/smollm2"
STITCH = ROOT / ".build/release/stitch"
WEIGHTS = [0, 0.5, 2]


def stitch(*arguments):
    return subprocess.run([STITCH, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout


def ranges(route):
    return [tuple(map(int, pair)) for pair in re.findall(r"\[(\d+)\.\.<(\d+)\]", route)]


def moved(source, target):
    """The share of a route's blocks that another one's cache does not have: those behind the first place where they part."""
    shared = 0
    for first, second in zip(ranges(source), ranges(target)):
        shared += min(first[1], second[1]) - first[0] if first[0] == second[0] else 0
        if first != second:
            break
    blocks = sum(end - start for start, end in ranges(target))
    return (blocks - shared) / blocks


def main():
    for file in ("calibration.jsonl", "data/validation.jsonl"):
        if not (WORK / file).exists():
            print(f"{WORK / file} is not there; run scripts/smollm2-family.sh base", file=sys.stderr)
            return 2
    rows = []
    for weight in WEIGHTS:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="stitch-moves-"))
        try:
            family = folder / "family"
            stitch("family", "build", "--anchor", "smollm2=smollm2-135m", "--calibration", WORK / "calibration.jsonl",
                   "--judged-tokens", 2560, "--move-weight", weight, "--output", family)
            frontier = json.loads(stitch(
                "frontier", "--family", family, "--data", WORK / "data/validation.jsonl", "--loss-only", "--only-stops",
                "--no-speeds", "--json"))
        finally:
            shutil.rmtree(folder)
        stops = [{name: row[name] for name in ("route", "agreement", "divergence")} for row in frontier["stitches"]]
        pairs = [pair for cheap, dear in zip(stops, stops[1:]) for pair in ((cheap, dear), (dear, cheap))]
        rows.append({
            "weight": weight, "stops": stops,
            "divergence": sum(stop["divergence"] for stop in stops[:-1]) / (len(stops) - 1),
            "agreement": sum(stop["agreement"] for stop in stops[:-1]) / (len(stops) - 1),
            "moved": sum(moved(source["route"], target["route"]) for source, target in pairs) / len(pairs),
        })
        print(f"weight {weight}: KL {rows[-1]['divergence']:.3f}, agreement {rows[-1]['agreement']:.3f}, "
              f"a move leaves {rows[-1]['moved']:.2f} of the blocks to compute", flush=True)
    target = ROOT / "docs/measurements/smollm2-moves.json"
    target.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    return 0


sys.exit(main())
