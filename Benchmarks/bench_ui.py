#!/usr/bin/env python3
"""How quick and how quiet the terminal UI is, measured on the built program in a pseudo-terminal.

    make bench-ui
    Benchmarks/bench_ui.py --only memory --minutes 60        # is memory flat?

All of it takes two minutes and what --minutes says. Prints one table with limits; exit code 1 if one is missed. Needs no pip packages.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import first_screen
import pty_screen

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONTROL_U = "\x15"


@contextlib.contextmanager
def chat(arguments, *options):
    """The chat with the default family, nothing of the user's touched."""
    with tempfile.TemporaryDirectory() as home:
        places = {f"XDG_{name}_HOME": home for name in ("DATA", "STATE", "CONFIG", "CACHE")}
        environment = os.environ | places | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        command = [arguments.program, "chat", "--family", arguments.family, *options]
        program = pty_screen.Program(command, environment)
        try:
            program.wait("the family", lambda screen: " sizes" in screen.lines()[0])
            program.settle(0.3)
            yield program
        finally:
            program.end()


def composer(screen):
    """What stands in the composer: the line above the lowest, after the prompt."""
    return screen.lines()[-2].strip().removeprefix("›").strip()


def is_busy(screen):
    return "Esc stops" in screen.lines()[-1]


def is_idle(screen):
    """Whether a message would be sent; what is said for a moment hides both this and `is_busy`."""
    return "Enter sends" in screen.lines()[-1]


def talk(program):
    """Sees to it that a reply streams: at a high temperature it goes on until the context is full."""
    if is_busy(program.screen):
        return
    program.send(CONTROL_U + "/regen\r")
    try:
        program.wait("a reply", is_busy, timeout=2)
    except TimeoutError:
        pass  # it was over before it was seen: it is asked for again


def train(program, arguments):
    program.send(f"/train {arguments.lesson} 1000000\r")
    program.wait("training", lambda screen: any("/1000000" in line for line in screen.lines()))


def first_screen_time(arguments):
    command = [arguments.program, "chat", "--family", arguments.family]
    return statistics.median(first_screen.seconds(command) for _ in range(7)) * 1000


def keystrokes(arguments):
    """Milliseconds from a key to its character on the screen, while a reply streams and training runs."""
    times = []
    # A key costs about 0.15 s; those that no reply was streaming beside do not count.
    deadline = time.perf_counter() + 30 + arguments.keys
    with chat(arguments, "--temperature", "3", "--max-tokens", "100000") as program:
        program.send("Tell me a story.\r")
        program.settle(0.3)
        train(program, arguments)
        while len(times) < arguments.keys:
            if time.perf_counter() > deadline:
                sys.exit(f"bench-ui: only {len(times)} of {arguments.keys} keys fell into a reply; replies are too short here, try fewer --keys")
            talk(program)
            typed = ""
            for character in "abcdef":
                # Not in step with the frames.
                program.read(0.013 + len(times) % 7 * 0.004)
                typed += character
                start = time.perf_counter()
                program.send(character)
                program.wait("the key", lambda screen: composer(screen) == typed)
                if is_busy(program.screen):
                    times.append((time.perf_counter() - start) * 1000)
            program.send(CONTROL_U)
            program.wait("the empty composer", lambda screen: composer(screen) == "")
    times.sort()
    return {"median": statistics.median(times), "p99": times[int(len(times) * 0.99)], "most": times[-1], "count": len(times)}


def typing_bytes(arguments):
    """Bytes for one typed character, while nothing else happens."""
    counts = []
    with chat(arguments) as program:
        for character in "the quick brown fox":
            program.settle(0.05)
            before = program.bytes
            program.send(character)
            program.settle(0.1)
            counts.append(program.bytes - before)
    return max(counts)


def streaming_bytes(arguments):
    """Bytes for each cell that changed while a reply streams."""
    total = cells = 0
    with chat(arguments, "--temperature", "3", "--max-tokens", "100000") as program:
        program.send("Tell me a story.\r")
        for _ in range(3):
            end = time.perf_counter() + 2
            while time.perf_counter() < end:
                shown, before = program.screen.snapshot(), program.bytes
                if program.read(0.05):
                    total += program.bytes - before
                    cells += program.screen.changed(shown)
            talk(program)
    return total / max(1, cells)


def idle_percent(arguments):
    with chat(arguments) as program:
        program.settle(1)
        before = program.seconds_of_cpu()
        time.sleep(arguments.idle)
        return (program.seconds_of_cpu() - before) / arguments.idle * 100


