#!/usr/bin/env python3
"""Writes the tables of docs/default-family.md from weights/tiny/frontier.json."""
import json
import pathlib
import re

root = pathlib.Path(__file__).resolve().parent.parent
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


text = document.read_text()
for name, lines in (("stitches", stitches()), ("kinds", kinds())):
    block = f"<!-- {name} -->\n\n" + "\n".join(lines) + f"\n\n<!-- end of {name} -->"
    text, count = re.subn(f"<!-- {name} -->.*?<!-- end of {name} -->", lambda _: block, text, flags=re.S)
    if count != 1:
        raise SystemExit(f"{document}: the markers of {name} are missing; restore them")
document.write_text(text)
print(f"wrote {document.relative_to(root)}")
