#!/usr/bin/env python3
"""A chat over a slow line, with training in the background, whose figures change all the time: what is typed is
answered before long, because what is not up to date any more is not drawn.

    Benchmarks/slow_terminal.py --baud 9600

From the moment a question is sent until its reply stands on the screen no more may come than the line holds and three
screens. Exit code 1 if more does. Needs no pip packages.
"""

import argparse
import os
import re
import select
import sys
import time

import bench_ui
import pty_screen

# What Linux keeps of a terminal's output that nobody has read, and three screens with their colours.
MOST_BYTES = 4096 + 3 * 6000


class SlowProgram(pty_screen.Program):
    """What it shows comes a tenth of the line's bits a second."""

    bytes_a_second = 960

    def read(self, seconds):
        if not select.select([self.terminal], [], [], max(0, seconds))[0]:
            return False
        data = os.read(self.terminal, max(1, self.bytes_a_second // 40))
        time.sleep(len(data) / self.bytes_a_second)
        self.bytes += len(data)
        self.screen.feed(data)
        return True


def replies(screen):
    """The transcript below the question."""
    lines = [line.split("│")[0] for line in screen.lines()]
    asked = [index for index, line in enumerate(lines) if line.strip().startswith("› What is 2 + 3?")]
    return lines[asked[0] + 1 : -6] if asked else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(bench_ui.ROOT / ".build/release/stitch"))
    parser.add_argument("--family", default=str(bench_ui.ROOT / "weights/tiny"))
    parser.add_argument("--lesson", default=str(bench_ui.ROOT / "weights/lessons/pirate.jsonl"))
    parser.add_argument("--baud", type=int, default=9600)
    arguments = parser.parse_args()
    SlowProgram.bytes_a_second = arguments.baud // 10
    pty_screen.Program = SlowProgram
    with bench_ui.chat(arguments, "--temperature", "0") as program:
        bench_ui.train(program, arguments)
        program.wait("some steps", lambda screen: any(re.search(r" [1-9]\d*/1000000", line) for line in screen.lines()), timeout=120)
        before = program.bytes
        program.send("What is 2 + 3?\r")
        program.wait("the reply", lambda screen: not bench_ui.is_busy(screen) and any("tok/s" in line for line in replies(screen)), timeout=120)
        took = program.bytes - before
        steps = next(line for line in program.screen.lines() if "/1000000" in line)
    print(f"{arguments.baud} baud: the reply was there {took} bytes after its question, at most {MOST_BYTES} are right; {steps.split('│')[-1].strip()}")
    sys.exit(0 if took <= MOST_BYTES else 1)


if __name__ == "__main__":
    main()
