#!/usr/bin/env python3
"""Rules that neither the compiler nor swift format knows: raw pointers, proofs, silent failures, imports.

Exceptions stand in lint-allow.txt, what may import what in import-rules.txt.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SYSTEM = {"Dispatch", "Foundation", "Glibc", "Synchronization"}
POINTER = r"Unsafe(?:Mutable)?(?:Raw)?(?:Buffer)?Pointer"
complaints: list[str] = []


def lines_of(path: str) -> list[str]:
    """Lines of a table, without comments."""
    text = (ROOT / "scripts" / path).read_text()
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


class Allowances:
    """`path: what: reason`; a path that ends in a slash is a folder."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []
        self.used: set[tuple[str, str]] = set()
        for line in lines_of("lint-allow.txt"):
            parts = [part.strip() for part in line.split(":", 2)]
            if len(parts) != 3 or not all(parts):
                complaints.append(f"scripts/lint-allow.txt: not “path: what: reason”: {line}")
                continue
            self.entries.append((parts[0], parts[1]))

    def allows(self, file: str, what: str) -> bool:
        for path, allowed in self.entries:
            if allowed == what and (file == path or path.endswith("/") and file.startswith(path)):
                self.used.add((path, allowed))
                return True
        return False

    def report_unused(self) -> None:
        for entry in self.entries:
            if entry not in self.used:
                complaints.append(f"scripts/lint-allow.txt: nothing needs “{entry[0]}: {entry[1]}” any more")


def code_of(line: str) -> str:
    """A line without its comment; good enough where strings hold no slashes that matter."""
    return line.split("//", 1)[0]


def check_words(file: str, lines: list[str], allowances: Allowances) -> None:
    is_library = not file.startswith(("Sources/stitch/", "Sources/stitch-serve/", "Tools/esta-study/", "Tools/tiny-corpus/"))
    words = {
        "Unsafe": r"Unsafe",
        "try!": r"\btry!",
        "as!": r"\bas!",
        "try?": r"\btry\?",
        "fatalError": r"\bfatalError\b",
    }
    if is_library:
        words["print"] = r"(?<![\w.])(?<!func )print\("
    for what, pattern in words.items():
        found = [n for n, line in enumerate(lines, 1) if re.search(pattern, code_of(line))]
        if found and not allowances.allows(file, what):
            complaints.append(f"{file}:{found[0]}: {what}; mend it, or give the reason in scripts/lint-allow.txt")


def check_pointer_owners(file: str, lines: list[str], allowances: Allowances) -> None:
    """A type that stores a raw pointer says so in its name, or owns what it points to."""
    types: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        code = code_of(line)
        indentation = len(code) - len(code.lstrip())
        if code.strip():
            while types and indentation <= types[-1][0] and not code.lstrip().startswith((")", "}")):
                types.pop()
        if match := re.match(r"\s*(?:[\w@()]+ )*(?:struct|class|enum|actor) (\w+)", code):
            types.append((indentation, match[1]))
            continue
        if not types or indentation != types[-1][0] + 2:
            continue
        stored = re.match(rf"\s*(?:[\w@()]+ )*(?:let|var) \w+: {POINTER}\b[^{{]*$", code)
        name = types[-1][1]
        if stored and "Unsafe" not in name and not allowances.allows(file, f"pointer in {name}"):
            complaints.append(f"{file}:{number}: {name} stores a raw pointer, and its name does not say Unsafe")


def check_proofs(file: str, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        if re.search(r"@unchecked Sendable *[{,]", line):
            if "`@unchecked Sendable`" not in "\n".join(lines[max(0, number - 25) : number + 3]):
                complaints.append(f"{file}:{number + 1}: @unchecked Sendable without its proof in the comment")


def check_imports(file: str, lines: list[str], rules: dict[str, set[str]]) -> None:
    target = file.split("/")[1]
    if target not in rules:
        complaints.append(f"{file}: scripts/import-rules.txt has no line for {target}")
        return
    for number, line in enumerate(lines, 1):
        match = re.match(r"(?:@\w+ |public |package |internal )*import (?:struct |enum |class |func )?(\w+)", line)
        if match and match[1] not in rules[target] | SYSTEM:
            complaints.append(f"{file}:{number}: {target} must not import {match[1]}")


def check_package(rules: dict[str, set[str]]) -> None:
    """Package.swift and the architecture's page say what import-rules.txt says."""
    package = (ROOT / "Package.swift").read_text()
    package = package.replace("argumentParser,", '"ArgumentParser",').replace("yams]", '"Yams"]').replace("yams,", '"Yams",')
    package = package.replace("argumentParser]", '"ArgumentParser"]').replace("csv]", '"SwiftCSV"]')
    package = package.replace("flyingSocks]", '"FlyingSocks"]')
    declared = {}
    for match in re.finditer(r"\.(?:executableTarget|target)\(\s*name: \"([\w-]+)\"(?:,\s*dependencies: \[([^]]*)\])?", package):
        declared[match[1]] = set(re.findall(r'"([\w-]+)"', match[2] or ""))
    for target, imports in rules.items():
        if target not in declared:
            complaints.append(f"scripts/import-rules.txt: Package.swift has no target {target}")
        elif declared[target] != imports:
            difference = ", ".join(sorted(declared[target] ^ imports))
            complaints.append(f"scripts/import-rules.txt and Package.swift differ about {target}: {difference}")
    page = ROOT / "docs" / "architecture.md"
    for line in lines_of("import-rules.txt"):
        if line not in page.read_text().splitlines():
            complaints.append(f"docs/architecture.md has no line “{line}” of scripts/import-rules.txt")


def main() -> int:
    allowances = Allowances()
    rules = {}
    for line in lines_of("import-rules.txt"):
        target, _, imports = line.partition(":")
        rules[target] = set(imports.split())
    check_package(rules)
    for folder in ("Sources", "Tools"):
        for path in sorted((ROOT / folder).rglob("*.swift")):
            file = str(path.relative_to(ROOT))
            lines = path.read_text().splitlines()
            check_words(file, lines, allowances)
            check_pointer_owners(file, lines, allowances)
            check_proofs(file, lines)
            check_imports(file, lines, rules)
    allowances.report_unused()
    for complaint in complaints:
        print(f"lint: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
