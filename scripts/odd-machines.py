#!/usr/bin/env python3
"""Runs stitch as it runs on machines that differ from this one: one core, more threads than cores, limits of containers on
processor time, memory and threads, no huge pages, little stack, few files, an empty environment, every instruction set.

    make test-machines
    scripts/odd-machines.py --report docs/measurements/odd-machines.json

What is computed must be the same everywhere, but for instruction sets, which round otherwise. Checks that need control
groups are made as root alone, and are said to be left out otherwise. Exit code 1 if something does not hold. Needs no pip
packages.
"""

import argparse
import contextlib
import ctypes
import hashlib
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Benchmarks"))
from measure import machine  # noqa: E402

SCRIPT = ROOT / "examples/checks/sampling.jsonl"
LESSON = ROOT / "weights/lessons/pirate.jsonl"
GROUPS = pathlib.Path("/sys/fs/cgroup")
PR_SET_THP_DISABLE = 41


class Left(Exception):
    """Why a check is left out."""


class Checks:
    def __init__(self, program):
        self.program, self.results = program, []
        self.home = tempfile.TemporaryDirectory()

    def run(self, *arguments, before=None, environment=None, prefix=(), timeout=300):
        places = {f"XDG_{name}_HOME": self.home.name for name in ("DATA", "STATE", "CONFIG", "CACHE")}
        known = os.environ | places if environment is None else environment
        return subprocess.run([*prefix, self.program, *map(str, arguments)], cwd=ROOT, env=known, preexec_fn=before,
                              capture_output=True, text=True, timeout=timeout)

    def replay(self, *arguments, **more):
        """Threads, instruction set and what was answered."""
        done = self.run("replay", SCRIPT, "--json", *arguments, **more)
        if done.returncode != 0:
            raise AssertionError(f"exit code {done.returncode}: {done.stderr.strip()[-300:] or done.stdout.strip()[-300:]}")
        result = json.loads(done.stdout)["results"][0]
        texts = [reply["text"] for step in result["steps"] for reply in step["replies"]]
        return result["ground"]["threads"], result["ground"]["instruction_set"], texts

    def same(self, *arguments, threads=None, **more):
        found, _, texts = self.replay(*arguments, **more)
        assert texts == self.texts, f"answers {texts}, not {self.texts}"
        assert threads is None or found == threads, f"{found} threads, not {threads}"
        return f"the same tokens, {found} thread{'s' if found != 1 else ''}"

    def check(self, name, body):
        try:
            kind, text = "ok", body()
        except Left as why:
            kind, text = "left out", str(why)
        except (AssertionError, subprocess.TimeoutExpired, OSError, ValueError) as error:
            kind, text = "FAILED", str(error)
        self.results.append({"check": name, "result": kind, "what": text})
        print(f"{kind:8} {name}: {text}", flush=True)


