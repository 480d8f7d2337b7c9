"""How long a program takes to draw its first full screen in a pseudo-terminal.

Needs no pip packages.
"""

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

ROWS, COLUMNS = 24, 80
# Control sequences with a string argument (titles, clipboards), then the plain ones.
SEQUENCES = re.compile(rb"\x1b[\]PX^_].*?(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]", re.DOTALL)


class NeverDrawn(Exception):
    """The program ended, or stayed silent, before its screen was complete."""


def seconds(command, marker=rb"stitch|small|large", at_least=1024, timeout=20.0, cwd=None):
    """Time from starting `command` to the read that completes its first screen.

    Complete is when `at_least` bytes have come and the text among them, control sequences left
    out, matches `marker`. The program gets an empty home for its data, so that every run is the
    first one and none of the user's conversations are touched.
    """
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile() as errors:
        environment = os.environ | {
            "TERM": "xterm-256color", "XDG_DATA_HOME": home, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home}
        ours, theirs = pty.openpty()
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            start = time.perf_counter()
            process = subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=errors, cwd=cwd, env=environment,
                start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
            os.close(theirs)
            theirs = None
            try:
                return wait_for_screen(ours, start, re.compile(marker), at_least, timeout)
            except NeverDrawn as error:
                errors.seek(0)
                said = errors.read()[-400:].decode(errors="replace").strip()
                raise NeverDrawn(f"{error}; {said}" if said else str(error)) from None
            finally:
                end(process, ours)
        finally:
            os.close(ours)
            if theirs is not None:
                os.close(theirs)


def wait_for_screen(terminal, start, marker, at_least, timeout):
    drawn = b""
    while True:
        left = start + timeout - time.perf_counter()
        if left <= 0 or not select.select([terminal], [], [], left)[0]:
            raise NeverDrawn(f"no full screen within {timeout:g} s; it began {drawn[:80]!r}")
        chunk = read(terminal)
        now = time.perf_counter()
        if not chunk:
            raise NeverDrawn(f"it ended first; it said {SEQUENCES.sub(b'', drawn)[-160:]!r}")
        drawn += chunk
        if len(drawn) >= at_least and marker.search(SEQUENCES.sub(b"", drawn)):
            return now - start


def read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError as error:
        # What Linux answers once the other side is closed.
        if error.errno == errno.EIO:
            return b""
        raise


def end(process, terminal):
    """Asks it to leave; drains what it still draws, or it could block on a full terminal."""
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 3
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
        if select.select([terminal], [], [], 0.02)[0]:
            read(terminal)
    process.wait()
