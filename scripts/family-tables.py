#!/usr/bin/env python3
"""Writes the tables of docs/default-family.md and docs/smollm2-family.md from what was measured: frontier.json of both
families, and of SmolLM2's the files docs/measurements/smollm2-*."""
import json
import math
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(root / "Benchmarks"))
import documents
from measure import CannotRun


def read(path):
    return json.loads((root / path).read_text())


def stitches(frontier):
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


def kinds(frontier):
    anchors = [row for row in frontier["stitches"] if "@" not in row["id"]]
    yield "| kind | " + " | ".join(row["id"] for row in anchors) + " |"
    yield "|---|" + "---|" * len(anchors)
    for kind in sorted(anchors[0]["byKind"]):
        yield f"| {kind} | " + " | ".join(f"{100 * row['byKind'][kind]:.0f} %" for row in anchors) + " |"


def left_out(route):
    """How many blocks a route leaves out, from its text: `NAME[0..<3] → NAME[10..<30]`."""
    bounds = [part.split("[")[1].rstrip("]").split("..<") for part in route.split(" → ")]
    return sum(int(after[0]) - int(before[1]) for before, after in zip(bounds, bounds[1:]))


def smollm2_stops(frontier, fitted):
    before = {row["id"]: row for row in fitted["stitches"]}
    whole = frontier["stitches"][-1]
    yield "| stop | blocks left out | time per token | agreement | before | KL | before | loss |"
    yield "|---|---|---|---|---|---|---|---|"
    for number, row in enumerate(frontier["stitches"], 1):
        earlier = before[row["id"]]
        yield (
            f"| {number} | {left_out(row['route'])} "
            f"| {1000 / row['tokensPerSecond']:.2f} ms, {whole['tokensPerSecond'] / row['tokensPerSecond']:.0%} "
            f"| {100 * row['agreement']:.1f} % | {100 * earlier['agreement']:.1f} % "
            f"| {row['divergence']:.3f} | {earlier['divergence']:.3f} | {row['loss']:.3f} |"
        )


def smollm2_kinds(frontier):
    kinds = sorted(frontier["stitches"][0]["textsByKind"])
    yield "| agreement on | tokens | " + " | ".join(str(n) for n in range(1, len(frontier["stitches"]))) + " |"
    yield "|---|---|" + "---|" * (len(frontier["stitches"]) - 1)
    for kind in kinds:
        rows = [row["textsByKind"][kind] for row in frontier["stitches"]]
        yield f"| {kind} | {rows[0]['tokens']:,} | " + " | ".join(f"{100 * row['agreement']:.0f} %" for row in rows[:-1]) + " |"


def smollm2_moves():
    yield "| `--move-weight` | mean KL of the stops | mean agreement | left to compute after a move |"
    yield "|---|---|---|---|"
    for row in read("docs/measurements/smollm2-moves.json"):
        yield f"| {row['weight']:g} | {row['divergence']:.3f} | {100 * row['agreement']:.1f} % | {row['moved']:.0%} |"


def smollm2_speculation():
    yield "| stop | drafter | drafts accepted | speed, by that without drafts |"
    yield "|---|---|---|---|"
    for report in read("docs/measurements/smollm2-speculation.json"):
        for row in report["results"]:
            accepted = f"{row['accepted']} of {row['guessed']}" if row["guessed"] else "none made"
            yield f"| `{row['stitch']}` | `{row['drafter']}` | {accepted} | {row['ratio']:.2f} |"


def healing_log():
    """What was measured while healing, in one row of tokens."""
    before, lines = 0, []
    for name in ("smollm2-healing.jsonl", "smollm2-healing-more.jsonl"):
        file = root / "docs/measurements" / name
        if not file.exists():
            continue
        found = [json.loads(line) for line in file.read_text().splitlines()]
        lines.append([(before + line["tokens"], line["stitches"]) for line in found if line.get("stitches")])
        before = lines[-1][-1][0]
    return lines


def smollm2_healing(frontier):
    ids = [row["id"] for row in frontier["stitches"][:-1]]
    yield "| tokens | " + " | ".join(str(n) for n in range(1, len(ids) + 1)) + " |"
    yield "|---|" + "---|" * len(ids)
    for run in healing_log():
        for tokens, losses in run:
            yield f"| {tokens:,} | " + " | ".join(f"{losses[id]:.3f}" for id in ids) + " |"


def smollm2_promise(frontier):
    """From the ends of both runs, where the learning rate had fallen alike: what a doubling of tokens takes away."""
    (first, before), (last, after) = [run[-1] for run in healing_log()]
    doublings = math.log2(last / first)
    yield f"| stop | KL after {first / 1e6:.1f} M tokens | after {last / 1e6:.1f} M | factor for a doubling | promised for {10 * last / 1e6:.0f} M |"
    yield "|---|---|---|---|---|"
    for number, row in enumerate(frontier["stitches"][:-1], 1):
        one, two = before[row["id"]], after[row["id"]]
        factor = (two / one) ** (1 / doublings)
        yield f"| {number} | {one:.3f} | {two:.3f} | {factor:.2f} | {two * factor ** math.log2(10):.3f} |"


def smollm2_other():
    """What healing on other text, mixed in two ways, changed on held-out text, and in what is written."""
    names = ("healed", "healed-texts", "healed-chats")
    found = [read(f"docs/measurements/smollm2-{name}.json")["stitches"] for name in names]
    yield "| stop | agreement | mostly texts | mostly conversations | KL | mostly texts | mostly conversations |"
    yield "|---|---|---|---|---|---|---|"
    for number, rows in enumerate(list(zip(*found))[:-1], 1):
        yield f"| {number} | " + " | ".join(
            [f"{100 * row['agreement']:.1f} %" for row in rows] + [f"{row['divergence']:.3f}" for row in rows]) + " |"
    replies = [read(f"docs/measurements/smollm2-replies-{name}.json") for name in names]
    ids = [row["id"] for row in found[0]]
    for row in list(zip(*replies))[:-1]:
        questions = row[0]["questions"]
        yield (
            f"| {ids.index(row[0]['stitch']) + 1}, of {questions} replies ended / repeat themselves | "
            + " | ".join(f"{one['ended']} / {one['repeating']}" for one in row) + " | | | |")


try:
    tiny = read("weights/tiny/frontier.json")
    documents.fill(root / "docs/default-family.md", {"stitches": "\n".join(stitches(tiny)), "kinds": "\n".join(kinds(tiny))})
    if (root / "weights/smollm2/frontier.json").exists():
        smollm2 = read("weights/smollm2/frontier.json")
        fitted = read("docs/measurements/smollm2-fitted.json")
        documents.fill(root / "docs/smollm2-family.md", {
            "smollm2 stops": "\n".join(smollm2_stops(smollm2, fitted)), "smollm2 kinds": "\n".join(smollm2_kinds(smollm2)),
            "smollm2 healing": "\n".join(smollm2_healing(smollm2)), "smollm2 promise": "\n".join(smollm2_promise(smollm2)),
            "smollm2 other": "\n".join(smollm2_other()),
            "smollm2 moves": "\n".join(smollm2_moves()),
            "smollm2 speculation": "\n".join(smollm2_speculation()),
        })
except CannotRun as error:
    raise SystemExit(f"family-tables: {error}")
print("wrote the tables of docs/default-family.md and docs/smollm2-family.md")
