#!/usr/bin/env python3
"""Writes the tables of docs/many-machines.md: what `make bench-machines` measured, and a model on paper of more machines.

The model's compute is what docs/measurements/speed-train-134M.json measured on one machine of two cores, in floating-point
operations; its bytes are those of the gradients that travel, counted from the shapes. Nothing overlaps in it, as in the
program."""
import json
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "Benchmarks"))
import documents  # noqa: E402

MACHINES = [1, 2, 4, 8, 16, 32, 64]
NETWORKS = [("1 Gbit/s", 1e9 / 8), ("25 Gbit/s", 25e9 / 8)]
# Of one message, there and through both systems: of switched Ethernet and its TCP.
LATENCY = 50e-6
# Of a payload on Ethernet with TCP, what is payload.
PAYLOAD = 0.94
# Floats of a sum that are exchanged at a time (GradientExchange).
CHUNK = 1 << 20
# A step: two parts for each of 64 machines, one for each of their cores.
TOKENS = 64 * 512
RANK = 16
# Hidden size, feed-forward size, blocks, width of queries, width of keys and values, vocabulary.
SHAPES = {
    "SmolLM2 135M": (576, 1536, 30, 576, 192, 49152),
    "1B": (2048, 5632, 22, 2048, 256, 32000),
    "7B": (4096, 11008, 32, 4096, 4096, 32000),
}


def weights(shape):
    """Of a token's matrices, the head included."""
    hidden, inner, blocks, query, key, vocabulary = shape
    return blocks * (2 * hidden * query + 2 * hidden * key + 3 * hidden * inner) + hidden * vocabulary


def gradients(shape):
    """Floats that travel: low-rank updates of q, k, v, o and the biases of their outputs."""
    hidden, _, blocks, query, key, _ = shape
    low_rank = RANK * (2 * (hidden + query) + 2 * (hidden + key))
    return blocks * (low_rank + query + 2 * key + hidden)


def operations(shape):
    """Of a token: forward, and backward through frozen weights."""
    return 4 * weights(shape)


def seconds(shape, machines, rate, bandwidth):
    """Computing and exchanging in a step."""
    compute = TOKENS / machines * operations(shape) / rate
    if machines == 1:
        return compute, 0.0
    floats = gradients(shape)
    # Every float leaves a machine twice, but for those it owns: to its owner, and from there to all.
    travels = 2 * (machines - 1) / machines * 4 * floats / (bandwidth * PAYLOAD)
    waits = -(-floats // CHUNK) * 2 * (machines - 1) * LATENCY
    return compute, travels + waits


def model(rate):
    yield "| family | floats, MB a step | network | " + " | ".join(str(n) for n in MACHINES) + " |"
    yield "|---|---|---|" + "---|" * len(MACHINES)
    for name, shape in SHAPES.items():
        alone, _ = seconds(shape, 1, rate, 1)
        floats = gradients(shape)
        for network, bandwidth in NETWORKS:
            cells = []
            for machines in MACHINES:
                total = sum(seconds(shape, machines, rate, bandwidth))
                cells.append(f"{TOKENS / total:,.0f}, {100 * alone / machines / total:.0f} %")
            yield (
                f"| {name} | {floats / 1e6:.1f} M, {4 * floats / 1e6:.0f} MB | {network} | " + " | ".join(cells) + " |"
            )


def measured():
    place = ROOT / "docs/measurements/many-machines.json"
    if not place.exists():
        return ["Not measured yet: `make bench-machines` does it, on a machine with nothing else to do."]
    found = json.loads(place.read_text())
    lines = ["| | tokens/s, median | all |", "|---|---|---|"]
    for name, values in found["tokens_per_second"].items():
        lines.append(f"| {name} | {statistics.median(values):,.0f} | {', '.join(f'{v:,.0f}' for v in values)} |")
    lines += [
        "",
        f"Two processes: {found['processes_by_threads']:.2f} of two threads, {found['processes_by_twice_one']:.2f} of twice "
        f"one thread. {found['family']}, {found['stitch']}, steps of {found['tokens_per_step']} tokens, "
        f"{found['trained_parameters'] / 1e6:.1f} M trained parameters, {found['machine']['processor']}.",
    ]
    return lines


def main():
    rows = json.loads((ROOT / "docs/measurements/speed-train-134M.json").read_text())["results"]
    speeds = next(row["ours"] for row in rows if row["case"] == "train-lora")
    rate = statistics.median(speeds) * operations(SHAPES["SmolLM2 135M"])
    text = [
        *model(rate), "",
        f"Compute: {statistics.median(speeds):,.0f} tokens/s of SmolLM2's shape on two cores (the median of "
        f"speed-train-134M.json), which is {rate / 1e9:.0f} GFLOP/s; the other shapes are put at the same rate.",
    ]
    documents.fill(
        ROOT / "docs/many-machines.md", {"two processes": "\n".join(measured()), "on paper": "\n".join(text)})


if __name__ == "__main__":
    main()
