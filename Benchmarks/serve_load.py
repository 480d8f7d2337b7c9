#!/usr/bin/env python3
"""A thousand clients at once against `stitch serve`: some slow, some that vanish, some hostile.

Every other reply must be whole and its own: the same text as when it was asked for alone. Prints what came of it, with the
99th percentile of the time to the first token and the server's memory; with `--write` they go to
docs/measurements/serve-load.json, and the table of docs/serving.md is written anew. Exit code 0: all whole; 1: not; 2: could
not run.

    Benchmarks/serve_load.py --clients 1000 --write
"""
import argparse
import asyncio
import json
import pathlib
import random
import re
import resource
import subprocess
import sys
import time

import documents
from measure import machine

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = ["small", "medium-large@3", "large"]
HOSTILE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 200_000,
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n" + b"{" * 100_000,
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n" + b"[" * 50_000,
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\n\"caf\xc3", b"\r\n" * 1000,
    b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


def request(index):
    body = json.dumps({
        "model": SIZES[index % len(SIZES)], "messages": [{"role": "user", "content": f"tell me a story, the {index}th"}],
        "max_tokens": 20 + index % 30, "temperature": 0.9, "seed": index, "stream": True,
    }).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def ask(port, index, pause=0.0):
    """The text of a reply, `None` where it is not whole; the time to its first token."""
    start = time.monotonic()
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        data = request(index)
        for begin in range(0, len(data), 40 if pause else len(data)):
            writer.write(data[begin : begin + (40 if pause else len(data))])
            await writer.drain()
            await asyncio.sleep(pause)
        status = int((await reader.readline()).split()[1])
        fields = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            fields[name.lower()] = value.strip()
        if status != 429:
            break
        writer.close()
        await asyncio.sleep(int(fields["retry-after"]) * random.uniform(0.5, 1))
    text, first, done = "", None, False
    while line := await reader.readline():
        await asyncio.sleep(pause)
        if not line.startswith(b"data: "):
            continue
        if line.strip() == b"data: [DONE]":
            done = True
            continue
        delta = json.loads(line[6:])["choices"][0]["delta"]
        if delta.get("content"):
            first = first or time.monotonic() - start
            text += delta["content"]
    writer.close()
    return (text if done and status == 200 else None), first


async def vanish(port, index):
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(index)[: None if index % 2 else 50])
    await writer.drain()
    await asyncio.sleep(random.uniform(0, 2))
    writer.transport.abort()


async def attack(port, index):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(HOSTILE[index % len(HOSTILE)])
        await asyncio.wait_for(reader.read(), 20)
    except (OSError, asyncio.TimeoutError):
        pass
    writer.transport.abort()


async def load(port, count):
    distinct = min(count, 60)
    alone = [(await ask(port, index))[0] for index in range(distinct)]
    kinds = ["slow", "vanishing", "hostile"] + ["plain"] * 7
    tasks = []
    start = time.monotonic()
    for number in range(count):
        kind, index = kinds[number % 10], (number * 7) % distinct
        if kind == "vanishing":
            work = vanish(port, index)
        elif kind == "hostile":
            work = attack(port, number // 10)
        else:
            work = ask(port, index, 0.02 if kind == "slow" else 0)
        tasks.append((kind, index, asyncio.ensure_future(work)))
    results = await asyncio.gather(*(task for _, _, task in tasks), return_exceptions=True)
    seconds = time.monotonic() - start
    wrong, firsts, asked = 0, [], 0
    for (kind, index, _), result in zip(tasks, results):
        if kind in ("plain", "slow"):
            asked += 1
            if isinstance(result, BaseException) or result[0] != alone[index]:
                wrong += 1
                print(f"{kind} {index}: {result!r}", file=sys.stderr)
            elif kind == "plain" and result[1]:
                firsts.append(result[1])
    firsts.sort()
    return asked, wrong, seconds, firsts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--family", default=str(ROOT / "weights" / "tiny"))
    parser.add_argument("--queue", default="256")
    parser.add_argument("--write", action="store_true", help="write docs/measurements/serve-load.json and the table")
    arguments = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 1 << 16), limit))
    server = subprocess.Popen(
        [ROOT / ".build/release/stitch-serve", "--family", arguments.family, "--port", "0", "--queue", arguments.queue],
        stderr=subprocess.PIPE, text=True)
    try:
        line = server.stderr.readline()
        found = re.search(r":(\d+)/v1", line)
        if not found:
            print(f"serve_load: the server does not start: {line.strip()}", file=sys.stderr)
            return 2
        asked, wrong, seconds, firsts = asyncio.run(load(int(found[1]), arguments.clients))
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        memory = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024
        print(f"{arguments.clients} clients, {asked} that wait for a reply: {asked - wrong} whole and their own, {wrong} not")
        median, late = firsts[len(firsts) // 2], firsts[int(len(firsts) * 0.99)]
        print(f"{seconds:.1f} s in all; first token: median {median:.2f} s, 99th percentile {late:.2f} s")
        print(f"memory of the server at its most: {memory} MiB")
        if arguments.write:
            document = {
                "machine": machine(), "family": pathlib.Path(arguments.family).name, "clients": arguments.clients, "waiting": asked,
                "wrong": wrong, "seconds": round(seconds, 2), "first_token_seconds": {"median": round(median, 3), "p99": round(late, 3)},
                "memory_bytes": memory << 20}
            documents.save(ROOT / "docs/measurements/serve-load.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            documents.write()
        return 1 if wrong else 0
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    sys.exit(main())
