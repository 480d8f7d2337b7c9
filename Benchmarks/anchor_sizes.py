#!/usr/bin/env python3
"""What `stitch anchor grow` and `shrink` make of a model before it is healed: perplexity of a text, for each method and
number of blocks. Writes docs/measurements/anchor-sizes.json and the table of docs/method.md. Some ten minutes on two cores
with SmolLM2-135M; figures do not depend on time."""
import argparse
import json
import pathlib
import subprocess
import tempfile

import documents

root = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--model", default="smollm2-135m")
parser.add_argument("--blocks", default="26,28,32,36", help="numbers of blocks, with commas")
parser.add_argument("--text", default=root / "docs/serving.md", help="what perplexity is measured on")
parser.add_argument("--dry", action="store_true", help="print, write nothing")
arguments = parser.parse_args()
text = pathlib.Path(arguments.text).resolve()


def stitch(*words):
    return json.loads(subprocess.run(
        [str(arguments.stitch), *map(str, words), "--json"], check=True, capture_output=True, text=True).stdout)


def perplexity(model):
    return stitch("score", text, "--model", model)


with tempfile.TemporaryDirectory(prefix="stitch-anchors-") as folder:
    folder = pathlib.Path(folder)
    whole = perplexity(arguments.model)
    rows = []
    for blocks in map(int, arguments.blocks.split(",")):
        for change, method in [("shrink", "fold"), ("shrink", "drop"), ("grow", "zero"), ("grow", "copy"), ("grow", "lesa")]:
            output = folder / f"{method}-{blocks}"
            try:
                made = stitch("anchor", change, "--model", arguments.model, "--blocks", blocks, "--method", method,
                              "--output", output)
            except subprocess.CalledProcessError:
                continue  # a model is not shrunk to more blocks than it has
            rows.append({"method": method, "blocks": blocks, "parameters": made["parameters"],
                         "perplexity": perplexity(output)["perplexity"]})
            print(rows[-1], flush=True)
document = {"model": arguments.model, "tokens": whole["tokens"], "perplexity": whole["perplexity"], "anchors": rows}


def table():
    yield "| blocks | " + " | ".join(["fold", "drop", "zero", "copy", "lesa"]) + " |"
    yield "|---|---|---|---|---|---|"
    for blocks in sorted({row["blocks"] for row in rows}):
        found = {row["method"]: f"{row['perplexity']:,.1f}" for row in rows if row["blocks"] == blocks}
        yield f"| {blocks} | " + " | ".join(found.get(one, "") for one in ["fold", "drop", "zero", "copy", "lesa"]) + " |"
    yield f"| whole | " + " | ".join([f"{whole['perplexity']:,.1f}"] * 5) + " |"


if not arguments.dry:
    documents.save(root / "docs/measurements/anchor-sizes.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
    documents.fill(root / "docs/method.md", {"sizes of an anchor": "\n".join(table())})
