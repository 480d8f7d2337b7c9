#!/usr/bin/env python3
"""Measures `stitch` against its peers, side by side in one run.

Needs no pip packages itself; peers/setup.sh makes the environment the peers run in.

Absolute figures drift with the machine and the hour, so each round runs ours, then theirs, and
what is reported is the median over the rounds of the ratio within a round. `startup` has no peer:
it is how long `stitch chat` takes to draw its first screen in a pseudo-terminal.

One table goes to standard output, everything measured to --output. Exit code 2: could not run.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import first_screen

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SHAPES = {"train": ["8M", "large", "134M"], "infer": ["large", "134M"]}
CASES = {"train": ["train-lora", "train-full"], "infer": ["prefill", "decode"]}
# A larger share of the processor in other programs' hands makes a comparison worthless.
QUIET = 0.05


class CannotRun(Exception):
    """Its text names the cause and the remedy."""


# Measuring


def run(command, cwd=None):
    """Standard output of a command; its standard error is shown only if it fails."""
    try:
        done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    except OSError as error:
        raise CannotRun(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CannotRun(f"{' '.join(map(str, command))}: exit code {done.returncode}: {last}")
    return done.stdout


def records(output):
    """What a program printed: JSON lines, or one document with its `results`."""
    try:
        document = json.loads(output)
    except ValueError:
        try:
            return [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        except ValueError as error:
            raise CannotRun(f"printed something other than JSON lines: {error}") from error
    return document.get("results", [document]) if isinstance(document, dict) else document


def speeds(output, suite, shape):
    """Tokens per second by case; records of other suites and shapes are passed over."""
    found = {}
    for record in records(output):
        if record.get("suite") == suite and record.get("shape", shape) == shape and "tokens_per_second" in record:
            found[record["case"]] = record["tokens_per_second"]
    missing = [case for case in CASES[suite] if case not in found]
    if missing:
        raise CannotRun(f"{suite} {shape}: no tokens_per_second was printed for {', '.join(missing)}")
    return found


def measure_ours(options, suite, shape):
    return speeds(run([options.stitch, "bench", "--suite", suite, "--shape", shape, "--json"]), suite, shape)


def measure_peer(options, suite, shape):
    script = [options.python, "-W", "ignore", HERE / "peers" / f"{suite}.py"]
    return speeds(run(script + ["--shape", shape, "--dtype", options.peer_dtype, "--threads", options.threads]),
                  suite, shape)


def processor_seconds():
    """What the whole machine has spent, time stolen by its host included, and what our children have."""
    try:
        # user nice system idle iowait irq softirq steal, in ticks
        ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return 0.0, 0.0
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK"), children.ru_utime + children.ru_stime


def watched(measure, *arguments):
    """The figures, and the share of the machine that other programs took meanwhile."""
    start, (all_before, own_before) = time.monotonic(), processor_seconds()
    figures = measure(*arguments)
    all_after, own_after = processor_seconds()
    others = (all_after - all_before) - (own_after - own_before)
    return figures, max(0.0, others / (os.cpu_count() * (time.monotonic() - start)))


def compare(options, suite, shape):
    """One result per case, after all rounds."""
    sides = {"ours": measure_ours, "theirs": measure_peer}
    if options.only:
        sides = {options.only: sides[options.only]}
    rounds, others = [], []
    for number in range(options.rounds):
        figures = {}
        for side, measure in sides.items():
            progress(f"{suite} {shape}: round {number + 1} of {options.rounds}, {side}")
            figures[side], share = watched(measure, options, suite, shape)
            others.append(share)
        rounds.append(figures)

    for case in CASES[suite]:
        result = {"suite": suite, "case": case, "shape": shape, "others_share": others}
        for side in sides:
            result[side] = [figures[side][case] for figures in rounds]
        if len(sides) == 2:
            result["ratios"] = [ours / theirs for ours, theirs in zip(result["ours"], result["theirs"])]
            result["ratio"] = median(result["ratios"])
        yield result


def measure_startup(options):
    times = []
    for number in range(options.startup_runs + 1):
        progress(f"startup: run {number} of {options.startup_runs}")
        try:
            times.append(first_screen.seconds([str(options.stitch), "chat"], cwd=ROOT))
        except first_screen.NeverDrawn as error:
            raise CannotRun(f"startup: {error}") from error
    # The first run fills the page cache.
    return {"suite": "startup", "case": "first screen", "milliseconds": [1000 * t for t in times[1:]],
            "cold_milliseconds": 1000 * times[0]}


# Reporting


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def machine():
    """What the figures were measured on."""
    processor = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def peer_versions(options):
    code = ("import json, torch, transformers, peft;"
            "print(json.dumps({m.__name__: m.__version__ for m in (torch, transformers, peft)}))")
    return json.loads(run([options.python, "-W", "ignore", "-c", code]))


def spread(values):
    return f"{min(values):.2f}–{max(values):.2f}"


def speed(values):
    return f"{median(values):,.0f}" if median(values) >= 100 else f"{median(values):.1f}"


def table(results):
    rows = [("measured", "shape", "ours", "theirs", "unit", "ours / theirs", "range")]
    for result in results:
        if result["suite"] == "startup":
            times = result["milliseconds"]
            rows.append(("startup", "—", f"{median(times):.0f}", "—", "ms", "—", f"{min(times):.0f}–{max(times):.0f} ms"))
            continue
        figures = [speed(result[side]) if side in result else "—" for side in ("ours", "theirs")]
        ratio = (f"{result['ratio']:.2f}", spread(result["ratios"])) if "ratio" in result else ("—", "—")
        rows.append((result["case"], result["shape"], *figures, "tok/s", *ratio))
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, tuple("-" * width for width in widths))
    numbers = {2, 3, 5}
    return "\n".join(
        "| " + " | ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths))) + " |"
        for row in rows)


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    part.replace(path)


# Command line


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stitch", type=Path, default=ROOT / ".build/release/stitch", help="the program to measure")
    parser.add_argument("--suite", choices=["train", "infer", "startup"], action="append", help="default: all three")
    parser.add_argument("--shape", action="append", help="default: 8M, large, 134M; inference: large, 134M")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of the peers")
    parser.add_argument("--peer-dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--only", choices=["ours", "theirs"], help="measure one side, for development")
    parser.add_argument("--startup-runs", type=int, default=10)
    parser.add_argument("--output", type=Path, default=ROOT / ".build/bench-peers.json")
    options = parser.parse_args()
    if options.rounds < 1 or options.startup_runs < 1:
        parser.error("--rounds and --startup-runs start at 1")
    return options


def main():
    options = parse()
    options.stitch = options.stitch.absolute()
    if options.only != "theirs" and not os.access(options.stitch, os.X_OK):
        raise CannotRun(f"{options.stitch}: not a program; build it with `swift build -c release` or name it with --stitch")
    document = {"machine": machine(), "rounds": options.rounds, "results": []}
    if options.only != "ours":
        progress("setting up the peers")
        options.python = run([HERE / "peers" / "setup.sh"]).strip()
        document["peers"] = peer_versions(options) | {"dtype": options.peer_dtype, "threads": options.threads}

    results = document["results"]
    for suite in options.suite or ["train", "infer", "startup"]:
        if suite == "startup":
            if options.only != "theirs":
                results.append(measure_startup(options))
        else:
            for shape in options.shape or SHAPES[suite]:
                results.extend(compare(options, suite, shape))
                write(options.output, document)
    write(options.output, document)
    progress("")
    print(table(results))
    busiest = max((share for result in results for share in result.get("others_share", [])), default=0)
    if busiest > QUIET:
        print(f"bench_peers: other programs took up to {busiest:.0%} of the processor: the ratios are not to be "
              "trusted; close them and run again", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except CannotRun as error:
        progress("")
        print(f"bench_peers: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
