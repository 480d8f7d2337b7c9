#!/usr/bin/env python3
"""How fast several processes adapt a family, beside as many threads of one: writes docs/measurements/many-machines.json and
the tables of docs/many-machines.md. Let nothing else run meanwhile.

    make bench-machines
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import documents
from measure import CannotRun, machine, progress

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "docs/measurements/many-machines.json"
# Name, processes, threads of each.
CASES = [("one thread", 1, 1), ("two threads", 1, 2), ("two processes of one thread", 2, 1)]


def adapt(arguments, processes, threads, folder):
    """The report of a run."""
    command = [
        arguments.program, "adapt", "--family", arguments.family, "--data", arguments.data, "--steps", str(arguments.steps),
        "--tokens-per-step", "2048", "--stitches", arguments.stitch, "--held-out-tokens", "0", "--json", "--restart",
        "--threads", str(threads), "--output", f"{folder}/family",
    ]
    environment = os.environ | {f"XDG_{name}_HOME": f"{folder}/{name}" for name in ("CACHE", "STATE")}
    # A process has a core of its own, whatever else mpirun would choose.
    if processes > 1:
        command = ["mpirun", "-q", "-n", str(processes), "--bind-to", "core", "--mca", "btl", "self,vader", *command]
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    outcome = subprocess.run(command, capture_output=True, text=True, env=environment)
    if outcome.returncode != 0:
        lines = outcome.stderr.strip().splitlines() or ["it said nothing"]
        raise CannotRun(f"{' '.join(command)} ended with {outcome.returncode}: {lines[-1]}")
    return json.loads(outcome.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(ROOT / ".build/release/stitch"))
    parser.add_argument("--family", default=str(ROOT / "weights/smollm2"))
    parser.add_argument("--data", default=str(ROOT / "weights/lessons/facts.jsonl"))
    parser.add_argument("--stitch", default="smollm2", help="which size is trained: always the same, so that all do the same")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    speeds = {name: [] for name, _, _ in CASES}
    parameters = 0
    for turn in range(arguments.rounds):
        for name, processes, threads in CASES:
            progress(f"{name}, {turn + 1} of {arguments.rounds}")
            with tempfile.TemporaryDirectory() as folder:
                report = adapt(arguments, processes, threads, folder)
            speeds[name].append(report["tokens"] / report["training_seconds"])
            parameters = report["trainable_parameters"]
    progress("")
    median = {name: statistics.median(values) for name, values in speeds.items()}
    one, threads, processes = (median[name] for name, _, _ in CASES)
    document = {
        "machine": machine(), "family": Path(arguments.family).name, "stitch": arguments.stitch, "steps": arguments.steps,
        "tokens_per_step": 2048, "trained_parameters": parameters, "tokens_per_second": speeds,
        "processes_by_threads": processes / threads, "processes_by_twice_one": processes / (2 * one),
    }
    documents.save(PLACE, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    subprocess.run([sys.executable, ROOT / "scripts/machines-model.py"], check=True)
    for name, value in median.items():
        print(f"{name}: {value:.0f} tokens/s")
    print(f"two processes: {processes / threads:.2f} of two threads, {processes / (2 * one):.2f} of twice one thread")


if __name__ == "__main__":
    try:
        main()
    except CannotRun as error:
        print(f"bench_machines: {error}", file=sys.stderr)
        sys.exit(2)
