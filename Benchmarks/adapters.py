#!/usr/bin/env python3
"""What `stitch adapter scale` and `merge` are worth: teaches the default family without a network two lessons, weakens what
they taught (LiNeS, arXiv 2410.17146), adds both up (task arithmetic, arXiv 2212.04089), merges them by Fisher information
(arXiv 2111.09832) and by learned scales (ScaLearn, arXiv 2310.01217), and measures exact match on the lessons' tests and on
test questions of its other skills. Writes docs/measurements/adapters.json and the tables of
docs/lessons.md. Some twenty minutes on two cores; figures do not depend on time."""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile

import documents

root = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--family", default=root / "weights/tiny")
parser.add_argument("--questions", required=True, help="questions of the family's other skills (test.jsonl of the corpus)")
parser.add_argument("--count", type=int, default=600, help="how many of them")
parser.add_argument("--merging", action="store_true", help="only merge by methods that look at data; keep the rest of the file")
parser.add_argument("--dry", action="store_true", help="print, write nothing")
arguments = parser.parse_args()

LESSONS = ["facts", "pirate"]
# What is kept of the first and of the last block's updates.
SCALES = [(1, 1), (0.75, 0.75), (0.5, 0.5), (0.75, 1), (0.5, 1), (0.25, 1), (0, 1)]
# What each lesson counts for, and what is kept of its first block's updates before.
# More than whole, for what two lessons add to the same outputs pulls each below what it was taught to.
MERGES = [(0.5, 1), (0.75, 1), (1, 1), (1.1, 1), (1.25, 1), (1.5, 1), (1, 0.5), (1, 0.25)]


# Methods that look at data: what is merged, and with what options.
METHODS = ["fisher", "scalearn", "scalearn-uniform"]


def stitch(*words):
    return subprocess.run([str(arguments.stitch), *map(str, words)], check=True, capture_output=True, text=True).stdout


def family(*words):
    return stitch(*words, "--family", arguments.family)


def made(*words):
    return json.loads(family("adapter", *words, "--json"))["adapter"]


def taught(lesson):
    """The family's adapter after a lesson, and what the lesson changes of it as an adapter."""
    family("adapt", "--continue", "--data", root / f"weights/lessons/{lesson}.jsonl")
    latest = json.loads(family("adapter", "list", "--json"))["adapters"]
    newest = max((one for one in latest if one.get("saved")), key=lambda one: one["saved"])["adapter"]
    return newest, made("merge", newest, "own", "--weight", 1, "--weight", -1)


def by_data(method, adapters, changes):
    """Both lessons in one adapter, by a method that looks at what they were taught with."""
    data = [root / f"weights/lessons/{lesson}.jsonl" for lesson in LESSONS]
    if method == "fisher":
        return made("merge", *[adapters[lesson] for lesson in LESSONS], "--method", method, "--data", *data)
    # What the family knew is an adapter, too, and what it was taught with is part of what the result is for.
    return made("merge", "own", *[changes[lesson] for lesson in LESSONS], *["--weight", 1] * 3, "--method", method,
                "--data", *data, arguments.family / "rehearsal.jsonl")


def exact(adapter, data, *more):
    report = json.loads(family(
        "frontier", "--data", data, "--only-stops", "--no-speeds", "--json", "--adapter", adapter, *more))
    rows = [row["exactMatch"] for row in report["stitches"]]
    return sum(rows) / len(rows)


def measured(adapter):
    found = {lesson: exact(adapter, root / f"weights/lessons/test/{lesson}.jsonl") for lesson in LESSONS}
    return found | {"others": exact(adapter, arguments.questions, "--questions", arguments.count)}


def own_and(*changes):
    """The family's own adapter with some changes, each by a weight."""
    words = ["merge", "own", *[change for change, _ in changes]]
    for weight in [1] + [weight for _, weight in changes]:
        words += ["--weight", weight]
    return made(*words)


def lines(change, first, last):
    return change if (first, last) == (1, 1) else made("scale", change, "--first", first, "--last", last)


def percent(value):
    return f"{100 * value:.1f} %"


def scale_table(document):
    yield "| lesson | kept of the first block, of the last | lesson | other skills | forgotten |"
    yield "|---|---|---|---|---|"
    for row in document["scales"]:
        lost = document["before"]["others"] - row["others"]
        yield (f"| {row['lesson']} | {row['first']:g}, {row['last']:g} | {percent(row[row['lesson']])} "
               f"| {percent(row['others'])} | {100 * lost:.1f} |")


def merge_table(document):
    alone = {row["lesson"]: row[row["lesson"]] for row in document["scales"] if (row["first"], row["last"]) == (1, 1)}
    yield "| how | " + " | ".join(f"{one}, by its own adapter's" for one in LESSONS) + " | other skills |"
    yield "|---|" + "---|" * len(LESSONS) + "---|"
    rows = [(f"added up, each × {row['weight']:g}" + ("" if row["first"] == 1 else f", {row['first']:g} of it in the first block"), row)
            for row in document["merges"]]
    rows += [(row["method"], row) for row in document["methods"]]
    for how, row in rows:
        cells = [f"{percent(row[one])}, {row[one] / alone[one]:.0%}" for one in LESSONS]
        yield f"| {how} | " + " | ".join(cells) + f" | {percent(row['others'])} |"


with tempfile.TemporaryDirectory(prefix="stitch-adapters-") as folder:
    os.environ["XDG_DATA_HOME"] = folder
    file = root / "docs/measurements/adapters.json"
    if arguments.merging:
        document = json.loads(file.read_text()) | {"methods": []}
    else:
        document = {"count": arguments.count, "before": measured("own"), "scales": [], "merges": [], "methods": []}
    adapters, changes = {}, {}
    for lesson in LESSONS:
        adapters[lesson], changes[lesson] = taught(lesson)
        for first, last in [] if arguments.merging else SCALES:
            row = measured(own_and((lines(changes[lesson], first, last), 1)))
            document["scales"].append({"lesson": lesson, "first": first, "last": last} | row)
            print(document["scales"][-1], flush=True)
    for weight, first in [] if arguments.merging else MERGES:
        parts = [(lines(changes[lesson], first, 1), weight) for lesson in LESSONS]
        document["merges"].append({"weight": weight, "first": first} | measured(own_and(*parts)))
        print(document["merges"][-1], flush=True)
    for method in METHODS:
        document["methods"].append({"method": method} | measured(by_data(method, adapters, changes)))
        print(document["methods"][-1], flush=True)
if not arguments.dry:
    documents.save(file, json.dumps(document, indent=1, sort_keys=True) + "\n")
    documents.fill(root / "docs/lessons.md", {
        "weaker lessons": "\n".join(scale_table(document)), "merged lessons": "\n".join(merge_table(document))})
