#!/usr/bin/env python3
"""Measures `stitch` against its peers, side by side in one run.

Needs no pip packages itself; peers/setup.sh makes the environment of PyTorch, peers/llama_cpp.sh builds llama.cpp.

Absolute figures drift with the machine and the hour, so each round runs ours, then theirs, and
what is reported is the median over the rounds of the ratio within a round. Rounds that other programs disturbed do not
count. The suites adapter, slider, speculation, memory, step, start and startup have no peer: they stand against limits of their own.

One table goes to standard output, everything measured to .build/bench-peers.json. Each suite and shape, of llama each type, too,
has a file in docs/measurements, which is written when it is measured, and with it the tables in README.md and
docs/performance.md; with --output all goes to one file at the end instead. What cannot be trusted is not kept. Exit code 1:
there was such; 2: could not run.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

import documents
import suites
from measure import CannotRun, machine, progress, run
from rounds import QUIET, table
from suites import HERE, ROOT
from tables import file_of

# Of weights, by suite, where each has a file of its own.
TYPES = {"llama": ["bf16", "q8_0", "q4_0"], "smollm2": ["q4_1", "q8_0", "bf16"]}
# In the order of the table.
SHAPES = {
    "llama": ["1.1B", "7B"], "smollm2": ["SmolLM2-135M"], "adapter": ["1.1B"], "train": ["8M", "large", "134M"], "infer": ["large", "134M"], "slider": ["default", "1B+2B"],
    "speculation": ["default", "1B+7B"], "memory": ["default", "1B+2B"], "step": ["1B+2B"], "start": ["default", "1B+7B"], "startup": ["default"],
}
# Rounds, where not ROUNDS_ELSEWHERE: of BF16 more, as memory changes its speed within seconds; memory that a step takes is not a
# matter of luck.
ROUNDS = {("llama", "1.1B", "bf16"): 9, ("step", "1B+2B"): 1}
ROUNDS_ELSEWHERE = 3


def peer_versions(options):
    code = ("import json, torch, transformers, peft;"
            "print(json.dumps({m.__name__: m.__version__ for m in (torch, transformers, peft)}))")
    return json.loads(run([options.python, "-W", "ignore", "-c", code]))


def write(path, document):
    documents.save(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stitch", type=Path, default=ROOT / ".build/release/stitch", help="the program to measure")
    parser.add_argument("--suite", choices=SHAPES, action="append", help="default: all")
    parser.add_argument("--shape", action="append",
                        help="a model's shape, a family's, or for start a family's directory; default: those of each suite")
    parser.add_argument("--type", choices=sorted({name for names in TYPES.values() for name in names}), action="append",
                        help="weights of llama and smollm2: default all")
    parser.add_argument("--rounds", type=int, help=f"default: {ROUNDS_ELSEWHERE}, of some {min(ROUNDS.values())} to {max(ROUNDS.values())}")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of both sides")
    parser.add_argument("--peer-dtype", choices=["best", "f32", "bf16"], default="best",
                        help="of PyTorch; best: training in both and the faster counts, inference in f32 as ours")
    parser.add_argument("--only", choices=["ours", "theirs"], help="measure one side, for development")
    parser.add_argument("--busy", action="store_true", help="let disturbed rounds count, for development")
    parser.add_argument("--startup-runs", type=int, default=10)
    parser.add_argument("--remove", action="store_true", help="remove each model made for llama.cpp when it is measured, as a 7B always is")
    parser.add_argument("--output", type=Path, metavar="FILE",
                        help="for all that was measured; default: a file for each suite and shape in docs/measurements, and the "
                             "tables of the documents")
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < 1 or options.startup_runs < 1:
        parser.error("--rounds and --startup-runs start at 1")
    options.peer_dtypes = ["f32", "bf16"] if options.peer_dtype == "best" else [options.peer_dtype]
    options.infer_dtype = "f32" if options.peer_dtype == "best" else options.peer_dtype
    options.cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stitch"
    return options


def set_up(options, chosen):
    """Makes the peers that the chosen suites need; what they are, by suite."""
    peers = {suite: {"threads": options.threads} for suite in chosen}
    if options.only == "ours":
        return peers
    if {"train", "infer"} & set(chosen):
        progress("setting up PyTorch")
        options.python = run([HERE / "peers/setup.sh"]).strip()
        versions = peer_versions(options) | {"dtype": options.peer_dtype}
        for suite in {"train", "infer"} & set(chosen):
            peers[suite] |= versions
    if TYPES.keys() & set(chosen):
        progress("building llama.cpp, once")
        options.llama = Path(run([HERE / "peers/llama_cpp.sh"]).strip())
        if not (options.llama / "llama-bench").exists():
            raise CannotRun(f"{options.llama} has no llama-bench; remove {options.llama.parents[1]} and run again")
        for suite in TYPES.keys() & set(chosen):
            peers[suite]["llama.cpp"] = options.llama.parents[1].name
    return peers


def parts(options, chosen):
    """Suite and shape of each file, and the type where each has its own, in a list."""
    for suite in chosen:
        # There is one first screen.
        for shape in SHAPES[suite] if suite in ("startup", "smollm2") else options.shape or SHAPES[suite]:
            for types in [[element_type] for element_type in options.type or TYPES[suite]] if suite in TYPES else [[]]:
                yield suite, shape, types


def with_rounds(options, suite, shape, types):
    """The options of one part."""
    rounds = options.rounds or ROUNDS.get((suite, shape, *types), ROUNDS_ELSEWHERE)
    return argparse.Namespace(**{**vars(options), "rounds": rounds})


def rows(options, suite, shape, types):
    if suite == "startup":
        yield suites.startup(options, options.startup_runs)
    else:
        yield from getattr(suites, suite)(options, shape, *types)


def can_keep(options, results):
    return all(row["trusted"] for row in results) and not options.only and not options.busy


def main():
    options = parse()
    options.stitch = options.stitch.absolute()
    if options.only != "theirs" and not os.access(options.stitch, os.X_OK):
        raise CannotRun(f"{options.stitch}: not a program; build it with `swift build -c release` or name it with --stitch")
    chosen = options.suite or list(SHAPES)
    if options.only == "theirs":
        chosen = [suite for suite in chosen if suite in ("train", "infer", *TYPES)]
    peers = set_up(options, chosen)
    draft, lost = ROOT / ".build/bench-peers.json", []
    whole = {"machine": machine(), "results": [], "peers": {}}
    for suite, shape, types in parts(options, chosen):
        of_part = with_rounds(options, suite, shape, types)
        part = {"machine": machine(), "rounds": of_part.rounds, "results": [], "peers": peers[suite]}
        whole["peers"] |= peers[suite]
        for row in rows(of_part, suite, shape, types):
            part["results"].append(row)
            whole["results"].append(row)
            write(draft, whole)
        # Nothing is measured of models larger than the memory or the disk.
        if options.output or not part["results"]:
            continue
        file = file_of(suite, Path(shape).name, *types)
        if can_keep(options, part["results"]):
            write(file, part)
            documents.write()
        else:
            lost.append(file.name)
    progress("")
    print(table(whole["results"], options.busy))
    if options.output and can_keep(options, whole["results"]):
        write(options.output, whole)
    elif options.output:
        lost.append(options.output.name)
    if not lost:
        return 0
    print(f"bench_peers: {draft} has all figures; not for {', '.join(lost)}: one side alone, or other programs took more than "
          f"{QUIET:.0%} of the processor in all rounds of a row; close them and run again", file=sys.stderr)
    return 0 if options.only or options.busy else 1


if __name__ == "__main__":
    # What was started must not go on alone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except CannotRun as error:
        progress("")
        print(f"bench_peers: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
