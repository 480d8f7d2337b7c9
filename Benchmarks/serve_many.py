#!/usr/bin/env python3
"""Sixteen chats at once, beside one, on SmolLM2-135M-Instruct: `stitch serve` and llama.cpp's server on the same file, in turns.

A client asks for one reply after another, each streamed; tokens are those that the server says it made, divided by the time
from the first request to the last reply. With `--write` the figures go to docs/measurements/serve-many.json, and the table of
docs/serving.md is written anew. Exit code 0: measured; 1: all rounds were disturbed; 2: could not run.

    Benchmarks/serve_many.py --rounds 5 --write
"""
import argparse
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import documents
from measure import CannotRun, machine, progress, run
from rounds import in_rounds, result, table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MODEL = "smollm2-135m"
CHATS = 16
CONTEXT = 1024
# Bytes of a reply that a client waits for, or its end.
WOKEN_AT = 8192
TOPICS = ["a fox", "the sea", "a lighthouse", "an old clock", "two brothers", "a garden", "winter", "a lost letter"]
# What is to be reached.
OVER_ONE, OVER_LLAMA, HTTP_MILLISECONDS = 4, 1.5, 1


class Server:
    """A server on a free port, for as long as the block runs; it is waited for, so that its time counts as ours."""

    def __init__(self, command, port=None):
        self.command, self.given = [str(part) for part in command], port

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.port = self.given
        if self.port is None:
            line = self.process.stderr.readline()
            found = re.search(r":(\d+)/v1", line)
            if not found:
                raise CannotRun(f"{self.command[0]}: {line.strip()}")
            self.port = int(found[1])
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        for _ in range(600):
            try:
                if self.get("/health")[0] == 200:
                    return self
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.__exit__()
        raise CannotRun(f"{self.command[0]} does not answer; start it by hand: {' '.join(self.command)}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def reply(self, model, number, tokens):
        """The tokens of a streamed reply."""
        topic = f"{TOPICS[number % len(TOPICS)]} and {TOPICS[number // len(TOPICS) % len(TOPICS)]}"
        body = {"model": model, "messages": [{"role": "user", "content": f"Write a long story about {topic}, number {number}."}],
                "max_tokens": tokens, "temperature": 0.8, "seed": number, "repetition_penalty": 1.0, "repeat_penalty": 1.0,
                "stream": True, "stream_options": {"include_usage": True}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.connect()
        client = connection.sock
        headers = {"Content-Type": "application/json", "Connection": "close"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        # Woken at each event, sixteen clients would take a good part of a core from the server.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, WOKEN_AT)
        stream = bytearray()
        while piece := answer.fp.read1():
            stream += piece
        made = re.findall(rb'"completion_tokens": *(\d+)', stream)
        if not made:
            raise CannotRun(f"{self.command[0]}: a reply without usage, status {answer.status}")
        return int(made[-1])

    def speed(self, models, chats, replies, tokens):
        """Tokens a second of so many chats at once."""
        made, failures = [], []

        def chat(number):
            try:
                for turn in range(replies):
                    made.append(self.reply(models[number % len(models)], chats * turn + number, tokens))
            except (OSError, CannotRun) as error:
                failures.append(error)

        threads = [threading.Thread(target=chat, args=(number,)) for number in range(chats)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise CannotRun(str(failures[0]))
        return sum(made) / (time.monotonic() - start)

    def step_seconds(self):
        """Seconds of all steps so far, and how many there were."""
        text = self.get("/metrics")[1]
        return [float(re.search(rf"^stitch_step_seconds_{name} (\S+)", text, re.M)[1]) for name in ("sum", "count")]


def measure(options, server, models):
    with server:
        server.speed(models[:1], 2, 1, 32)
        # Two at a time are more than one: the time of a token alone is known when both have ended.
        before = server.step_seconds() if options.ours(server) else None
        one = server.speed(models[:1], 1, options.replies, options.tokens)
        figures = {"one chat": one}
        if before:
            seconds, steps = (after - first for after, first in zip(server.step_seconds(), before))
            figures["HTTP, a token"] = 1000 * (1 / one - seconds / steps)
        figures[f"{CHATS} chats"] = server.speed(models[:1], CHATS, options.replies, options.tokens)
        figures["over one"] = figures[f"{CHATS} chats"] / one
    return figures


def mixed(options, server):
    """Sixteen chats at sizes of every kind, by as many at each of those sizes alone."""
    with server:
        stops = [model["id"] for model in json.loads(server.get("/v1/models")[1])["data"] if "@" in model["id"]]
        stops = stops[:: max(1, len(stops) // 3)][:3] + [stops[0].split("/")[0]]
        server.speed(stops, 4, 1, 16)
        alone = [server.speed([stop], CHATS, 1, options.tokens) for stop in stops]
        together = server.speed(stops, CHATS, 1, options.tokens)
    return {"mixed sizes": together, "by each size's own": together / (len(alone) / sum(1 / speed for speed in alone))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--replies", type=int, default=3, help="replies of each chat")
    parser.add_argument("--tokens", type=int, default=128, help="the longest a reply gets")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--skip-llama-cpp", action="store_true")
    parser.add_argument("--busy", action="store_true", help="rounds that other programs disturb count, too")
    parser.add_argument("--write", action="store_true", help="write docs/measurements/serve-many.json and the table")
    options = parser.parse_args()
    serve = ROOT / ".build/release/stitch-serve"
    file = Path(run([ROOT / ".build/release/stitch", "models", "pull", MODEL]).strip())
    options.ours = lambda server: server.command[0] == str(serve)
    sides = {"ours": lambda: measure(
        options, Server([serve, "--model", file, "--port", 0, "--threads", options.threads, "--context", CONTEXT]), [file.stem])}
    if not options.skip_llama_cpp:
        llama = Path(run([HERE / "peers/llama_cpp.sh", "--server"]).strip()) / "llama-server"
        if not llama.exists():
            raise CannotRun(f"{llama} is not there; remove its directory, and the script builds it anew, or --skip-llama-cpp")
        port = 18000 + os.getpid() % 10000
        command = [llama, "-m", file, "--port", port, "-t", options.threads, "-np", CHATS, "-c", CHATS * CONTEXT]
        sides["theirs"] = lambda: measure(options, Server(command, port), ["any"])
    rounds = in_rounds(options, f"{CHATS} chats", sides)
    described = {"suite": "serve", "shape": file.stem, "type": "q4_1"}
    rows = [
        result(options, rounds, "one chat", unit="tok/s", **described),
        result(options, rounds, f"{CHATS} chats", target=OVER_LLAMA, unit="tok/s", **described),
        result(options, rounds, "over one", target=OVER_ONE, alone=True, unit="times", **described),
        result(options, rounds, "HTTP, a token", at_most=HTTP_MILLISECONDS, alone=True, unit="ms", **described),
    ]
    family = Server([serve, "--family", ROOT / "weights/smollm2", "--port", 0, "--threads", options.threads, "--context", CONTEXT])
    rounds = in_rounds(options, "mixed sizes", {"ours": lambda: mixed(options, family)})
    for case, unit in (("mixed sizes", "tok/s"), ("by each size's own", "times")):
        rows.append(result(options, rounds, case, alone=True, unit=unit, suite="serve", shape="weights/smollm2", type="q4_1"))
    print(table(rows, options.busy))
    if options.write:
        document = {"machine": machine(), "threads": options.threads, "chats": CHATS, "results": rows}
        documents.save(ROOT / "docs/measurements/serve-many.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        documents.write()
    return 0 if all(row["trusted"] for row in rows) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotRun as error:
        progress("")
        print(f"serve_many: {error}", file=sys.stderr)
        sys.exit(2)
