#!/usr/bin/env python3
"""Writes what stitch is made of and runs with as one SPDX 2.3 document in JSON: every dependency with version and licence.

Swift packages and their versions come from Package.resolved, Debian's from scripts/setup.sh and dpkg, the toolchain's from
`swift --version`. The licence of each stands below; those of Swift packages are held against the text that was checked out.
A dependency that is not below is an error: nobody has looked at its licence. Exit code 2: something is missing."""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# By identity in Package.resolved: the licence, and words that its text must have.
SWIFT = {
    "flyingfox": ("MIT", "MIT License"),
    "swift-argument-parser": ("Apache-2.0 WITH Swift-exception", "Runtime Library Exception"),
    "swiftcsv": ("MIT", "MIT License"),
    "yams": ("MIT", "MIT License"),
}
# By Debian package that scripts/setup.sh installs: the one that is there when the program runs, its licence, what for.
DEBIAN = {
    "libsentencepiece-dev": ("libsentencepiece0", "Apache-2.0", "RUNTIME_DEPENDENCY_OF"),
    "libonig-dev": ("libonig5", "BSD-2-Clause", "RUNTIME_DEPENDENCY_OF"),
    "libopenblas-dev": ("libopenblas0", "BSD-3-Clause", "RUNTIME_DEPENDENCY_OF"),
    "libncurses-dev": ("libncursesw6", "X11-distribute-modifications-variant", "RUNTIME_DEPENDENCY_OF"),
    "tmux": ("tmux", "ISC", "TEST_DEPENDENCY_OF"),
    "python3-pip": ("python3-pip", "MIT", "OPTIONAL_DEPENDENCY_OF"),
    "g++": ("libstdc++6", "GPL-3.0-or-later WITH GCC-exception-3.1", "RUNTIME_DEPENDENCY_OF"),
    # Of scripts/setup-mpi.sh.
    "libopenmpi3": ("libopenmpi3", "BSD-3-Clause-Open-MPI", "OPTIONAL_DEPENDENCY_OF"),
}
ALWAYS = {"libc6": ("libc6", "LGPL-2.1-or-later", "RUNTIME_DEPENDENCY_OF")}


class Missing(Exception):
    pass


def identifier(name: str) -> str:
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def package(name: str, version: str | None, licence: str, place: str, reference: str | None) -> dict:
    entry = {
        "SPDXID": identifier(name), "name": name, "downloadLocation": place, "filesAnalyzed": False,
        "licenseConcluded": licence, "licenseDeclared": licence, "copyrightText": "NOASSERTION", "supplier": "NOASSERTION",
    }
    if version:
        entry["versionInfo"] = version
    if reference:
        entry["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": reference}]
    return entry


def swift_packages(checkouts: pathlib.Path) -> list[dict]:
    packages = []
    for pin in json.loads((ROOT / "Package.resolved").read_text())["pins"]:
        name, state, place = pin["identity"], pin["state"], pin["location"]
        if name not in SWIFT:
            raise Missing(f"scripts/sbom.py does not know the licence of the Swift package {name}: look at it and add it")
        licence, words = SWIFT[name]
        folder = next((folder for folder in checkouts.glob("*") if folder.name.lower() == name), None)
        if folder:
            texts = [file.read_text(errors="replace") for file in folder.glob("LICENSE*")]
            if not any(words in text for text in texts):
                raise Missing(f"the licence of {name} is no longer {licence}: look at {folder}/LICENSE and scripts/sbom.py")
        entry = package(
            name, state["version"], licence, f"git+{place}@{state['revision']}",
            f"pkg:swift/{place.removeprefix('https://')}@{state['version']}")
        packages.append((entry, "STATIC_LINK"))
    return packages


def debian_version(name: str) -> str | None:
    try:
        found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
    except OSError:
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def debian_packages() -> list[dict]:
    script = (ROOT / "scripts/setup.sh").read_text()
    match = re.search(r"^packages=\(([^)]*)\)", script, re.MULTILINE)
    if not match:
        raise Missing("scripts/setup.sh has no line packages=(…)")
    named = match.group(1).split() + re.findall(r"missing\+=\(([a-z][^)]*)\)", script)
    packages = []
    for name in dict.fromkeys([*named, "libopenmpi3", *ALWAYS]):
        known = DEBIAN.get(name) or ALWAYS.get(name)
        if not known:
            raise Missing(f"scripts/sbom.py does not know the licence of the Debian package {name}: look at it and add it")
        installed, licence, relation = known
        version = debian_version(installed)
        purl = f"pkg:deb/debian/{installed}" + (f"@{version}" if version else "")
        packages.append((package(installed, version, licence, "NOASSERTION", purl), relation))
    return packages


