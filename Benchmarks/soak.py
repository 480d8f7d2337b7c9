#!/usr/bin/env python3
"""Chats for hours in a pseudo-terminal, with lessons training in the background, and says whether memory and descriptors
stay as they are.

    make soak                                  # eight hours
    Benchmarks/soak.py --hours 0.3             # or another time
    Benchmarks/soak.py --cycles 3              # or so many rounds, in which memory says nothing

A round asks something and, while the reply streams, moves the slider and drags the window through many sizes, down to 1 by
1 and up to 500 by 200; then the screen must be whole. Now and then the conversation is cleared, and training is stopped,
which leaves an adapter in use, and begins anew. After each round memory, descriptors and threads are counted into a file
of JSON lines. Exit code 1 if something grew or a screen was wrong. Needs no pip packages.
"""

import argparse
import json
import pathlib
import random
import re
import statistics
import sys
import time

import bench_ui
from measure import machine

QUESTIONS = ["What is 12 + 7?", "Who are you?", "Tell me a story.", "Sort these words: pear, apple, fig.", "What is the capital of France?"]
SMALLER, LARGER, REDRAW = "\x1b[1;3D", "\x1b[1;3C", "\x0c"
ROWS, COLUMNS = 30, 100
# A half is compared with the one before: by so much memory may differ.
MOST_GROWTH = 0.05
# Fewer rounds than these say nothing of memory: sixteen adapters are remembered for /undo, and each takes some.
FEWEST_ROUNDS = 80
# Descriptors or threads that may be more after fewer rounds.
FEW_MORE = 4


def is_whole(screen):
    """The title above, the slider, and the composer's help below; nothing beyond the edge."""
    lines = screen.lines()
    return (lines[0].startswith(" stitch ") and any(line.startswith("─ Size ") for line in lines)
            and bench_ui.composer(screen) == "" and max(map(len, lines)) <= COLUMNS)


def is_training(screen):
    return any("/1000000" in line for line in screen.lines())


def drag(program, chance):
    """The window at twenty sizes, one soon after another, and at its own again."""
    sizes = [(1, 1), (200, 500)] + [(chance.randint(1, 60), chance.randint(1, 160)) for _ in range(18)]
    chance.shuffle(sizes)
    for rows, columns in sizes:
        program.resize(rows, columns)
        program.discard(0.01)
    program.resize(ROWS, COLUMNS)
    program.discard(0.2)
    # What was on its way for another size is gone; all is drawn anew.
    program.screen = type(program.screen)(ROWS, COLUMNS)
    program.send(REDRAW)


def one_round(program, number, arguments, chance):
    program.send(QUESTIONS[number % len(QUESTIONS)] + "\r")
    program.settle(0.1)
    for _ in range(chance.randint(1, 6)):
        program.send(chance.choice([SMALLER, LARGER]))
        program.settle(0.02)
    drag(program, chance)
    program.wait("the end of the reply, and a whole screen", lambda screen: bench_ui.is_idle(screen) and is_whole(screen),
                 timeout=300)
    if number % 6 == 5:
        program.send("/clear\r")
        program.settle(0.2)
    if number % 3 == 2:
        program.send("/stop\r")
        program.wait("the end of training", lambda screen: any("Training stopped" in line for line in screen.lines()), timeout=300)
        program.send("/clear\r")
        program.wait("an empty transcript", lambda screen: not any("Training stopped" in line for line in screen.lines()))
        bench_ui.train(program, arguments)
    program.settle(0.2)


def verdict(samples):
    """What grew, in words; empty if nothing did."""
    found = []
    # The first rounds open what stays open.
    later = samples[min(2, len(samples) - 1):]
    half = len(later) // 2
    for kind in ("descriptors", "threads"):
        before, after = max(s[kind] for s in later[: half or 1]), max(s[kind] for s in later[half:])
        # In few rounds the first lesson is still beginning.
        if after > before + (0 if len(samples) >= FEWEST_ROUNDS else FEW_MORE):
            found.append(f"{kind} grew from {before} to {after}")
    if len(samples) >= FEWEST_ROUNDS:
        for trains in (False, True):
            settled, end = memory(samples, trains)
            if end > settled * (1 + MOST_GROWTH):
                found.append(f"memory grew from {settled:.0f} to {end:.0f} MB in the second half{' of training' if trains else ''}")
    return found


