#!/usr/bin/env python3
"""Teaches the default family each lesson of weights/lessons, one at a time, and measures what it learned and forgot.

Writes docs/measurements/lessons.json and the table of docs/lessons.md. Two idle cores, about half an hour. With --live it
teaches them in the chat instead, by scripts, and writes how long that takes to docs/measurements/lessons-live.json."""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import documents
from measure import CannotRun, machine

root = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--family", default=root / "weights/tiny")
parser.add_argument("--live", action="store_true", help="measure how long a lesson takes in the chat, nothing else")
parser.add_argument(
    "--questions", help="questions of the family's other skills (test.jsonl or validation.jsonl of the corpus)")
parser.add_argument("--count", type=int, default=1200, help="how many of them")
parser.add_argument("--split", choices=["validation", "test"], default="test", help="the lessons' questions to ask")
parser.add_argument("--seeds", type=int, default=3, help="runs of each lesson")
parser.add_argument("--lesson", action="append", help="only this lesson")
parser.add_argument("--option", action="append", default=[], help="an option for stitch adapt, as --option=--steps=900")
parser.add_argument("--dry", action="store_true", help="print, write nothing")
arguments = parser.parse_args()
if not arguments.live and not arguments.questions:
    parser.error("--questions is missing: give the test.jsonl or validation.jsonl of the corpus")


def stitch(*words):
    return subprocess.run([str(arguments.stitch), *map(str, words)], check=True, capture_output=True, text=True).stdout


def exact(family, data, *more):
    report = json.loads(stitch("frontier", "--family", family, "--data", data, "--only-stops", "--json", *more))
    return {row["id"]: row["exactMatch"] for row in report["stitches"]}


def teach(lesson, seed, questions):
    """One run: how long it took, and exact match by stop, of the lesson's questions and of the others."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="stitch-lesson-"))
    try:
        start = time.monotonic()
        stitch(
            "adapt", "--continue", "--family", arguments.family, "--data", root / f"weights/lessons/{lesson}.jsonl",
            "--output", work / "family", "--checkpoint", work / "checkpoint", "--seed", seed, *arguments.option)
        seconds = time.monotonic() - start
        return {
            "seconds": seconds,
            "taught": exact(work / "family", questions),
            "others": exact(work / "family", arguments.questions, *others),
        }
    finally:
        shutil.rmtree(work)


def teach_live(lesson):
    """Seconds until a lesson taught in the chat is in use, from the start of the program to its end."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as script:
        # JSON is YAML.
        json.dump({"family": str(pathlib.Path(arguments.family).resolve()), "steps": [
            {"train": {"data": str(root / f"weights/lessons/{lesson}.jsonl")}}, {"wait": "training"},
            {"user": "Hello!", "expect": {"regex": "."}}]}, script)
        script.flush()
        start = time.monotonic()
        stitch("replay", script.name)
        return time.monotonic() - start


def percent(values):
    """Mean and, of several, standard deviation."""
    text = f"{100 * statistics.mean(values):.1f}"
    return text + (f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else "")


lessons = arguments.lesson or sorted(file.stem for file in (root / "weights/lessons").glob("*.jsonl"))
if arguments.live:
    live = {}
    for lesson in lessons:
        live[lesson] = [teach_live(lesson) for _ in range(arguments.seeds)]
        print(f"{lesson:8} {' '.join(f'{seconds:.0f}' for seconds in live[lesson])} s", flush=True)
    if not arguments.dry:
        (root / "docs/measurements/lessons-live.json").write_text(json.dumps({"machine": machine(), "seconds": live}, indent=1, sort_keys=True) + "\n")
    raise SystemExit

others = ["--questions", arguments.count]
before = exact(arguments.family, arguments.questions, *others)
results = {"questions": arguments.count, "split": arguments.split, "before": before, "lessons": {}}
lines = ["| lesson | stop | before | after | other skills before | after |", "|---|---|---|---|---|---|"]
ends = [list(before)[0], "medium", list(before)[-1]]
for lesson in lessons:
    questions = root / f"weights/lessons/{arguments.split}/{lesson}.jsonl"
    untaught = exact(arguments.family, questions)
    runs = [teach(lesson, seed, questions) for seed in range(1, arguments.seeds + 1)]
    results["lessons"][lesson] = {"untaught": untaught, "runs": runs}
    seconds = " ".join(f"{run['seconds']:.0f}" for run in runs)
    for stop in before:
        taught = percent([run["taught"][stop] for run in runs])
        kept = percent([run["others"][stop] for run in runs])
        print(
            f"{lesson:8} {stop:16} {100 * untaught[stop]:5.1f} → {taught:12} %"
            f"   others {100 * before[stop]:5.1f} → {kept:12} %"
            f"  ({100 * (statistics.mean(run['others'][stop] for run in runs) - before[stop]):+.1f})")
        if stop in ends:
            lines.append(
                f"| {lesson} ({statistics.mean(run['seconds'] for run in runs):.0f} s) | {stop} | {100 * untaught[stop]:.1f} % "
                f"| {taught} % | {100 * before[stop]:.1f} % | {kept} % |")
    print(f"{lesson:8} {seconds} s", flush=True)

if not arguments.dry:
    (root / "docs/measurements/lessons.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    try:
        documents.fill(root / "docs/lessons.md", {"lessons": "\n".join(lines)})
    except CannotRun as error:
        raise SystemExit(f"lessons: {error}")
