#!/usr/bin/env python3
"""Compares ways to teach a family: what each learns of a lesson in the time that ESTA's low-rank updates take.

In one run, one after another on an idle machine: ESTA first, then every other method, for as long. Writes memory, tokens,
seconds and gain, and their ratios to ESTA's, to docs/measurements/methods.json, and the table of docs/lessons.md. The
gain is how far the loss of the lesson's test questions falls, on average over the slider's stops."""
import argparse
import json
import math
import pathlib
import shutil
import tempfile

import documents
from measure import CannotRun, machine, measured

root = pathlib.Path(__file__).resolve().parent.parent
METHODS = {
    "esta": [],
    "difffit": ["--update", "difffit"],
    "alore": ["--update", "alore"],
    "parallel": ["--update", "parallel"],
    "prefix": ["--update", "prefix"],
    "dept": ["--update", "dept"],
    "lst": ["--method", "lst"],
    "unipt": ["--method", "unipt"],
    "sherl": ["--method", "sherl"],
    "mezo": ["--method", "mezo"],
    "dizo": ["--method", "dizo"],
}

parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--family", default=root / "weights/tiny")
parser.add_argument("--lesson", default="facts", help="of weights/lessons")
parser.add_argument("--method", action="append", choices=list(METHODS), help="only this one, beside esta")
parser.add_argument("--steps", type=int, help="of ESTA (default: as many as a lesson takes)")
parser.add_argument("--pilot", type=int, default=20, help="steps by which a method's speed is found")
parser.add_argument("--option", action="append", default=[], help="an option for every method, as --option=--seed=2")
parser.add_argument("--dry", action="store_true", help="print, write nothing")
arguments = parser.parse_args()


def stitch(*words):
    return json.loads(measured([arguments.stitch, *words, "--json"]).text)


def adapt(work, method, steps=None):
    """One run; the family is at work/family."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    return stitch(
        "adapt", "--continue", "--family", arguments.family, "--data", root / f"weights/lessons/{arguments.lesson}.jsonl",
        "--output", work / "family", "--checkpoint", work / "checkpoint", "--held-out-tokens", 0,
        *(["--steps", steps] if steps else []), *METHODS[method], *arguments.option)


def loss(family):
    """Mean loss of the lesson's test questions over the slider's stops, nats per token."""
    report = stitch(
        "frontier", "--family", family, "--data", root / f"weights/lessons/test/{arguments.lesson}.jsonl", "--only-stops",
        "--loss-only", "--no-speeds")
    losses = [row["loss"] for row in report["stitches"]]
    return math.fsum(losses) / len(losses)


def compared():
    work = pathlib.Path(tempfile.mkdtemp(prefix="stitch-methods-"))
    try:
        before = loss(arguments.family)
        results = {}
        for method in ["esta"] + [name for name in METHODS if name != "esta" and name in (arguments.method or METHODS)]:
            steps = arguments.steps
            if method != "esta":
                pilot = adapt(work / "run", method, arguments.pilot)
                steps = max(1, round(results["esta"]["seconds"] * pilot["steps"] / pilot["training_seconds"]))
            report = adapt(work / "run", method, steps)
            results[method] = {
                "steps": report["steps"], "tokens": report["tokens"], "seconds": report["training_seconds"],
                "peakMemoryBytes": report["peak_memory_bytes"], "trainedParameters": report["trainable_parameters"],
                "gain": before - loss(work / "run/family"),
            }
            first = results["esta"]
            results[method]["ratios"] = {
                key: results[method][key] / first[key] if first[key] else None
                for key in ["tokens", "seconds", "peakMemoryBytes", "gain"]
            }
            print(f"{method:8} {json.dumps(results[method])}", flush=True)
        return {
            "machine": machine(), "family": pathlib.Path(arguments.family).name, "lesson": arguments.lesson,
            "lossBefore": before, "methods": results,
        }
    finally:
        shutil.rmtree(work)


def table(results):
    lines = ["| method | trained | memory | tokens | time | gain | of ESTA's |", "|---|---|---|---|---|---|---|"]
    for name, row in results["methods"].items():
        share = row["ratios"]["gain"]
        lines.append(
            f"| {name} | {row['trainedParameters']:,} | {row['peakMemoryBytes'] / 1e6:.0f} MB "
            f"({row['ratios']['peakMemoryBytes']:.2f} ×) | {row['tokens']:,} | {row['seconds']:.0f} s | {row['gain']:.3f} "
            f"| {'—' if share is None else f'{100 * share:.0f} %'} |")
    return "\n".join(lines)


try:
    results = compared()
    print(table(results))
    if not arguments.dry:
        (root / "docs/measurements/methods.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        documents.fill(root / "docs/lessons.md", {"methods": table(results)})
except CannotRun as error:
    raise SystemExit(f"methods: {error}")
