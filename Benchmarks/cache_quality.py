#!/usr/bin/env python3
"""What a KV cache in half precision changes: the replies to conversations the family knows, both ways.

Replays the user's part of what the family rehearses, greedily, at the smallest, the middle and the largest stop; counts the
replies that are the expected ones, and those that are the same both ways. Writes docs/measurements/cache-f16.json and the table of
docs/performance.md; some minutes."""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import documents
from measure import CannotRun, machine

ROOT = Path(__file__).resolve().parent.parent


def scripts(conversations, family, stop, folder):
    for number, conversation in enumerate(conversations):
        messages = conversation["messages"]
        script = {"family": str(family), "stitch": stop, "set": {"temperature": 0}, "steps": []}
        if messages[0]["role"] == "system":
            script["system"] = messages[0]["content"]
            messages = messages[1:]
        for question, answer in zip(messages[::2], messages[1::2]):
            script["steps"].append({"user": question["content"], "expect": {"equals": answer["content"]}})
        # JSON is YAML.
        (folder / f"{number:05}.yaml").write_text(json.dumps(script))


def replies(stitch, folder, cache):
    """Texts, and whether each was expected."""
    done = subprocess.run([stitch, "replay", folder, "--cache", cache, "--json"], capture_output=True, text=True)
    # 1: some replies were others than expected.
    if done.returncode not in (0, 1):
        raise CannotRun(f"stitch replay: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    steps = [step for result in json.loads(done.stdout)["results"] for step in result["steps"]]
    return [step["replies"][0]["text"] for step in steps], [not step["failures"] for step in steps]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stitch", type=Path, default=ROOT / ".build/release/stitch")
    parser.add_argument("--family", type=Path, default=ROOT / "weights/tiny")
    parser.add_argument("--conversations", type=int, default=600, help="how many to take")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    arguments = parser.parse_args()
    family = arguments.family.absolute()
    rehearsal = family / "rehearsal.jsonl"
    if not rehearsal.exists():
        raise CannotRun(f"{rehearsal} is missing; use an adapted family")
    conversations = [json.loads(line) for line in rehearsal.read_text().splitlines()[:arguments.conversations]]
    stops = json.loads((family / "family.json").read_text()).get("stops")
    if not stops:
        raise CannotRun(f"{family} names no stops; use the default family")
    document = {"machine": machine(), "conversations": len(conversations), "stops": {}}
    print("stop                 replies   right, f32   right, f16   the same")
    for stop in [stops[0], stops[len(stops) // 2], stops[-1]]:
        with tempfile.TemporaryDirectory() as folder:
            scripts(conversations, family, stop, Path(folder))
            (texts, right), (half_texts, half_right) = (replies(arguments.stitch, folder, cache) for cache in ["f32", "f16"])
        same = sum(a == b for a, b in zip(texts, half_texts))
        document["stops"][stop] = {"replies": len(texts), "right_f32": sum(right), "right_f16": sum(half_right), "same": same}
        print(f"{stop:20} {len(texts):7}   {sum(right):10}   {sum(half_right):10}   {same:8}", flush=True)
    if not arguments.dry:
        documents.save(ROOT / "docs/measurements/cache-f16.json", json.dumps(document, indent=1) + "\n")
        documents.write()


if __name__ == "__main__":
    try:
        main()
    except CannotRun as error:
        raise SystemExit(f"cache_quality: {error}")
