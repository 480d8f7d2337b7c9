#!/usr/bin/env python3
"""What keeping keys and values in half precision changes: the loss of every token of a text, both ways, at every stop.

The text is what the default family rehearses. Writes docs/measurements/cache-f16.json and prints a table; a minute."""
import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean

from measure import CannotRun, run

ROOT = Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stitch", type=Path, default=ROOT / ".build/release/stitch")
    parser.add_argument("--family", type=Path, default=ROOT / "weights/tiny")
    parser.add_argument("--lines", type=int, default=300, help="conversations of the rehearsal to take")
    arguments = parser.parse_args()
    conversations = [json.loads(line) for line in (arguments.family / "rehearsal.jsonl").read_text().splitlines()[:arguments.lines]]
    text = "\n".join(message["content"] for conversation in conversations for message in conversation["messages"])
    stops = json.loads((arguments.family / "family.json").read_text())["stops"]
    document = {"stops": {}}
    print("stop                 loss, f32   loss, f16   |difference|, mean   largest")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        for stop in stops:
            both = []
            for cache in ["f32", "f16"]:
                report = json.loads(run([arguments.stitch, "score", file.name, "--family", arguments.family, "--stitch", stop,
                                         "--cache", cache, "--json"]))
                both.append(report["nll"])
            differences = [abs(a - b) for a, b in zip(*both)]
            figures = {"tokens": len(both[0]), "f32": mean(both[0]), "f16": mean(both[1]), "mean_difference": mean(differences),
                       "largest_difference": max(differences)}
            document["stops"][stop] = figures
            print(f"{stop:20} {figures['f32']:.5f}     {figures['f16']:.5f}     {figures['mean_difference']:.1e}"
                  f"              {figures['largest_difference']:.1e}", flush=True)
    (ROOT / "docs/measurements/cache-f16.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except CannotRun as error:
        raise SystemExit(f"cache_quality: {error}")
