#!/usr/bin/env python3
"""Keeps what a run of tests under a sanitizer came to: `sanitizer_figures.py KIND LOG REPORTS STATUS LEFT_OUT [FILTER]`, in
docs/measurements/sanitizers.json, and says it. REPORTS: a folder with what the sanitizer wrote. A run of all tests takes the
place of all that is known of its kind."""
import json
import pathlib
import re
import sys

kind, log, reports, status, left_out = sys.argv[1:6]
which = sys.argv[6] if len(sys.argv) > 6 else ""
text = pathlib.Path(log).read_text(errors="replace")
# libubsan of C alone writes to standard error.
written = [text] + [report.read_text(errors="replace") for report in pathlib.Path(reports).glob("report*")]
found = sum(len(re.findall(r"runtime error:|(?:ERROR|WARNING): (?:Address|Thread)Sanitizer", one)) for one in written)
# One total for each run that the log holds.
ran = sum(map(int, re.findall(r"Test run with (\d+) tests", text)))
failed = sorted(set(re.findall(r"^✘ Test (\w+)\([^)]*\)(?: with \d+ test cases?)? failed after", text, re.MULTILINE)))
place = pathlib.Path("docs/measurements/sanitizers.json")
document = json.loads(place.read_text()) if place.exists() else {}
runs = document.setdefault(kind, {})
if not which:
    runs.clear()
runs[which or "all"] = {"tests": ran, "reports": found, "status": int(status), "left out": int(left_out), "failed": failed}
place.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
print(f"sanitize: {kind}: {ran} tests, {found} reports, status {status}; {log}, {reports}")
sys.exit(1 if found or int(status) else 0)
