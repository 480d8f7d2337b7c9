#!/usr/bin/env python3
"""Compares two builds of a program section by section: scripts/reproducible.py .build/release/stitch OTHER/.build/release/stitch.

Exit code 0: what is loaded into memory is the same, but for hashes of how it was made; 1: it is not; 2: it could not be
compared."""
import collections
import pathlib
import re
import subprocess
import sys

# Of no use to a program that runs: the linker's hash of the file, debug information included, and the compiler's of modules.
HASHES = {".note.gnu.build-id", ".swift_modhash"}


def sections(program):
    """Name, bytes and whether it is loaded, of each section."""
    text = subprocess.run(["readelf", "-SW", program], check=True, capture_output=True, text=True).stdout
    content = program.read_bytes()
    found = collections.defaultdict(lambda: [b"", False])
    row = re.compile(r"\s*\[\s*\d+\]\s+(\S+)\s+(\S+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+([0-9a-f]+)\s+[0-9a-f]+\s+([A-Za-z]*)\s")
    for name, kind, offset, size, flags in row.findall(text):
        start = int(offset, 16)
        found[name][0] += b"" if kind == "NOBITS" else content[start:start + int(size, 16)]
        found[name][1] |= "A" in flags
    return found


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        one, other = (sections(pathlib.Path(place)) for place in sys.argv[1:])
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"reproducible: {error}", file=sys.stderr)
        return 2
    differing = [name for name in sorted(one.keys() | other.keys()) if one[name] != other[name]]
    loaded = [name for name in differing if (one[name][1] or other[name][1]) and name not in HASHES]
    size = sum(len(content) for name, (content, is_loaded) in one.items() if is_loaded)
    print(f"loaded: {size:,} bytes, " + ("the same" if not loaded else "not the same: " + ", ".join(loaded)))
    print("differ: " + (", ".join(differing) or "nothing"))
    return 1 if loaded else 0


if __name__ == "__main__":
    sys.exit(main())
