#!/usr/bin/env python3
"""Compares replies with training in the background and without, in turns within one `stitch chat --plain`.

Prints the ratio of decode speeds (as the reply's label says them) and of the times from question to the end of the
answer. Exits with 1 where the speed beside training is below the limit. Two idle cores, about a minute."""
import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

root = pathlib.Path(__file__).resolve().parent.parent
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=root / ".build/release/stitch", help="the program")
parser.add_argument("--family", default=root / "weights/tiny")
parser.add_argument("--data", default=root / "weights/lessons/facts.jsonl", help="what is trained on meanwhile")
parser.add_argument("--question", default="Tell me a short story about a fox.")
parser.add_argument("--size", help="a stop by number or name; the best without it")
parser.add_argument("--max-tokens", type=int, default=200)
parser.add_argument("--rounds", type=int, default=10, help="turns of both kinds")
parser.add_argument("--replies", type=int, default=10, help="replies of a turn")
parser.add_argument("--pause", type=float, default=0.15, help="seconds between replies, in which training goes on")
parser.add_argument("--limit", type=float, default=0.85)
arguments = parser.parse_args()

environment = tempfile.TemporaryDirectory(prefix="stitch-beside-")
command = [str(arguments.stitch), "chat", "--plain", "--family", str(arguments.family),
           "--max-tokens", str(arguments.max_tokens)]
if arguments.size:
    command += ["--stitch", arguments.size]
chat = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                        env={"XDG_DATA_HOME": environment.name, "XDG_STATE_HOME": environment.name, "LC_ALL": "C.UTF-8",
                             "PATH": "/usr/bin:/bin"})


def send(line):
    chat.stdin.write(line + "\n")


def reply():
    """Decode speed of one reply, and seconds from the question to its end."""
    send("/clear")
    start = time.perf_counter()
    send(arguments.question)
    while True:
        line = chat.stdout.readline()
        if not line:
            sys.exit("stitch ended; run it by hand: " + " ".join(command))
        label = re.fullmatch(r"\[.* · ([\d.]+) tok/s\]\n", line)
        if label:
            return float(label[1]), time.perf_counter() - start
        if line.startswith("[") and line.endswith("]\n"):
            sys.exit(f"a reply too short to have a speed: {line.strip()}; ask another --question")


for _ in range(5):
    reply()
send(f"/train {pathlib.Path(arguments.data).resolve()} 1000000")
measured = {"alone": [], "beside": []}
ratios = []
for turn in range(arguments.rounds):
    for kind in ["beside", "alone"] if turn % 2 == 0 else ["alone", "beside"]:
        send("/resume" if kind == "beside" else "/pause")
        time.sleep(1 if turn == 0 else 0.3)
        values = []
        for _ in range(arguments.replies):
            time.sleep(arguments.pause)
            values.append(reply())
        measured[kind] += values
    last = {kind: values[-arguments.replies:] for kind, values in measured.items()}
    ratios.append(statistics.median(v[0] for v in last["beside"]) / statistics.median(v[0] for v in last["alone"]))
chat.stdin.close()
progress = chat.stdout.read()
chat.wait()
if "Training did not start" in progress:
    sys.exit(progress)

for kind, values in measured.items():
    speeds, seconds = zip(*values)
    print(f"{kind:7} {statistics.median(speeds):9.1f} tok/s   {1000 * statistics.median(seconds):7.2f} ms a reply   "
          f"({len(values)} replies)")
speed = statistics.median(ratios)
wait = statistics.median(v[1] for v in measured["beside"]) / statistics.median(v[1] for v in measured["alone"])
print(f"speed beside training: {speed:.3f} of that alone (rounds {min(ratios):.3f}–{max(ratios):.3f}); "
      f"a reply takes {wait:.2f} times as long")
sys.exit(0 if speed >= arguments.limit else 1)
