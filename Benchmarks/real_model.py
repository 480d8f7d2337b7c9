#!/usr/bin/env python3
"""Checks a real chat model, SmolLM2-135M-Instruct, against transformers and llama.cpp: greedy replies and losses.

The model is got with `stitch models pull smollm2-135m`; peers/setup.sh and peers/llama_cpp.sh make what the peers run in.
What was measured goes to docs/measurements/real-model.json with --write. Exit code 0: all agree; 1: something differs;
2: could not run.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import documents
from measure import CannotRun, machine, run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MODEL = "smollm2-135m"
TOKENS = 128
# Where greedy replies part, both tokens must be as likely within so many nats.
MARGIN = 0.01
# A little less than `stitch score` takes at once: readers cut the text a little differently.
PROSE_TOKENS = 4088
# llama-perplexity wants two windows of text, at least.
WINDOW = 1024
# Of a single token, in nats, in F32.
LOSS_TOLERANCE = 1e-3
# Of the perplexity of the Q4_1 file.
PERPLEXITY_TOLERANCE = 0.01
PROMPTS = [
    "What is the capital of France?", "What is 2+2?", "Write a haiku about autumn.", "Why is the sky blue?",
    "List five fruits.", "Explain photosynthesis to a child.", "Who wrote Hamlet?", "Translate “good morning” into Spanish.",
    "Give me a recipe for pancakes.", "What is the difference between a list and a tuple in Python?",
    "Write a Python function that reverses a string.", "Tell me a short story about a fox.",
    "How do I boil an egg?", "What are the planets of the solar system?", "Name three famous painters.",
    "What should I pack for a trip to the mountains?", "Summarise the plot of Romeo and Juliet.",
    "What does “carpe diem” mean?", "How many days are there in a leap year?", "Write a polite e-mail asking for a day off.",
]


def ask_peer(*command, document):
    done = subprocess.run([str(word) for word in command], input=json.dumps(document), capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotRun(f"{command[1]}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return json.loads(done.stdout)


class Judge:
    """Says what holds as it is found, and keeps it."""

    def __init__(self):
        self.failures, self.figures = 0, {}

    def report(self, name, holds, detail, **figures):
        self.failures += not holds
        self.figures[name] = {"holds": bool(holds), **figures}
        print(f"{'ok  ' if holds else 'FAIL'}  {name}: {detail}", flush=True)


def greedy(judge, options, python, model):
    replies = []
    for prompt in PROMPTS:
        made = json.loads(run([options.stitch, "ask", prompt, "--model", model, "--max-tokens", TOKENS, "--temperature", 0, "--json"]))
        replies.append({"prompt": prompt, "tokens": made["tokens"], "promptTokens": made["prompt_tokens"]})
    answers = ask_peer(python, HERE / "peers/greedy.py", model, document={"tokens": TOKENS, "replies": replies})
    prompts = all(ours["promptTokens"] == theirs["promptTokens"] for ours, theirs in zip(replies, answers))
    parted = [answer["nats"] for answer in answers if answer["nats"] is not None]
    judge.report(
        "greedy replies as transformers, F32", prompts and all(nats <= MARGIN for nats in parted),
        f"{len(answers) - len(parted)} of {len(answers)} replies of at most {TOKENS} tokens are equal"
        + "".join(f"; one parts between tokens {nats:.4f} nats apart" for nats in parted)
        + ("" if prompts else "; prompts differ in length"),
        equal=len(answers) - len(parted), of=len(answers), nats=parted)


def token_ids(options, model, text):
    done = subprocess.run(
        [options.stitch, "tokenize", "--model", model], stdin=text.open(), capture_output=True, text=True, check=True)
    return [int(token) for token in done.stdout.split()]


def losses(judge, options, python, model, text):
    ours = json.loads(run([options.stitch, "score", text, "--model", model, "--json"]))["nll"]
    theirs = ask_peer(python, HERE / "peers/losses.py", model, document=token_ids(options, model, text))
    worst = max(abs(a - b) for a, b in zip(ours, theirs)) if len(ours) == len(theirs) else math.inf
    judge.report(
        "losses of prose as transformers, F32", worst <= LOSS_TOLERANCE,
        f"{len(ours)} tokens, mean {sum(ours) / len(ours):.5f}, largest difference of a token's loss {worst:.1e}",
        tokens=len(ours), mean=sum(ours) / len(ours), largest_difference=worst)


def perplexity(judge, options, python, tools, file, model, text):
    """Of the file, in one window; with exact products it is transformers', on the same ids: the reader of the directory cuts
    digits another way."""
    exact = ask_peer(python, HERE / "peers/losses.py", model, document=token_ids(options, file, text))
    ours = json.loads(run([options.stitch, "score", text, "--model", file, "--json"]))["nll"]
    # On a busy machine it now and then ends before its last lines are written.
    for _ in range(5):
        done = subprocess.run(
            [tools / "llama-perplexity", "-m", file, "-f", text, "-c", str(WINDOW), "--chunks", "1", "-t", str(options.threads)],
            capture_output=True, text=True)
        found = re.search(r"(?:PPL = |\[1\])([0-9.]+)", done.stdout + done.stderr)
        if found or done.returncode != 0:
            break
    if not found:
        raise CannotRun(f"llama-perplexity: exit code {done.returncode}")
    # It counts the second half of the context alone.
    def of(values):
        counted = values[WINDOW // 2:WINDOW - 1]
        return math.exp(sum(counted) / len(counted))

    theirs = float(found.group(1))
    judge.report(
        "perplexity of prose as llama.cpp, Q4_1", abs(of(ours) / theirs - 1) <= PERPLEXITY_TOLERANCE,
        f"{of(ours):.4f} against {theirs:.4f}: ratio {of(ours) / theirs:.4f}; with exact products {of(exact):.4f}",
        ours=of(ours), theirs=theirs, exact=of(exact))


def prose(options, file, directory):
    """A text of about so many tokens of this project's guides."""
    text = "".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))
    place = directory / "prose.txt"
    words = re.findall(r"\S+\s+", text)
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        place.write_text("".join(words[:middle]))
        low, high = (middle, high) if len(token_ids(options, file, place)) <= PROSE_TOKENS else (low, middle - 1)
    place.write_text("".join(words[:low]))
    return place


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stitch", type=Path, default=ROOT / ".build/release/stitch")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--skip-llama-cpp", action="store_true")
    parser.add_argument("--write", action="store_true", help="write docs/measurements/real-model.json")
    options = parser.parse_args()
    file = Path(run([options.stitch, "models", "pull", MODEL]).strip())
    work = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stitch/bench"
    work.mkdir(parents=True, exist_ok=True)
    python = run([HERE / "peers/setup.sh"]).strip()
    model = work / f"{MODEL}-f32"
    if not (model / "tokenizer_config.json").exists():
        run([python, "-W", "ignore", HERE / "peers/gguf_to_hf.py", file, model])
    judge = Judge()
    text = prose(options, file, work)
    losses(judge, options, python, model, text)
    if not options.skip_llama_cpp:
        perplexity(judge, options, python, Path(run([HERE / "peers/llama_cpp.sh"]).strip()), file, model, text)
    greedy(judge, options, python, model)
    if options.write:
        documents.save(ROOT / "docs/measurements/real-model.json", json.dumps(
            {"machine": machine(), "model": file.name, "results": judge.figures}, indent=2, ensure_ascii=False) + "\n")
    return 1 if judge.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotRun as error:
        print(f"real_model: {error}", file=sys.stderr)
        sys.exit(2)
