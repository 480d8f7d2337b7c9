#!/usr/bin/env python3
"""What training with less of the blocks kept costs: one lesson taught with the same seed and steps with activations as they
are, computed again, and at four bits (`stitch adapt --activations`): held-out losses on the way, memory, time. In one run, one
after another on an idle machine. Writes docs/measurements/activations.json and the table of docs/method.md; some five minutes on
two cores."""
import argparse
import json
import pathlib
import tempfile

import documents
from measure import CannotRun, machine, measured

root = pathlib.Path(__file__).resolve().parent.parent
KINDS = ["exact", "recompute", "4bit"]
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--family", default=root / "weights/tiny")
parser.add_argument("--data", default=root / "weights/lessons/facts.jsonl")
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--interval", type=int, default=100, help="steps between measurements of the held-out loss")
parser.add_argument("--option", action="append", default=[], help="an option for every run, as --option=--targets=all")
parser.add_argument("--dry", action="store_true", help="print, write nothing")
arguments = parser.parse_args()


def taught(work, kind):
    log = work / f"{kind}.jsonl"
    report = json.loads(measured([
        arguments.stitch, "adapt", "--family", arguments.family, "--data", arguments.data, "--steps", arguments.steps,
        "--output", work / kind, "--checkpoint", work / "checkpoint", "--log", log, "--measure-interval", arguments.interval,
        "--activations", kind, *arguments.option, "--json"]).text)
    curve = {line["step"]: line["heldOutLoss"] for line in map(json.loads, log.read_text().splitlines())}
    return {"curve": curve, "seconds": report["training_seconds"], "peakMemoryBytes": report["peak_memory_bytes"]}


def table(results):
    steps = list(results["exact"]["curve"])
    yield "| activations | " + " | ".join(f"loss at {step}" for step in steps) + " | memory | time |"
    yield "|---" * (len(steps) + 3) + "|"
    for kind, row in results.items():
        first = results["exact"]
        cells = [f"{loss:.4f}" for loss in row["curve"].values()]
        cells += [f"{row['peakMemoryBytes'] / 1e6:.0f} MB ({row['peakMemoryBytes'] / first['peakMemoryBytes']:.2f} ×)",
                  f"{row['seconds']:.0f} s ({row['seconds'] / first['seconds']:.2f} ×)"]
        yield f"| {kind} | " + " | ".join(cells) + " |"


try:
    with tempfile.TemporaryDirectory(prefix="stitch-activations-") as folder:
        results = {}
        for kind in KINDS:
            results[kind] = taught(pathlib.Path(folder), kind)
            print(kind, json.dumps(results[kind]), flush=True)
    print("\n".join(table(results)))
    if not arguments.dry:
        document = {
            "machine": machine(), "family": pathlib.Path(arguments.family).name, "data": pathlib.Path(arguments.data).name,
            "steps": arguments.steps, "activations": results}
        documents.save(root / "docs/measurements/activations.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
        documents.fill(root / "docs/method.md", {"activations": "\n".join(table(results))})
except CannotRun as error:
    raise SystemExit(f"activations: {error}")
