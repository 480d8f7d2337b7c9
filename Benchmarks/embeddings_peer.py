#!/usr/bin/env python3
"""Checks the embeddings of `stitch serve` with transformers: the mean of the last hidden states of the same weights, of
anchors of weights/tiny and of SmolLM2-135M-Instruct. Exit code 0: all holds; 1: a check did not hold; 2: could not run.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import urllib.request

import environment
from measure import CannotRun, run
from openai_peer import ROOT, Server, check, failures, give_up

HERE = pathlib.Path(__file__).resolve().parent
STITCH = ROOT / ".build" / "release" / "stitch"
# Weights of the tiny family are BF16, which activations are rounded to; those of SmolLM2 are four bits, and activations 16.
LEAST_COSINE = 0.9995


def asked(server, model, texts):
    body = json.dumps({"model": model, "input": texts}).encode()
    request = urllib.request.Request(server.url + "/embeddings", body, {"Content-Type": "application/json"})
    return [one["embedding"] for one in json.load(urllib.request.urlopen(request))["data"]]


def expected(python, model, texts):
    answer = subprocess.run([python, "-W", "ignore", HERE / "peers/embeddings.py", model], input=json.dumps(texts), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if answer.returncode != 0:
        give_up(f"transformers: {answer.stderr.strip().splitlines()[-1]}")
    return json.loads(answer.stdout)


def compare(name, ours, theirs):
    cosines = [sum(a * b for a, b in zip(one, other)) for one, other in zip(ours, theirs)]
    same = [len(one) == len(other) for one, other in zip(ours, theirs)]
    check(f"{name}: {len(cosines)} texts, cosine {min(cosines):.6f} at least", all(same) and min(cosines) >= LEAST_COSINE)


def main():
    python = run([HERE / "peers/setup.sh"]).strip()
    draw = random.Random(1)

    def texts(vocabulary):
        return [[draw.randrange(10, vocabulary) for _ in range(length)] for length in (1, 2, 17, 60, 200)]

    with tempfile.TemporaryDirectory() as directory:
        with Server("--embeddings") as server:
            for stop in ("small", "medium", "large"):
                model = pathlib.Path(directory) / stop
                run([STITCH, "export", "--family", ROOT / "weights/tiny", "--stitch", stop, "--output", model])
                some = texts(500)
                compare(f"tiny/{stop}", asked(server, f"tiny/{stop}", some), expected(python, model, some))
        file = pathlib.Path(run([STITCH, "models", "pull", "smollm2-135m"]).strip())
        model = environment.CACHE / "stitch" / "bench" / "smollm2-135m-f32"
        if not (model / "tokenizer_config.json").exists():
            model.parent.mkdir(parents=True, exist_ok=True)
            run([python, "-W", "ignore", HERE / "peers/gguf_to_hf.py", file, model])
        with Server("--embeddings", model=file) as server:
            some = texts(40000)
            compare(file.stem, asked(server, file.stem, some), expected(python, model, some))
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotRun as error:
        give_up(str(error))