def memory_growth(arguments):
    """Megabytes half way and at the end, through turns of conversation while training runs, for so many minutes and no longer.

    Nothing is taken into use meanwhile: /undo remembers sixteen adapters, and until there are so many, each adds one.
    """
    questions = ["What is 12 + 7?", "Who are you?", "Tell me a story.", "Sort these words: pear, apple, fig."]
    marks, turns = [], 0
    with chat(arguments) as program:
        train(program, arguments)
        start = time.perf_counter()
        length = arguments.minutes * 60
        while (left := start + length - time.perf_counter()) > 0:
            program.send(questions[turns % len(questions)] + "\r")
            program.settle(0.2)
            try:
                program.wait("the reply", lambda screen: not is_busy(screen) and composer(screen) == "", timeout=min(60, left))
            except TimeoutError:
                if left >= 60:
                    raise
                break
            turns += 1
            # As long as the conversation fits: a full context is another matter.
            if turns % 6 == 0:
                program.send("/clear\r")
            program.settle(0.2)
            marks.append((time.perf_counter() - start, program.megabytes()))
        if not any("/1000000" in line for line in program.screen.lines()):
            sys.exit("bench-ui: training ended before the memory was measured:\n" + "\n".join(program.screen.lines()))
    if len(marks) < 4:
        sys.exit(f"bench-ui: only {len(marks)} replies in {arguments.minutes:g} minutes say nothing of memory; give it more --minutes")
    settled = [size for moment, size in marks if moment >= length / 2]
    # Medians of the first and the last fifth: single readings jump.
    part = max(1, len(settled) // 5)
    first, last = statistics.median(settled[:part]), statistics.median(settled[-part:])
    return {"minutes": arguments.minutes, "turns": turns, "start_mb": marks[0][1], "settled_mb": first, "end_mb": last,
            "growth_percent": (last - first) / first * 100}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(ROOT / ".build/release/stitch"))
    parser.add_argument("--family", default=str(ROOT / "weights/tiny"))
    parser.add_argument("--lesson", default=str(ROOT / "weights/lessons/pirate.jsonl"))
    parser.add_argument("--keys", type=int, default=400, help="keystrokes to time")
    parser.add_argument("--idle", type=float, default=10, help="seconds of idling")
    parser.add_argument("--minutes", type=float, default=1, help="minutes of chat with training for the memory figure")
    parser.add_argument("--only", action="append", choices=["screen", "keys", "bytes", "idle", "memory"],
                        help="measure only this; may be given again")
    parser.add_argument("--json", default=str(ROOT / ".build/bench-ui.json"), help="where the figures go")
    arguments = parser.parse_args()
    arguments.family, arguments.lesson = os.path.abspath(arguments.family), os.path.abspath(arguments.lesson)

    report = {}
    rows = []

    def add(name, value, limit, unit, note=""):
        report[name] = {"value": value, "limit": limit, "unit": unit}
        rows.append((name, f"{value:.1f} {unit}", f"≤ {limit:g} {unit}", "ok" if value <= limit else "MISSED", note))
        print(f"  {rows[-1][0]}: {rows[-1][1]}", file=sys.stderr)

    def wanted(name, what):
        if arguments.only and name not in arguments.only:
            return False
        print(f"{what} …", file=sys.stderr)
        return True

    if wanted("screen", "the first screen"):
        add("first screen", first_screen_time(arguments), 100, "ms", "median of 7, from exec to a whole screen")
    if wanted("keys", f"{arguments.keys} keys beside a reply and training, about {arguments.keys * 0.15:.0f} s"):
        keys = report["keystrokes"] = keystrokes(arguments)
        add("keystroke, p99", keys["p99"], 16, "ms",
            f"streaming and training; median {keys['median']:.1f}, most {keys['most']:.1f}, {keys['count']} keys")
    if wanted("bytes", "bytes, about 10 s"):
        add("a typed character", typing_bytes(arguments), 200, "bytes", "idle, the most of 19")
        add("a changed cell", streaming_bytes(arguments), 8, "bytes", "streaming")
    if wanted("idle", f"idling, {arguments.idle:g} s"):
        add("idle", idle_percent(arguments), 1, "% CPU", f"over {arguments.idle:g} s")
    if wanted("memory", f"memory, {arguments.minutes:g} min of chat with training"):
        memory = report["memory"] = memory_growth(arguments)
        add("memory growth", memory["growth_percent"], 5, "%",
            f"in the second half of {arguments.minutes:g} min, {memory['turns']} turns with training; "
            f"{memory['start_mb']:.0f} MB, half way {memory['settled_mb']:.0f}, at the end {memory['end_mb']:.0f}")

    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    print("\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) + "  " + row[4] for row in rows))
    pathlib.Path(arguments.json).write_text(json.dumps(report, indent=2) + "\n")
    sys.exit(any(row[3] != "ok" for row in rows))


if __name__ == "__main__":
    main()
