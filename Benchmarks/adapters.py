#!/usr/bin/env python3
"""What `stitch adapter scale` and `merge` are worth: teaches the default family without a network two lessons, weakens what
they taught (LiNeS, arXiv 2410.17146), adds both up (task arithmetic, arXiv 2212.04089), merges them by Fisher information
(arXiv 2111.09832) and by learned scales (ScaLearn, arXiv 2310.01217), teaches each to the family as it was by what it writes
itself (Trans-LoRA, arXiv 2405.17258), and measures exact match on the lessons' tests and on test questions of its other
skills. Writes docs/measurements/adapters.json and the tables of docs/lessons.md. Some forty minutes on two cores; figures do
not depend on time."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import documents

root = pathlib.Path(__file__).resolve().parent.parent
# Of the file: lessons weakened, those taught plainly, too; added up; merged by methods that look at data; and taught to the
# family as it was.
PARTS = ["scales", "plain", "merges", "methods", "transfers"]
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--family", default=root / "weights/tiny")
parser.add_argument("--questions", required=True, help="questions of the family's other skills (test.jsonl of the corpus)")
parser.add_argument("--count", type=int, default=600, help="how many of them")
parser.add_argument("--only", choices=PARTS, action="append", help="measure this part, and keep the rest of the file; may come again")
parser.add_argument("--dry", action="store_true", help="print, write nothing")
arguments = parser.parse_args()

LESSONS = ["facts", "pirate"]
# What is kept of the first and of the last block's updates.
SCALES = [(1, 1), (0.75, 0.75), (0.5, 0.5), (0.75, 1), (0.5, 1), (0.25, 1), (0, 1)]
# The same of a lesson that was taught without rehearsing and without a pull back to what was there before, which forgets more.
PLAIN_LESSON, PLAIN_SCALES = "pirate", [(1, 1), (0.9, 0.9), (0.8, 0.8), (0.9, 1), (0.8, 1), (0.7, 1)]
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


def taught(lesson, *more):
    """The family's adapter after a lesson, and what the lesson changes of it as an adapter."""
    family("adapt", "--continue", "--data", root / f"weights/lessons/{lesson}.jsonl", *more)
    latest = json.loads(family("adapter", "list", "--json"))["adapters"]
    newest = max((one for one in latest if one.get("saved")), key=lambda one: one["saved"])["adapter"]
    return newest, made("merge", newest, "own", "--weight", 1, "--weight", -1)


def plainly_taught(lesson, folder):
    """What a lesson changes that is taught like any other data, and the adapter after it."""
    known, arguments.family = arguments.family, pathlib.Path(folder) / "family"
    shutil.copytree(known, arguments.family)
    (arguments.family / "rehearsal.jsonl").unlink()
    found = taught(lesson, "--start-decay", 0)
    arguments.family = known
    return found


def by_data(method, adapters, changes):
    """Both lessons in one adapter, by a method that looks at what they were taught with."""
    data = [root / f"weights/lessons/{lesson}.jsonl" for lesson in LESSONS]
    if method == "fisher":
        return made("merge", *[adapters[lesson] for lesson in LESSONS], "--method", method, "--data", *data)
    # What the family knew is an adapter, too, and what it was taught with is part of what the result is for.
    return made("merge", "own", *[changes[lesson] for lesson in LESSONS], *["--weight", 1] * 3, "--method", method,
                "--data", *data, arguments.family / "rehearsal.jsonl")


def transferred(adapter, lesson):
    """What the family as it was learns of a lesson from the one that was taught it, by questions that it writes."""
    report = json.loads(family(
        "adapter", "transfer", adapter, "--to", arguments.family, "--method", "trans-lora",
        "--data", root / f"weights/lessons/{lesson}.jsonl", "--json"))
    test = root / f"weights/lessons/test/{lesson}.jsonl"
    return {name: report[name] for name in ["written", "accepted"]} | {
        "lesson": lesson, "taught": exact(adapter, test), "transferred": exact(report["adapter"], test)}


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
    plain = [(f"{row['lesson']}, without rehearsing", row) for row in document["plain"]]
    for name, row in [(row["lesson"], row) for row in document["scales"]] + plain:
        lost = document["before"]["others"] - row["others"]
        yield (f"| {name} | {row['first']:g}, {row['last']:g} | {percent(row[row['lesson']])} "
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


def transfer_table(document):
    yield "| lesson | questions written, kept | taught | transferred |"
    yield "|---|---|---|---|"
    for row in document["transfers"]:
        yield (f"| {row['lesson']} | {row['written']:,}, {row['accepted']:,} | {percent(row['taught'])} "
               f"| {percent(row['transferred'])} |")


with tempfile.TemporaryDirectory(prefix="stitch-adapters-") as folder:
    os.environ["XDG_DATA_HOME"] = folder
    file = root / "docs/measurements/adapters.json"
    parts = arguments.only or PARTS
    kept = json.loads(file.read_text()) if arguments.only else {"count": arguments.count, "before": measured("own")}
    document = kept | {part: [] for part in parts}

    def add(part, row):
        document[part].append(row)
        print(row, flush=True)

    adapters, changes = {}, {}
    for lesson in LESSONS if parts != ["plain"] else []:
        adapters[lesson], changes[lesson] = taught(lesson)
        for first, last in SCALES if "scales" in parts else []:
            row = measured(own_and((lines(changes[lesson], first, last), 1)))
            add("scales", {"lesson": lesson, "first": first, "last": last} | row)
    if "plain" in parts:
        adapter, change = plainly_taught(PLAIN_LESSON, folder)
        for first, last in PLAIN_SCALES:
            row = measured(adapter if (first, last) == (1, 1) else own_and((lines(change, first, last), 1)))
            add("plain", {"lesson": PLAIN_LESSON, "first": first, "last": last} | row)
    for weight, first in MERGES if "merges" in parts else []:
        row = measured(own_and(*[(lines(changes[lesson], first, 1), weight) for lesson in LESSONS]))
        add("merges", {"weight": weight, "first": first} | row)
    for method in METHODS if "methods" in parts else []:
        add("methods", {"method": method} | measured(by_data(method, adapters, changes)))
    for lesson in LESSONS if "transfers" in parts else []:
        add("transfers", transferred(adapters[lesson], lesson))
if not arguments.dry:
    documents.save(file, json.dumps(document, indent=1, sort_keys=True) + "\n")
    documents.fill(root / "docs/lessons.md", {
        "weaker lessons": "\n".join(scale_table(document)), "merged lessons": "\n".join(merge_table(document)),
        "transferred lessons": "\n".join(transfer_table(document))})
