#!/usr/bin/env python3
"""Teaches the default family each lesson of weights/lessons, one at a time, and measures what it learned and forgot.

Writes docs/measurements/lessons.json and the table of docs/lessons.md. Two idle cores, about ten minutes."""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

root = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--family", default=root / "weights/tiny")
parser.add_argument("--questions", required=True, help="test questions of the family's other skills (test.jsonl of the corpus)")
parser.add_argument("--count", type=int, default=1200, help="how many of them")
parser.add_argument("--lesson", action="append", help="only this lesson")
parser.add_argument("--option", action="append", default=[], help="an option for stitch adapt, as --option=--steps=900")
parser.add_argument("--dry", action="store_true", help="print, write nothing")
arguments = parser.parse_args()


def stitch(*words):
    return subprocess.run([str(arguments.stitch), *map(str, words)], check=True, capture_output=True, text=True).stdout


def exact(family, data, *more):
    report = json.loads(stitch("frontier", "--family", family, "--data", data, "--only-stops", "--json", *more))
    return {row["id"]: row["exactMatch"] for row in report["stitches"]}


lessons = arguments.lesson or sorted(file.stem for file in (root / "weights/lessons").glob("*.jsonl"))
others = ["--questions", arguments.count]
before = exact(arguments.family, arguments.questions, *others)
results = {"questions": arguments.count, "before": before, "lessons": {}}
for lesson in lessons:
    test = root / f"weights/lessons/test/{lesson}.jsonl"
    work = pathlib.Path(tempfile.mkdtemp(prefix="stitch-lesson-"))
    try:
        start = time.monotonic()
        stitch(
            "adapt", "--continue", "--family", arguments.family, "--data", root / f"weights/lessons/{lesson}.jsonl",
            "--output", work / "family", "--checkpoint", work / "checkpoint", *arguments.option)
        seconds = time.monotonic() - start
        results["lessons"][lesson] = {
            "seconds": seconds,
            "untaught": exact(arguments.family, test),
            "taught": exact(work / "family", test),
            "others": exact(work / "family", arguments.questions, *others),
        }
    finally:
        shutil.rmtree(work)
    row = results["lessons"][lesson]
    for stop in row["taught"]:
        print(
            f"{lesson:8} {stop:16} {100 * row['untaught'].get(stop, 0):5.1f} → {100 * row['taught'][stop]:5.1f} %"
            f"   others {100 * before.get(stop, 0):5.1f} → {100 * row['others'][stop]:5.1f} %")
    print(f"{lesson:8} {seconds:.0f} s", flush=True)

if not arguments.dry:
    (root / "docs/measurements/lessons.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    lines = ["| lesson | stop | before | after | other skills before | after |", "|---|---|---|---|---|---|"]
    ends = [list(before)[0], "medium", list(before)[-1]]
    for lesson, row in results["lessons"].items():
        for stop in ends:
            lines.append(
                f"| {lesson} ({row['seconds']:.0f} s) | {stop} | {100 * row['untaught'][stop]:.1f} % "
                f"| {100 * row['taught'][stop]:.1f} % | {100 * before[stop]:.1f} % | {100 * row['others'][stop]:.1f} % |")
    document = root / "docs/lessons.md"
    text, count = re.subn(
        "<!-- lessons -->.*?<!-- end of lessons -->",
        lambda _: "<!-- lessons -->\n\n" + "\n".join(lines) + "\n\n<!-- end of lessons -->", document.read_text(), flags=re.S)
    if count != 1:
        raise SystemExit(f"{document}: the markers of the table are missing; restore them")
    document.write_text(text)