def toolchain(swift: str) -> list[dict]:
    said = subprocess.run([swift, "--version"], capture_output=True, text=True).stdout
    match = re.search(r"Swift version (\S+)", said)
    version = match.group(1) if match else None
    return [
        (package("swift-runtime", version, "Apache-2.0 WITH Swift-exception", "https://www.swift.org/download/", None), "RUNTIME_DEPENDENCY_OF"),
        (package("swift-foundation-icu", version, "Unicode-3.0", "https://github.com/swiftlang/swift-foundation-icu", None), "RUNTIME_DEPENDENCY_OF"),
    ]


def own_version() -> str:
    text = "".join(file.read_text() for file in (ROOT / "Sources/stitch").glob("*.swift"))
    match = re.search(r'version: "([^"]+)"', text)
    return match.group(1) if match else "0"


def document(swift: str, checkouts: pathlib.Path) -> dict:
    dependencies = swift_packages(checkouts) + debian_packages() + toolchain(swift)
    own = package("stitch", own_version(), "NOASSERTION", "NOASSERTION", None)
    own["licenseDeclared"] = own["licenseConcluded"] = "Apache-2.0" if "Apache License" in (ROOT / "LICENSE").read_text() else "NOASSERTION"
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": own["SPDXID"]}]
    for entry, relation in dependencies:
        outward = relation == "STATIC_LINK"
        relations.append({
            "spdxElementId": own["SPDXID"] if outward else entry["SPDXID"], "relationshipType": relation,
            "relatedSpdxElement": entry["SPDXID"] if outward else own["SPDXID"]})
    packages = [own] + [entry for entry, _ in dependencies]
    # The same dependencies make the same document: it is dated by SOURCE_DATE_EPOCH, or not before anything.
    content = hashlib.sha256(json.dumps([packages, relations], sort_keys=True).encode()).hexdigest()
    moment = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "stitch",
        "documentNamespace": f"https://spdx.org/spdxdocs/stitch-{content}",
        "creationInfo": {"created": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: scripts/sbom.py"],
                         "licenseListVersion": "3.24"},
        "packages": packages, "relationships": relations,
    }


def check(spdx: dict) -> None:
    """What SPDX 2.3 asks of a document that is so small; `--validate` asks a validator of others, too."""
    ids = [spdx["SPDXID"]] + [entry["SPDXID"] for entry in spdx["packages"]]
    wrong = [f"{name} stands twice" for name in set(ids) if ids.count(name) > 1]
    wrong += [f"{name} is no SPDX identifier" for name in ids if not re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name)]
    for entry in spdx["packages"]:
        wrong += [f"{entry['name']} has no {field}" for field in ("name", "downloadLocation", "licenseDeclared") if not entry.get(field)]
    for relation in spdx["relationships"]:
        wrong += [f"{end} is nowhere" for end in (relation["spdxElementId"], relation["relatedSpdxElement"]) if end not in ids]
    if wrong:
        raise Missing("; ".join(wrong))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=pathlib.Path, help="instead of standard output")
    parser.add_argument("--swift", default=os.environ.get("SWIFT", "swift"))
    parser.add_argument("--checkouts", type=pathlib.Path, default=ROOT / ".build/checkouts")
    parser.add_argument("--validate", action="store_true", help="ask spdx-tools, which are installed for it")
    options = parser.parse_args()
    spdx = document(options.swift, options.checkouts)
    check(spdx)
    text = json.dumps(spdx, indent=1, ensure_ascii=False) + "\n"
    if options.output:
        options.output.write_text(text)
    else:
        sys.stdout.write(text)
    if options.validate:
        return validate(text)
    return 0


def validate(text: str) -> int:
    import tempfile
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "stitch.spdx.json"
        file.write_text(text)
        problems = validate_full_spdx_document(parse_file(str(file)))
    for problem in problems:
        print(f"sbom: {problem.validation_message}", file=sys.stderr)
    print("sbom: spdx-tools find it sound" if not problems else f"sbom: {len(problems)} problems", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    if "--validate" in sys.argv:
        sys.path.insert(0, str(ROOT / "Benchmarks"))
        import environment
        environment.enter("sbom", ["spdx-tools==0.8.3"])
    try:
        sys.exit(main())
    except Missing as problem:
        print(f"sbom: {problem}", file=sys.stderr)
        sys.exit(2)
