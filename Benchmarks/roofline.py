#!/usr/bin/env python3
"""Where the time of a 1.1B goes, and how far it is from what the machine can do.

Prefill is limited by arithmetic, decode by memory: for each type of weights this compares both with their limits, in
rounds, and records with `perf` which functions the time goes to. With --before an older program takes turns with this one.
Writes docs/measurements/roofline.json and the table of docs/performance.md. Idle cores, some minutes."""
import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from statistics import median

import documents
import tables
from measure import CannotRun, machine, progress, run

ROOT = Path(__file__).resolve().parent.parent
TYPES = ["bf16", "q8_0", "q4_0"]
PROMPT, REPLY = 512, 96
# What a function is for, by its name; what fits none of these is the rest of the program or of the system.
PARTS = {
    "products": r"_linear$", "attention": r"_attend$", "waiting": r"ck_(barrier|event)_wait",
    "norms, activations, rotations": r"_(rms_norm|silu_multiply|rotate)$|ck_store_",
}
# Weights that a token of a prompt meets in TinyLlama's shape: of 22 blocks; the head sees the last token alone.
WIDTH, INNER, KEYS, BLOCKS = 2048, 5632, 256, 22
WEIGHTS = BLOCKS * (2 * WIDTH * WIDTH + 2 * WIDTH * KEYS + 3 * WIDTH * INNER)
# The measurement itself: reading memory for its speed, and making that buffer.
IGNORED = r"ck_read_memory|clear_page|MemoryBandwidth|folio_zero"


class Program:
    """One build, with models of its own, for what it calls by the same name may lie otherwise in its files."""

    def __init__(self, stitch, threads, work):
        self.stitch, self.threads, self.work = stitch, threads, work
        rows = json.loads(run([stitch, "bench", "--suite", "kernels", "--json"]))["results"]
        # Most operations a second of one thread alone; several may reach less each.
        self.peaks = {element: median(1e9 * row["gflops"] / row["share_of_peak"] for row in rows if row["type"].lower() == element
                                      and row["instructions"] == rows[-1]["instructions"]) for element in TYPES}
        for element in TYPES:
            # Makes the model.
            run(self.bench(element, "--prompt", 1, "--reply", 1))

    def bench(self, element, *arguments):
        return [self.stitch, "bench", "--suite", "infer", "--shape", "1.1B", "--type", element, "--rounds", 1, "--threads",
                self.threads, "--work", self.work, "--keep", "--json", *arguments]

    def prefill(self, element):
        return self.bench(element, "--prompt", PROMPT, "--reply", 1)

    def decode(self, element):
        return self.bench(element, "--prompt", 16, "--reply", REPLY)

    def shares(self, element):
        """One round: speeds of prefill and decode, and their shares of the limits; by their names in the file."""
        def row(command, case):
            return next(row for row in json.loads(run(command))["results"] if row["case"] == case)
        speed = row(self.prefill(element), "prefill")["tokens_per_second"]
        decode = row(self.decode(element), "decode")
        return {"reading": {"tokens_per_second": speed, "share": 2 * WEIGHTS * speed / (self.threads * self.peaks[element])},
                "writing": {"tokens_per_second": decode["tokens_per_second"], "share": decode["memory_share"]}}


def parts(command):
    """The share of a command's time by part."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "perf.data"
        run(["perf", "record", "-q", "-F", "499", "-o", data, "--", *command])
        report = run(["perf", "report", "-q", "-i", data, "--no-children", "--stdio", "-F", "overhead,symbol"])
    shares = dict.fromkeys([*PARTS, "the rest"], 0.0)
    for line in report.splitlines():
        found = re.match(r"\s*([\d.]+)%\s+\[.\]\s+(\S+)", line)
        if not found or re.search(IGNORED, found[2]):
            continue
        name = re.sub(r"\.arch_.*", "", found[2])
        shares[next((part for part, names in PARTS.items() if re.search(names, name)), "the rest")] += float(found[1])
    total = sum(shares.values())
    if not total:
        raise CannotRun("perf recorded nothing; allow it with `sysctl kernel.perf_event_paranoid=1`")
    return {part: share / total for part, share in shares.items()}


def measured(programs, rounds):
    """By type, kind of work and program: medians of the rounds; and the parts of this program's time."""
    found = {}
    for element in TYPES:
        taken = []
        for number in range(rounds):
            progress(f"{element}: round {number + 1} of {rounds}")
            taken.append({name: program.shares(element) for name, program in programs.items()})
        progress(f"{element}: where the time goes")
        now = programs["now"]
        found[element] = {
            kind: {name: {figure: median(turn[name][kind][figure] for turn in taken) for figure in ["tokens_per_second", "share"]}
                   for name in programs} | {"parts": parts(command)}
            for kind, command in [("reading", now.prefill(element)), ("writing", now.decode(element))]}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stitch", type=Path, default=ROOT / ".build/release/stitch")
    parser.add_argument("--before", type=Path, help="an older program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    work = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stitch" / "bench"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        programs = {"now": Program(arguments.stitch.absolute(), arguments.threads, work)}
        if arguments.before:
            programs = {"before": Program(arguments.before.absolute(), arguments.threads, folder)} | programs
        results = measured(programs, arguments.rounds)
    progress("")
    document = {"machine": machine(), "prompt": PROMPT, "reply": REPLY, "rounds": arguments.rounds, "results": results}
    documents.save(ROOT / "docs/measurements/roofline.json", json.dumps(document, indent=1) + "\n")
    documents.write()
    print(tables.roofline())


if __name__ == "__main__":
    try:
        main()
    except CannotRun as error:
        print(f"roofline: {error}", file=sys.stderr)
        sys.exit(2)
