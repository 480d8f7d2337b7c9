#!/usr/bin/env python3
"""Writes the tables of docs/reliability.md from what `make fuzz`, `make crashes` and `make sanitize` wrote to
docs/measurements, and from what Tests/found.json says of each input that was found. Measures nothing."""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Benchmarks"))
import documents  # noqa: E402
from measure import CannotRun  # noqa: E402


def read(name: str):
    file = ROOT / name
    return json.loads(file.read_text()) if file.exists() else None


def number(value: int) -> str:
    return f"{value:,}"


def fuzzing() -> str:
    figures = read("docs/measurements/fuzzing.json")
    if not figures:
        return "Not measured yet: `make fuzz`."
    inputs = {folder.name: len(list(folder.iterdir())) for folder in (ROOT / "Tests/FuzzTests/Corpus").iterdir()}
    lines = ["| target | inputs tried | minutes | edges reached | in the corpus |", "|---|---:|---:|---:|---:|"]
    for name, figure in sorted(figures.items()):
        lines.append(f"| `{name}` | {number(figure['executions'])} | {figure['seconds'] / 60:.0f} | {number(figure['coverage'])} | {inputs.get(name, 0)} |")
    lines.append(f"| together | {number(sum(f['executions'] for f in figures.values()))} | {sum(f['seconds'] for f in figures.values()) / 60:.0f} | | {sum(inputs.values())} |")
    return "\n".join(lines)


def found() -> str:
    entries = read("Tests/found.json") or []
    if not entries:
        return "Nothing."
    return "\n".join(["| by | what | input |", "|---|---|---|"] + [
        f"| {entry['by']} | {entry['what']} | {'`' + entry['input'] + '`' if entry.get('input') else ''} |" for entry in entries])


def crashes() -> str:
    document = read("docs/measurements/crashes.json")
    if not document:
        return "Not measured yet: `make crashes`."
    kinds = ["kill", "no space", "I/O error", "interrupted", "short"]
    lines = ["| command | calls | " + " | ".join(kinds) + " | broken |", "|---|---:|" + "---:|" * len(kinds) + "---:|"]
    for name, figure in document["scenarios"].items():
        counts = [figure["kinds"].get(kind, {}) for kind in kinds]
        lines.append(f"| {name} | {number(figure['calls'])} | " + " | ".join(
            f"{number(count.get('held', 0))} of {number(count.get('runs', 0))}" for count in counts)
            + f" | {sum(count.get('broken', 0) for count in counts)} |")
    killed = sum(figure["kinds"].get("kill", {}).get("killed", 0) for figure in document["scenarios"].values())
    left = sum(count.get("left something", 0) for figure in document["scenarios"].values() for count in figure["kinds"].values())
    return "\n".join(lines) + f"\n\nHeld, of runs. {number(killed)} processes were killed; {number(left)} runs left a file, which `stitch doctor --clean` took."


def sanitizers() -> str:
    document = read("docs/measurements/sanitizers.json")
    if not document:
        return "Not measured yet: `make sanitize`."
    code = {"address": "C and Swift", "thread": "C and Swift", "undefined": "C, with address"}
    lines = ["| sanitizer | of | tests named | run | left out | failed | reports |", "|---|---|---|---:|---:|---|---:|"]
    for kind, runs in sorted(document.items()):
        for which, figure in sorted(runs.items()):
            # A filter's names; what stands in parentheses is one.
            parts = re.split(r"\|(?![^(]*\))", which)
            names = ", ".join(name if name == "all" else "`" + name.replace("|", "\\|") + "`" for name in parts)
            failed = ", ".join(f"`{name}`" for name in figure.get("failed", [])) or ("some" if figure["status"] else "none")
            lines.append(f"| {kind} | {code[kind]} | {names} | {number(figure['tests'])} | {figure['left out']} | {failed} "
                         f"| {figure['reports']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        documents.fill(ROOT / "docs/reliability.md", {
            "fuzzing": fuzzing(), "found": found(), "crashes": crashes(), "sanitizers": sanitizers()})
    except CannotRun as problem:
        print(f"reliability: {problem}", file=sys.stderr)
        sys.exit(2)
