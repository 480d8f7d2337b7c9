#!/usr/bin/env python3
"""What a soft prompt is worth to another task (`stitch adapter transfer --method panda` and `pot`): the default family learns each
lesson by a soft prompt after another one, in equal steps: from nothing, from the other lesson's prompt on (PoT), and beside a
teacher that has gone on from that prompt, or reads it as it is (PANDA, arXiv 2208.10160). It is the family itself, or its
smallest anchor as a model of its own.
Held-out losses are those of the lessons' validation sets, the mean over the slider's stops. Writes a row for each pair of lessons
to docs/measurements/prompt-transfer.json and the table of docs/method.md; an hour on two cores; figures do not depend on time."""
import argparse
import json
import os
import pathlib
import tempfile

import documents
from measure import CannotRun, run

root = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--family", default=root / "weights/tiny")
parser.add_argument("--anchor", default="small", help="the anchor that teaches from small to large")
parser.add_argument("--pair", action="append", default=[], help="lessons of weights/lessons, the first one and the second, as facts:pirate")
parser.add_argument("--source-steps", type=int, default=400, help="in which the first lesson is learned")
parser.add_argument("--steps", type=int, default=150, help="in which the second one is")
parser.add_argument("--weight", type=float, action="append", default=[], help="what the teacher counts for (default: 0.1, 1)")
parser.add_argument("--table", action="store_true", help="measure nothing, write the table anew")
parser.add_argument("--dry", action="store_true", help="print, write nothing")
arguments = parser.parse_args()

PAIRS = [pair.split(":") for pair in arguments.pair or ["facts:pirate", "pirate:doubles", "doubles:facts"]]
WEIGHTS = arguments.weight or [0.1, 1]
TEACHER_STEPS = [arguments.steps, 0]
FILE = root / "docs/measurements/prompt-transfer.json"


def stitch(*words):
    return run([arguments.stitch, *words])


def lesson(name, part="."):
    return root / "weights/lessons" / part / f"{name}.jsonl"


def taught(family, name):
    """The adapter of a family that has learned a lesson by a soft prompt, on top of what it knows."""
    stitch("adapt", "--family", family, "--update", "dept", "--data", lesson(name), "--steps", arguments.source_steps,
           "--continue", "--start-decay", "0")
    saved = [one for one in json.loads(stitch("adapter", "list", "--family", family, "--json"))["adapters"] if one.get("saved")]
    return max(saved, key=lambda one: one["saved"])["adapter"]


def learned(source, adapter, name, method, *more):
    """What the family makes of a lesson, given another one's prompt."""
    report = json.loads(stitch(
        "adapter", "transfer", adapter, "--family", source, "--to", arguments.family, "--method", method,
        "--data", lesson(name), "--steps", arguments.steps, "--json", *more))
    return {"loss": loss(name, report["adapter"]), "similarity": report.get("similarity"), "weight": report["weight"]}


def loss(name, adapter):
    report = json.loads(stitch(
        "frontier", "--family", arguments.family, "--data", lesson(name, "validation"), "--only-stops", "--no-speeds", "--loss-only", "--json",
        "--adapter", adapter))
    losses = [row["loss"] for row in report["stitches"]]
    return sum(losses) / len(losses)


def known():
    """What was measured before by the same steps and weights, or nothing."""
    empty = {
        "family": pathlib.Path(arguments.family).name, "anchor": arguments.anchor, "sourceSteps": arguments.source_steps,
        "steps": arguments.steps, "weights": WEIGHTS, "rows": []}
    if not FILE.exists():
        return empty
    found = json.loads(FILE.read_text())
    return found if found | {"rows": []} == empty else empty


def measure(small, document):
    """Adds a row for each pair, in place of what was known of it; what is done is kept when the next one is stopped."""
    places = {"itself": arguments.family, arguments.anchor: small}
    for source, target in PAIRS:
        prompts = {place: taught(family, source) for place, family in places.items()}
        row = {
            "source": source, "target": target, "before": loss(target, "own"),
            "nothing": learned(arguments.family, prompts["itself"], target, "panda", "--weight", "0")["loss"],
            "pot": learned(arguments.family, prompts["itself"], target, "pot")["loss"], "panda": []}
        for place, family in places.items():
            for first in TEACHER_STEPS:
                for weight in WEIGHTS:
                    found = learned(family, prompts[place], target, "panda", "--weight", weight, "--teacher-steps", first)
                    row["panda"].append({"teacher": place, "teacherSteps": first, "most": weight} | found)
        document["rows"] = [one for one in document["rows"] if (one["source"], one["target"]) != (source, target)] + [row]
        print(json.dumps(row), flush=True)
        write(document)


def write(document):
    if not arguments.dry:
        documents.save(FILE, json.dumps(document, indent=1, sort_keys=True) + "\n")
        documents.fill(root / "docs/method.md", {"prompt transfer": "\n".join(table(document))})


def table(document):
    yield ("| lessons | taught by | similarity | before | from nothing | PoT | "
           + " | ".join(f"PANDA, λ {weight:g}" for weight in document["weights"]) + " |")
    yield "|---" * (6 + len(document["weights"])) + "|"
    for row in document["rows"]:
        beside = [f"{row['source']} → {row['target']}", *[f"{row[one]:.4f}" for one in ("before", "nothing", "pot")]]
        for first in row["panda"][::len(document["weights"])]:
            found = [one for one in row["panda"] if (one["teacher"], one["teacherSteps"]) == (first["teacher"], first["teacherSteps"])]
            teacher = "itself" if first["teacher"] == "itself" else f"`{first['teacher']}`"
            teacher += ", which learns it first" if first["teacherSteps"] else ", as it is"
            yield (f"| {beside[0]} | {teacher} | {first['similarity']:.3f} | " + " | ".join(beside[1:]) + " | "
                   + " | ".join(f"{one['loss']:.4f}" for one in found) + " |")
            beside = [""] * len(beside)


try:
    document = known()
    if arguments.table:
        write(document)
    else:
        with tempfile.TemporaryDirectory(prefix="stitch-prompts-") as folder:
            os.environ["XDG_DATA_HOME"] = os.environ["XDG_CACHE_HOME"] = folder
            small = pathlib.Path(folder) / arguments.anchor
            stitch("export", "--family", arguments.family, "--stitch", arguments.anchor, "--adapter", "own", "--output", small)
            measure(small, document)
    print("\n".join(table(document)))
except CannotRun as error:
    raise SystemExit(f"prompt_transfer: {error}")
