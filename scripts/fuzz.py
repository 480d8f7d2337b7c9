#!/usr/bin/env python3
"""Fuzzes targets one after the other with libFuzzer, and writes what was tried to docs/measurements/fuzzing.json.

What a fuzzer learns stays in a corpus below .build/fuzz/corpus and is begun with the next time; what it finds is put, as it
is, into Tests/FuzzTests/Corpus, so that `make test` fails until it is mended. Exit code 1: something was found."""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = ROOT / "Tests/FuzzTests"
PLACE = ROOT / "docs/measurements/fuzzing.json"
# Bytes of an input at most; a longer seed would be cut. A sound adapter of every kind has 37 KB; of keys 200 are pressed.
LENGTHS = {"adapter": 40_000, "keys": 2000}
# Most of the time inputs are short and grow slowly, then they are of any length: what takes too long shows in these.
SHARES = [(0.75, "-len_control=20"), (0.25, "-len_control=0")]


def run(program: pathlib.Path, target: str, seconds: int, work: pathlib.Path) -> dict:
    """Fuzzes one target; what it learnt is kept, what it found is moved into the corpus."""
    figure = {"executions": 0, "coverage": 0, "found": 0, "seconds": 0}
    for share, lengths in SHARES:
        if figure["found"]:
            break
        part = run_part(program, target, max(1, round(seconds * share)), work, lengths)
        figure = {name: figure[name] + part[name] for name in figure} | {"coverage": max(figure["coverage"], part["coverage"])}
    print(f"{target}: {figure['executions']} inputs, {figure['coverage']} edges, {figure['found']} found", flush=True)
    return figure


def run_part(program: pathlib.Path, target: str, seconds: int, work: pathlib.Path, lengths: str) -> dict:
    learnt = work / "corpus" / target
    found = work / "found" / target
    for folder in (learnt, found):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        program, learnt, TESTS / "Corpus" / target, f"-max_total_time={seconds}", f"-artifact_prefix={found}/",
        "-timeout=10", "-rss_limit_mb=3000", "-malloc_limit_mb=1000", "-print_final_stats=1",
        f"-max_len={LENGTHS.get(target, 8192)}", lengths,
    ]
    words = TESTS / "Dictionaries" / f"{target.removesuffix('-built')}.dict"
    if words.exists() and not target.endswith("-built"):
        command.append(f"-dict={words}")
    environment = os.environ | {
        "STITCH_FUZZ_TARGET": target, "SWIFT_BACKTRACE": "enable=no", "OPENBLAS_NUM_THREADS": "1",
        # Swift keeps what it makes once; libFuzzer's own look for leaks takes threads for them.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:" + os.environ.get("ASAN_OPTIONS", ""),
    }
    log = work / f"{target}.log"
    start = time.monotonic()
    with log.open("w") as out:
        subprocess.run(command, env=environment, stdout=out, stderr=subprocess.STDOUT, cwd=work)
    text = log.read_text(errors="replace")
    # It ends at what it finds.
    figure = {"executions": 0, "coverage": 0, "found": 0, "seconds": round(time.monotonic() - start)}
    if match := re.search(r"stat::number_of_executed_units:\s+(\d+)", text):
        figure["executions"] = int(match.group(1))
    elif matches := re.findall(r"^#(\d+)\s", text, re.MULTILINE):
        figure["executions"] = int(matches[-1])
    if matches := re.findall(r"\bcov: (\d+)", text):
        figure["coverage"] = int(matches[-1])
    for file in sorted(found.iterdir()):
        if file.name.startswith(("slow-unit-", "timeout-")) and not is_slow(program, file, environment):
            file.unlink()
            continue
        figure["found"] += 1
        print(f"{target}: {file.name}; {log}", flush=True)
        shutil.move(file, TESTS / "Corpus" / target / f"found-{file.name[:20]}")
    return figure


def is_slow(program: pathlib.Path, file: pathlib.Path, environment: dict) -> bool:
    """Whether an input takes too long alone, too: on a machine that is busy, or was asleep, any may seem to."""
    try:
        return subprocess.run([program, file], env=environment, capture_output=True, timeout=20).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--time", type=int, default=3600, help="seconds, of all targets together")
    parser.add_argument("--output", type=pathlib.Path, default=PLACE, help="where the figures go; those of runs before are added to")
    parser.add_argument("targets", nargs="*", help="default: all")
    options = parser.parse_args()
    targets = options.targets or sorted(folder.name for folder in (TESTS / "Corpus").iterdir())
    work = ROOT / ".build/fuzz"
    document = json.loads(options.output.read_text()) if options.output.exists() else {}
    found = 0
    for target in targets:
        figure = run(options.program.resolve(), target, max(1, options.time // len(targets)), work)
        known = document.setdefault(target, {"executions": 0, "seconds": 0, "coverage": 0, "found": 0})
        for name in ("executions", "seconds", "found"):
            known[name] += figure[name]
        known["coverage"] = max(known["coverage"], figure["coverage"])
        found += figure["found"]
        options.output.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
