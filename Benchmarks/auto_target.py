#!/usr/bin/env python3
"""Whether `/auto` holds a speed: between the fastest and the slowest stop of a family, and again after a load came and went.

Talks to `stitch chat --plain`. For a family of billions of parameters: in small ones speeds of single replies say little.
Exit code 0: within 10 % both times; 1: not; 2: could not run.
"""
import argparse
import json
import math
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOLERANCE = 0.1
SPEED = re.compile(r"^\[(\S+) .*?([\d.]+) tok/s\]")

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--stitch", type=pathlib.Path, default=ROOT / ".build/release/stitch", help="the program")
parser.add_argument("--family", required=True, help="a family whose text model may be of random weights")
parser.add_argument("--tokens", type=int, default=48, help="of a reply")
parser.add_argument("--replies", type=int, default=3, help="with and after the load; the third counts")
parser.add_argument("--output", type=pathlib.Path, help="where the figures go, as JSON")
arguments = parser.parse_args()


def spin():
    while True:
        pass


class Chat:
    def __init__(self):
        self.process = subprocess.Popen(
            [arguments.stitch, "chat", "--plain", "--no-save", "--family", arguments.family], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)
        self.asked = 0
        self.say(f"/set max_tokens {arguments.tokens}")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def reply(self):
        """The stop that answered, and its speed. Short replies do not count."""
        for _ in range(10):
            # Never the same text: what was computed once is not computed again, and faster.
            self.asked += 1
            self.say("/clear")
            self.say(f"{self.asked} {self.asked * 7919 % 1000}: tell me more.")
            for line in self.process.stdout:
                if line.startswith("[") and "stopped" not in line and (found := SPEED.match(line)):
                    if "cut at" in line:
                        return {"stop": found[1], "speed": float(found[2])}
                    break
            else:
                break
        print("auto_target: the chat ended, or its replies are too short", file=sys.stderr)
        sys.exit(2)


def show(what, reply, target):
    reply |= {"when": what, "share": reply["speed"] / target}
    print(f"{what}: {reply['stop']} {reply['speed']:.1f} tok/s, {reply['share']:.2f} of the target", flush=True)
    return reply


stops = [row["id"] for row in json.loads(subprocess.run(
    [arguments.stitch, "family", "show", arguments.family, "--json"], capture_output=True, text=True, check=True).stdout)["stitches"]]
chat = Chat()
ends = []
for stop in (stops[0], stops[-1]):
    chat.say(f"/stitch {stop}")
    chat.reply()
    ends.append(chat.reply()["speed"])
target = round(math.sqrt(ends[0] * ends[1]), 1)
print(f"{stops[0]} {ends[0]:.1f} tok/s, {stops[-1]} {ends[1]:.1f} tok/s; target {target} tok/s")
chat.say(f"/auto {target}")
log = [show(f"reply {number + 1}", chat.reply(), target) for number in range(3)]
load = [multiprocessing.Process(target=spin, daemon=True) for _ in range(os.cpu_count())]
for process in load:
    process.start()
log += [show(f"with a load, reply {number + 1}", chat.reply(), target) for number in range(arguments.replies)]
for process in load:
    process.terminate()
    process.join()
log += [show(f"after it, reply {number + 1}", chat.reply(), target) for number in range(arguments.replies)]
chat.say("/quit")
if arguments.output:
    arguments.output.write_text(json.dumps({"target": target, "ends": ends, "replies": log}, indent=1) + "\n")
good = all(abs(reply["share"] - 1) <= TOLERANCE for reply in log if reply["when"] in ("reply 3", "after it, reply 3"))
print("within 10 % after two replies, and again two replies after the load" if good else "not within 10 %")
sys.exit(0 if good else 1)
