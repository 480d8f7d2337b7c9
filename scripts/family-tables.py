#!/usr/bin/env python3
"""Writes the tables of docs/default-family.md from weights/tiny/frontier.json."""
import json
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(root / "Benchmarks"))
import documents
from measure import CannotRun

frontier = json.loads((root / "weights/tiny/frontier.json").read_text())
document = root / "docs/default-family.md"


def stitches():
    yield "| stitch | route | parameters | FLOPs/token | exact match | perplexity | against the cheaper stop |"
    yield "|---|---|---|---|---|---|---|"
    for row in frontier["stitches"]:
        name = f"**{row['id']}**" if row["isStop"] else row["id"]
        paired = row.get("againstCheaperStop")
        test = f"+{paired['gained']} −{paired['lost']}, p = {paired['pValue']:.2g}" if paired else ""
        yield (
            f"| {name} | `{row['route']}` | {row['parameters'] / 1e6:.2f} M | {row['flopsPerToken'] / 1e6:.1f} M "
            f"| {100 * row['exactMatch']:.1f} % | {row['perplexity']:.3f} | {test} |"
        )


def kinds():
    anchors = [row for row in frontier["stitches"] if "@" not in row["id"]]
    yield "| kind | " + " | ".join(row["id"] for row in anchors) + " |"
    yield "|---|" + "---|" * len(anchors)
    for kind in sorted(anchors[0]["byKind"]):
        yield f"| {kind} | " + " | ".join(f"{100 * row['byKind'][kind]:.0f} %" for row in anchors) + " |"


try:
    documents.fill(document, {"stitches": "\n".join(stitches()), "kinds": "\n".join(kinds())})
except CannotRun as error:
    raise SystemExit(f"family-tables: {error}")
print(f"wrote {document.relative_to(root)}")
