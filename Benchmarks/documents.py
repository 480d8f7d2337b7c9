#!/usr/bin/env python3
"""Writes the tables about speed, many at once, and other machines in README.md and docs anew from the files in
docs/measurements.

Measures nothing. A table lies between `<!-- NAME -->` and `<!-- end of NAME -->`; what stands there is replaced. Exit code 2: a
pair of markers or a file is missing."""
import argparse
import re
import sys
from pathlib import Path

import tables
from measure import CannotRun

ROOT = Path(__file__).resolve().parent.parent
# By page and markers.
SPEED = {
    "README.md": {
        "beside PyTorch": tables.pytorch, "beside llama.cpp": tables.llama_in_short, "first screen": tables.first_screen,
    },
    "docs/performance.md": {
        "beside llama.cpp": tables.llama, "a real model": tables.real_model,
        "a real model on AVX-512": tables.real_model_on_avx512, "roofline": tables.roofline, "adapter": tables.adapter, "slider and memory": tables.families,
        "speculation": tables.speculation, "start": tables.start, "cache": tables.cache, "auto": tables.auto, "step": tables.step,
        "side networks": tables.side_networks, "memory of methods": tables.method_memory,
    },
    "docs/serving.md": {"many at once": tables.many_at_once, "a thousand clients": tables.thousand_clients},
    "docs/machines.md": {"odd machines": tables.odd_machines, "soak": tables.soak},
}


def fill(page, blocks):
    """Puts each of `blocks` between the markers of its name; a page that stays the same is not touched."""
    before = text = page.read_text()
    for name, block in blocks.items():
        first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text, count = re.subn(re.escape(first) + ".*?" + re.escape(last), lambda _: f"{first}\n\n{block}\n\n{last}", text, flags=re.S)
        if count != 1:
            raise CannotRun(f"{page}: has {count} pairs of {first} and {last}, not one; restore them")
    if text != before:
        save(page, text)


def save(path, text):
    """A reader finds the old text or the new one, nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def write():
    """Writes every table about speed."""
    def made(table):
        try:
            return table()
        except tables.NotMeasured as missing:
            return str(missing)

    # All are made before the first is written.
    pages = {page: {name: made(table) for name, table in blocks.items()} for page, blocks in SPEED.items()}
    for page, blocks in pages.items():
        fill(ROOT / page, blocks)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    try:
        write()
    except CannotRun as error:
        print(f"documents: {error}", file=sys.stderr)
        sys.exit(2)
