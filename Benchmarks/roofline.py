#!/usr/bin/env python3
"""Where the time of a 1.1B goes, and how far it is from what the machine can do.

Reading a prompt is limited by arithmetic, writing by memory: for each type of weights this compares both with their limits,
measured in the same run, and records with `perf` which functions the time goes to. With --before the same of an older
program, for comparison. Writes docs/measurements/roofline.json and the tables of docs/performance.md. Idle cores, some
minutes."""
import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from statistics import median

from measure import CannotRun, machine, progress, run

ROOT = Path(__file__).resolve().parent.parent
TYPES = ["bf16", "q8_0", "q4_0"]
PROMPT, REPLY = 512, 96
# What a function is for, by its name; what fits none of these is the rest of the program or of the system.
PARTS = {
    "products": r"_linear$", "attention": r"_attend$", "waiting": r"ck_(barrier|event)_wait",
    "norms, activations, rotations": r"_(rms_norm|silu_multiply|rotate)$|ck_store_",
}
# The measurement itself: reading memory for its speed, and making that buffer.
IGNORED = r"ck_read_memory|clear_page|MemoryBandwidth|folio_zero"


def profile(command):
    """The output of a command, and the share of its time by part."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "perf.data"
        output = run(["perf", "record", "-q", "-F", "499", "-o", data, "--", *command])
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
    return json.loads(output), {part: share / total for part, share in shares.items()}


def peaks(stitch):
    """Most operations a second of one thread, by type."""
    rows = json.loads(run([stitch, "bench", "--suite", "kernels", "--json"]))["results"]
    best = rows[-1]["instructions"]
    return {element: median(1e9 * row["gflops"] / row["share_of_peak"] for row in rows
                            if row["type"].lower() == element and row["instructions"] == best) for element in TYPES}


def measure(stitch, threads, work):
    units = peaks(stitch)
    found = {}
    for element in TYPES:
        bench = [stitch, "bench", "--suite", "infer", "--shape", "1.1B", "--type", element, "--rounds", 3, "--threads", threads,
                 "--work", work, "--keep", "--json"]
        # The first run makes the model.
        run(bench + ["--prompt", 1, "--reply", 1])
        progress(f"{element}: reading")
        reading, read_shares = profile(bench + ["--prompt", PROMPT, "--reply", 1])
        progress(f"{element}: writing")
        writing, write_shares = profile(bench + ["--prompt", 16, "--reply", REPLY])
        speed = next(row for row in reading["results"] if row["case"] == "prefill")["tokens_per_second"]
        decode = next(row for row in writing["results"] if row["case"] == "decode")
        # All matrices but the embedding; their bytes say how many weights there are.
        weights = sum(SHAPE)
        found[element] = {
            "reading": {"tokens_per_second": speed, "share_of_arithmetic": 2 * weights * speed / (threads * units[element]),
                        "parts": read_shares},
            "writing": {"tokens_per_second": decode["tokens_per_second"], "share_of_memory": decode["memory_share"],
                        "parts": write_shares},
            "operations_per_second": units[element], "memory_bytes_per_second": writing["memory_bytes_per_second"],
        }
    return found


# Weights that a token meets in TinyLlama's shape: of each of 22 blocks, and the head.
WIDTH, INNER, KEYS, BLOCKS, VOCABULARY = 2048, 5632, 256, 22, 32000
SHAPE = [BLOCKS * (2 * WIDTH * WIDTH + 2 * WIDTH * KEYS + 3 * WIDTH * INNER), WIDTH * VOCABULARY]


def tables(document):
    lines = ["| weights | | of the limit | " + " | ".join([*PARTS, "the rest"]) + " |", "|---|---|---|" + "---|" * (len(PARTS) + 1)]
    for name, label in [("before", ", before"), ("now", "")]:
        for element, figures in document.get(name, {}).items():
            for kind, share in [("reading", "share_of_arithmetic"), ("writing", "share_of_memory")]:
                parts = " | ".join(f"{100 * value:.1f} %" for value in figures[kind]["parts"].values())
                lines.append(f"| {element.upper()} | {kind}{label} | {figures[kind][share]:.2f} | {parts} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stitch", type=Path, default=ROOT / ".build/release/stitch")
    parser.add_argument("--before", type=Path, help="an older program")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    work = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stitch" / "bench"
    document = {"machine": machine(), "prompt": PROMPT, "reply": REPLY}
    if arguments.before:
        # What it calls by the same name may lie otherwise.
        document["before"] = measure(arguments.before.absolute(), arguments.threads, work / "before")
    document["now"] = measure(arguments.stitch.absolute(), arguments.threads, work)
    progress("")
    (ROOT / "docs/measurements/roofline.json").write_text(json.dumps(document, indent=1) + "\n")
    page = ROOT / "docs/performance.md"
    text, count = re.subn("<!-- roofline -->.*?<!-- end of roofline -->",
                          lambda _: f"<!-- roofline -->\n\n{tables(document)}\n\n<!-- end of roofline -->", page.read_text(), flags=re.S)
    if count != 1:
        raise CannotRun(f"{page}: the markers of the table are missing; restore them")
    page.write_text(text)
    print(tables(document))


if __name__ == "__main__":
    try:
        main()
    except CannotRun as error:
        print(f"roofline: {error}", file=sys.stderr)
        sys.exit(2)
