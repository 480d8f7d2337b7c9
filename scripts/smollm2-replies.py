#!/usr/bin/env python3
"""Writes docs/smollm2-replies.md: what three stops of the default family answer to questions they were not healed on.

    scripts/smollm2-replies.py FAMILY PROMPTS [OUTPUT]
    scripts/smollm2-replies.py --counts FAMILY PROMPTS FILE     only counts them, into a JSON file

As the family has it where nobody says otherwise, at most 400 tokens. Below each question are the replies of a small, a
middle and the largest stop; at the top how many of them ended by themselves and how many say a phrase over and over, also
without the family's repetition penalty.
"""
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

STITCH = ".build/release/stitch"
MOST = 400


def generated(family, stitch, prompts, output, *options):
    subprocess.run(
        [STITCH, "generate", "--family", family, "--stitch", stitch, "--prompts", prompts, "--output", str(output),
         "--max-tokens", str(MOST), "--keep-cut", *options], check=True)
    records = [json.loads(line) for line in output.read_text().splitlines()]
    return {record["generation"]["index"]: record for record in records}


def repeats(text):
    """Whether six words in a row come three times or more."""
    words = text.split()
    counts = collections.Counter(tuple(words[start:start + 6]) for start in range(len(words) - 5))
    return max(counts.values(), default=0) >= 3


def counted(found):
    """Replies that ended by themselves, and that repeat themselves."""
    return (
        sum(record["generation"]["finish"] == "stop" for record in found.values()),
        sum(repeats(record["messages"][-1]["content"]) for record in found.values()))


def summary(found, questions):
    ended, looped = counted(found)
    return f"{ended} of {len(questions)} | {looped}"


def main():
    counts = sys.argv[1:2] == ["--counts"]
    words = sys.argv[1 + counts:]
    if not 3 - (not counts) <= len(words) <= 3:
        sys.exit(__doc__)
    family, prompts = words[:2]
    output = pathlib.Path(words[2] if len(words) == 3 else "docs/smollm2-replies.md")
    shown = json.loads(subprocess.run(
        [STITCH, "family", "show", family, "--json"], check=True, capture_output=True, text=True).stdout)
    stops = json.loads((pathlib.Path(family) / "family.json").read_text())["stops"]
    cost = {stitch["id"]: stitch["flops_per_token"] for stitch in shown["stitches"]}
    chosen = [stops[len(stops) // 4], stops[2 * len(stops) // 3], stops[-1]]
    with tempfile.TemporaryDirectory() as folder:
        replies, *unpenalised = [
            [generated(family, stop, prompts, pathlib.Path(folder) / f"{name}{place}.jsonl", *options)
             for place, stop in enumerate(chosen)]
            for name, options in (("own-", []), ("plain-", ["--repetition-penalty", "1"]))[:1 if counts else 2]]
    questions = [json.loads(line)["messages"][-1]["content"] for line in open(prompts)]
    if counts:
        rows = [{"stitch": stop, "questions": len(questions)} | dict(zip(("ended", "repeating"), counted(found)))
                for stop, found in zip(chosen, replies)]
        output.write_text(json.dumps(rows, indent=1) + "\n")
        return
    lines = ["# What three sizes answer", "",
             f"Written by `scripts/smollm2-replies.py`: {len(questions)} questions that nothing was healed on, greedy with "
             f"the family's repetition penalty, at most {MOST} tokens.", "",
             "| size | cost of a token | replies that ended by themselves | that repeat themselves | without the penalty: ended | repeat |",
             "|---|---|---|---|---|---|"]
    for stop, found, plain in zip(chosen, replies, unpenalised[0]):
        lines.append(
            f"| {stops.index(stop) + 1} of {len(stops)}: `{stop}` | {cost[stop] / cost[stops[-1]]:.0%} of the largest's "
            f"| {summary(found, questions)} | {summary(plain, questions)} |")
    lines += ["", "A reply repeats itself where six words in a row come three times or more."]
    for index, question in enumerate(questions):
        lines += ["", f"## {question}"]
        for stop, found in zip(chosen, replies):
            # Empty replies are left out of what was generated.
            record = found.get(index)
            text = record["messages"][-1]["content"] if record else ""
            lines += ["", f"**{stops.index(stop) + 1} of {len(stops)}**", "", "```text", text.replace("```", "'''"), "```"]
            if record and record["generation"]["finish"] != "stop":
                lines += ["", f"(cut at {MOST} tokens)"]
    output.write_text("\n".join(lines) + "\n")


main()
