#!/usr/bin/env python3
"""Writes docs/smollm2-replies.md: what three stops of the default family answer to questions they were not healed on.

    scripts/smollm2-replies.py FAMILY PROMPTS

Greedy, at most 200 tokens. Below each question are the replies of a small, a middle and the largest stop; at the top how
many of them ended by themselves.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

STITCH = ".build/release/stitch"
MOST = 200


def generated(family, stitch, prompts, output):
    subprocess.run(
        [STITCH, "generate", "--family", family, "--stitch", stitch, "--prompts", prompts, "--output", str(output),
         "--max-tokens", str(MOST), "--temperature", "0", "--keep-cut"], check=True)
    records = [json.loads(line) for line in output.read_text().splitlines()]
    return {record["generation"]["index"]: record for record in records}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    family, prompts = sys.argv[1:]
    shown = json.loads(subprocess.run(
        [STITCH, "family", "show", family, "--json"], check=True, capture_output=True, text=True).stdout)
    stops = json.loads((pathlib.Path(family) / "family.json").read_text())["stops"]
    cost = {stitch["id"]: stitch["flops_per_token"] for stitch in shown["stitches"]}
    chosen = [stops[len(stops) // 4], stops[2 * len(stops) // 3], stops[-1]]
    with tempfile.TemporaryDirectory() as folder:
        replies = [
            generated(family, stop, prompts, pathlib.Path(folder) / f"{place}.jsonl") for place, stop in enumerate(chosen)]
    questions = [json.loads(line)["messages"][-1]["content"] for line in open(prompts)]
    lines = ["# What three sizes answer", "",
             f"Written by `scripts/smollm2-replies.py`: {len(questions)} questions that nothing was healed on, greedy, "
             f"at most {MOST} tokens.", "",
             "| size | cost of a token | replies that ended by themselves |", "|---|---|---|"]
    for stop, found in zip(chosen, replies):
        ended = sum(record["generation"]["finish"] == "stop" for record in found.values())
        lines.append(
            f"| {stops.index(stop) + 1} of {len(stops)}: `{stop}` | {cost[stop] / cost[stops[-1]]:.0%} of the largest's "
            f"| {ended} of {len(questions)} |")
    for index, question in enumerate(questions):
        lines += ["", f"## {question}"]
        for stop, found in zip(chosen, replies):
            # Empty replies are left out of what was generated.
            record = found.get(index)
            text = record["messages"][-1]["content"] if record else ""
            lines += ["", f"**{stops.index(stop) + 1} of {len(stops)}**", "", "```text", text.replace("```", "'''"), "```"]
            if record and record["generation"]["finish"] != "stop":
                lines += ["", f"(cut at {MOST} tokens)"]
    pathlib.Path("docs/smollm2-replies.md").write_text("\n".join(lines) + "\n")


main()
