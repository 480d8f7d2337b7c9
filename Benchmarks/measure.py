"""Running programs and measuring them: speed, peak memory, and what the rest of the machine did meanwhile."""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path


class CannotRun(Exception):
    """Its text names the cause and the remedy."""


@dataclass
class Output:
    text: str
    # Highest resident memory of the program, in bytes.
    peak: int


def measured(command, cwd=None):
    """Runs a command; its standard error is shown only if it fails."""
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        except OSError as error:
            raise CannotRun(f"{command[0]}: {error.strerror}") from error
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, complaint = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    if process.returncode != 0:
        last = (complaint.strip().splitlines() or ["no message"])[-1]
        raise CannotRun(f"{' '.join(command)}: exit code {process.returncode}: {last}")
    return Output(text, 1024 * usage.ru_maxrss)


def run(command, cwd=None):
    """Standard output of a command."""
    return measured(command, cwd).text


def records(output):
    """What a program printed: JSON lines, or one document, perhaps with `results`."""
    try:
        document = json.loads(output)
    except ValueError:
        try:
            return [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        except ValueError as error:
            raise CannotRun(f"printed something other than JSON lines: {error}") from error
    return document.get("results", [document]) if isinstance(document, dict) else document


def processor_seconds():
    """What the whole machine has spent, time stolen by its host included, and what our children have."""
    try:
        # user nice system idle iowait irq softirq steal, in ticks
        ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return 0.0, 0.0
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK"), children.ru_utime + children.ru_stime


def watched(measure, *arguments):
    """What `measure` returns, and the share of the machine that other programs took meanwhile."""
    start, (all_before, own_before) = time.monotonic(), processor_seconds()
    figures = measure(*arguments)
    all_after, own_after = processor_seconds()
    others = (all_after - all_before) - (own_after - own_before)
    return figures, max(0.0, others / (os.cpu_count() * (time.monotonic() - start)))


def machine():
    """What the figures were measured on."""
    processor = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_bytes": memory_bytes(),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