@contextlib.contextmanager
def group(controller, settings):
    """A control group with limits, by the names of the unified hierarchy; gives what joins it."""
    if os.geteuid() != 0:
        raise Left("needs root")
    unified = GROUPS / "cgroup.controllers"
    if unified.exists():
        if controller not in (GROUPS / "cgroup.subtree_control").read_text().split():
            raise Left(f"control groups here have no {controller}")
        place = GROUPS / f"stitch-{os.getpid()}"
        files = settings
    else:
        place = GROUPS / controller / f"stitch-{os.getpid()}"
        old = {"memory.max": "memory.limit_in_bytes"}
        files = {}
        for name, value in settings.items():
            if name == "cpu.max":
                files["cpu.cfs_quota_us"], files["cpu.cfs_period_us"] = value.split()
            else:
                files[old.get(name, name)] = value
    try:
        place.mkdir()
    except OSError as error:
        raise Left(f"no control group can be made: {error}") from error
    try:
        for name, value in files.items():
            (place / name).write_text(value)
        yield lambda: (place / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        place.rmdir()


def limited(kind, value):
    return lambda: resource.setrlimit(kind, (value, value))


def without_huge_pages():
    if ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0:
        raise OSError("prctl: huge pages cannot be switched off")


def trained(checks, name, **more):
    """The digest of an adapter after three steps."""
    place = pathlib.Path(checks.home.name) / name
    done = checks.run("adapt", "--family", "weights/tiny", "--data", LESSON, "--steps", 3, "--output", place, **more)
    assert done.returncode == 0, done.stderr.strip()[-300:]
    return hashlib.sha256((place / "esta.safetensors").read_bytes()).hexdigest()


def one_line(done, *parts):
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, f"exit code {done.returncode}: {done.stderr.strip()[-300:]}"
    assert len(lines) == 1 and all(part in lines[0] for part in parts), done.stderr.strip()[-600:]
    return lines[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(ROOT / ".build/release/stitch"))
    parser.add_argument("--report", type=pathlib.Path, help="what came out, as JSON")
    arguments = parser.parse_args()
    checks = Checks(str(pathlib.Path(arguments.program).resolve()))
    cores = len(os.sched_getaffinity(0))
    _, best, checks.texts = checks.replay()

    def on_one_core():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    checks.check("one core", lambda: checks.same(before=on_one_core, threads=1))
    checks.check(f"sixteen threads on {cores} core{'s' if cores != 1 else ''}", lambda: checks.same("--threads", 16, threads=16))
    checks.check("sixteen threads on one core", lambda: checks.same("--threads", 16, before=on_one_core, threads=16))

    def training():
        everywhere, alone = trained(checks, "all"), trained(checks, "one", before=on_one_core)
        assert everywhere == alone, "another adapter on one core"
        return "the same adapter, to the bit"
    checks.check("training on one core", training)

    def within(controller, settings, *more, **expected):
        with group(controller, settings) as join:
            return checks.same(*more, before=join, **expected)

    checks.check("processor time of one core", lambda: within("cpu", {"cpu.max": "100000 100000"}, threads=1))
    checks.check("processor time of half a core", lambda: within("cpu", {"cpu.max": "50000 100000"}, threads=1))
    checks.check("memory of 256 MB", lambda: within("memory", {"memory.max": str(256 << 20)}))

    def doctor():
        with group("memory", {"memory.max": str(256 << 20)}) as join:
            done = checks.run("doctor", "--family", "weights/tiny", before=join)
        line = next(line for line in done.stdout.splitlines() if "memory:" in line)
        assert " of 268 MB" in line, line
        return line.strip()
    checks.check("doctor within 256 MB", doctor)
    checks.check("room for few threads", lambda: within("pids", {"pids.max": "9"}, "--threads", 16))

    checks.check("no huge pages", lambda: checks.same(before=without_huge_pages))
    checks.check("a stack of 256 kB", lambda: checks.same(before=limited(resource.RLIMIT_STACK, 256 << 10)))
    checks.check("16 open files", lambda: checks.same(before=limited(resource.RLIMIT_NOFILE, 16)))
    checks.check("addresses of 800 MB", lambda: checks.same(before=limited(resource.RLIMIT_AS, 800 << 20)))

    def too_few_addresses():
        # With ever fewer; the first that are not enough.
        for megabytes in range(300, 100, -10):
            done = checks.run("ask", "--family", "weights/tiny", "Hi", before=limited(resource.RLIMIT_AS, megabytes << 20))
            if done.returncode != 0:
                return f"{megabytes} MB: {one_line(done, 'stitch: ', 'memory')}"
        raise Left("100 MB are enough")
    checks.check("too few addresses", too_few_addresses)
    checks.check("an empty environment", lambda: checks.same(environment={}))

    refused = checks.run("doctor", environment=os.environ | {"STITCH_INSTRUCTIONS": "none"}).stderr
    for name in re.search(r"there are (.*)$", refused.strip()).group(1).split(", "):
        checks.check(f"instructions: {name}", lambda: checks.replay(environment=os.environ | {"STITCH_INSTRUCTIONS": name})[1])

    def emulated(processor, name):
        if platform.machine() != "x86_64" or not shutil.which("qemu-x86_64"):
            raise Left("needs x86-64 and qemu-x86_64: make setup-arm")
        found, texts = checks.replay(prefix=["qemu-x86_64", "-cpu", processor])[1:]
        chosen = checks.replay(environment=os.environ | {"STITCH_INSTRUCTIONS": name.lower()})[2]
        assert found == name, f"{found} kernels, not {name}"
        assert texts == chosen, f"answers {texts}, not {chosen}"
        return f"{name} kernels are found, the tokens are theirs"
    checks.check("a processor without AVX (emulated Nehalem)", lambda: emulated("Nehalem", "baseline"))
    checks.check("a processor without AVX-512 (emulated Haswell)", lambda: emulated("Haswell", "AVX2"))

    failed = sum(result["result"] == "FAILED" for result in checks.results)
    if arguments.report:
        arguments.report.write_text(json.dumps({"machine": machine(), "instructions": best, "checks": checks.results}, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(checks.results) - failed} hold or were left out, {failed} do not")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
