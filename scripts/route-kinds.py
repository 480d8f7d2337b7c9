#!/usr/bin/env python3
"""Puts all kinds of routes on one frontier: across anchors, within one, two-way. From the anchors of weights/tiny it builds
a family with all of them, adapts it as that family was but with fewer steps, chooses stops on the validation questions and
reports on the test questions. Writes docs/measurements/route-kinds.json and the table of docs/method.md. Some minutes; the
intermediate files lie in the cache folder, and what is there is not made again. Exit code 0: measured; 2: it could not run.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "Benchmarks"))
import documents
from measure import CannotRun

WORK = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "stitch/route-kinds"
ANCHORS = ["small", "medium", "large"]
STEPS = 400
MEASUREMENT = ROOT / "docs/measurements/route-kinds.json"


def run(program, *arguments):
    command = [str(ROOT / ".build/release" / program), *map(str, arguments)]
    result = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    if result.returncode != 0:
        raise CannotRun(f"{' '.join(command)}: exit code {result.returncode}; its last line says why")
    return result.stdout


def made(path, make):
    """Makes a directory, unless it is there; half of one is not taken for it."""
    if not path.exists():
        part = path.with_name(path.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        make(part)
        part.rename(path)
    return path


def anchor(name):
    def make(part):
        shutil.copytree(ROOT / "weights/tiny/anchors" / name, part)
        shutil.copy(ROOT / "weights/tiny/tokenizer.model", part)
    return made(WORK / name, make)


def kind(route):
    """Of a route's text: `small[0..<2] → medium[3..<6]`, where a name is left out if it is the one before."""
    names = [name for name in (part.split("[")[0] for part in route.split(" → ")) if name]
    if " → " not in route:
        return "whole anchor"
    if len(names) == 1:
        return "self"
    return "two-way" if len(names) == 3 and names[0] == names[2] else "across"


def measure():
    WORK.mkdir(parents=True, exist_ok=True)
    corpus = made(WORK / "corpus", lambda part: run("tiny-corpus", "--output", part))
    family = made(WORK / "family", lambda part: run(
        "stitch", "family", "build", *[word for name in ANCHORS for word in ("--anchor", anchor(name))], "--template", "tiny",
        "--routes", "across,self,two-way", "--judged-tokens", 2560, "--calibration", corpus / "calibration.jsonl",
        "--output", part))
    adapted = made(WORK / "adapted", lambda part: run(
        "stitch", "adapt", "--family", family, "--data", corpus / "adapt.jsonl", "--steps", STEPS, "--rank", 16,
        "--learning-rate", 1.5e-3, "--checkpoint", WORK / "checkpoint", "--output", part))
    run("stitch", "frontier", "--family", adapted, "--data", corpus / "validation.jsonl", "--choose-stops", "--stops", "all",
        "--level", 0.1, "--no-speeds")
    found = json.loads(run(
        "stitch", "frontier", "--family", adapted, "--data", corpus / "test.jsonl", "--no-speeds", "--json"))
    rows = [{name: row[name] for name in ("id", "route", "flopsPerToken", "exactMatch", "loss", "isStop")}
            | {"kind": kind(row["route"])} for row in found["stitches"]]
    documents.save(MEASUREMENT, json.dumps({"steps": STEPS, "questions": found["questions"], "stitches": rows}, indent=1) + "\n")


def table():
    document = json.loads(MEASUREMENT.read_text())
    rows = document["stitches"]
    yield "| stitch | kind | FLOPs/token | exact match | loss | stop |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        yield (f"| {row['id']} | {row['kind']} | {row['flopsPerToken'] / 1e6:.1f} M | {100 * row['exactMatch']:.1f} % "
               f"| {row['loss']:.3f} | {'●' if row['isStop'] else ''} |")


def main():
    try:
        measure()
        documents.fill(ROOT / "docs/method.md", {"kinds of routes": "\n".join(table())})
    except CannotRun as error:
        print(f"route-kinds: {error}", file=sys.stderr)
        return 2
    return 0


sys.exit(main())