def memory(samples, trains):
    """Megabytes half way and at the end, while a lesson is being learned or while none is: medians of the first and the last
    fifth of the second half, for single readings jump."""
    second = samples[len(samples) // 2:]
    second = [s["megabytes"] for s in second if bool(s["step"]) == trains] or [s["megabytes"] for s in second]
    part = max(1, len(second) // 5)
    return statistics.median(second[:part]), statistics.median(second[-part:])


def reported(samples, hours, wrong):
    report = {"machine": machine(), "hours": round(hours, 2), "rounds": len(samples), "wrong": wrong, "lessons": len(samples) // 3}
    if samples:
        report |= {"start": samples[0], "end": samples[-1], "most": {k: max(s[k] for s in samples) for k in ("megabytes", "descriptors", "threads")}}
        if len(samples) >= FEWEST_ROUNDS:
            report["settled_mb"], report["end_mb"] = memory(samples, trains=False)
            report["training_settled_mb"], report["training_end_mb"] = memory(samples, trains=True)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(bench_ui.ROOT / ".build/release/stitch"))
    parser.add_argument("--family", default=str(bench_ui.ROOT / "weights/tiny"))
    parser.add_argument("--lesson", default=str(bench_ui.ROOT / "weights/lessons/pirate.jsonl"))
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--cycles", type=int, help="rounds, instead of hours")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=pathlib.Path, default=pathlib.Path("soak.jsonl"), help="one JSON line a round")
    parser.add_argument("--report", type=pathlib.Path, help="what came out, as JSON")
    parser.add_argument("--judge", action="store_true", help="chat no more: say what --samples of an earlier run come to")
    arguments = parser.parse_args()
    if not arguments.hours > 0 or (arguments.cycles is not None and arguments.cycles < 1):
        parser.error("--hours and --cycles must be positive")

    if arguments.judge:
        samples = [json.loads(line) for line in arguments.samples.read_text().splitlines()]
        return finish(arguments, samples, samples[-1]["seconds"] / 3600 if samples else 0, [])
    chance, samples, wrong = random.Random(arguments.seed), [], []
    start = time.monotonic()
    last = start
    # What learns one lesson for hours forgets how to end; a full context is another matter.
    with bench_ui.chat(arguments, "--max-tokens", "100") as program, arguments.samples.open("w") as file:
        program.send("/set overflow oldest\r")
        program.settle(0.2)
        bench_ui.train(program, arguments)
        while len(samples) < arguments.cycles if arguments.cycles else time.monotonic() < start + arguments.hours * 3600:
            try:
                one_round(program, len(samples), arguments, chance)
            except (TimeoutError, OSError, ValueError) as error:
                wrong.append(f"round {len(samples)}: {error}")
                break
            step = next((m for line in program.screen.lines() if (m := re.search(r"(\d+)/1000000", line))), None)
            samples.append({"seconds": round(time.monotonic() - start, 1), "megabytes": round(program.megabytes(), 1),
                            "descriptors": program.descriptors(), "threads": program.threads(),
                            "step": int(step.group(1)) if step else None})
            file.write(json.dumps(samples[-1]) + "\n")
            file.flush()
            if time.monotonic() - last > 600:
                last = time.monotonic()
                print(f"{(last - start) / 3600:.1f} h, {len(samples)} rounds: {samples[-1]}", file=sys.stderr, flush=True)
    wrong += verdict(samples) if samples else ["no round was finished"]
    finish(arguments, samples, (time.monotonic() - start) / 3600, wrong)


def finish(arguments, samples, hours, wrong):
    """Says and writes what came of it; exit code 1 where something was wrong."""
    report = reported(samples, hours, wrong + (verdict(samples) if samples else ["no round was finished"]))
    wrong = report["wrong"]
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=1) + "\n")
    print(f"{report['hours']} h, {len(samples)} rounds, {report['lessons']} lessons: " + ("; ".join(wrong) or "flat: " + said(report)))
    sys.exit(1 if wrong else 0)


def said(report):
    parts = [f"{report['end'][kind]} {kind}, at most {report['most'][kind]}" for kind in ("descriptors", "threads")]
    if "end_mb" in report:
        parts.append(f"memory {report['settled_mb']:.0f} MB half way, {report['end_mb']:.0f} MB at the end, "
                     f"while learning {report['training_settled_mb']:.0f} and {report['training_end_mb']:.0f}")
    else:
        parts.append("too few rounds for memory")
    return ", ".join(parts)


if __name__ == "__main__":
    main()
