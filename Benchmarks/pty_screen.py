"""A program in a pseudo-terminal, and what its screen shows.

Knows the control sequences that ncurses sends to xterm-256color and no others. Needs no pip packages.
"""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata

SEQUENCE = re.compile(r"\x1b(?:\[([?>=]?)([0-9;]*)([@-~])|[()][0-9A-Za-z]|[=>78DEMc]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
UNFINISHED = re.compile(r"\x1b(?:\[[?>=]?[0-9;]*|[()]?|\][^\x07]*)$")


class Screen:
    """A grid of characters; attributes are left out, except that they count as a change."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.x = self.y = 0
        self.top, self.bottom = 0, rows  # what scrolls
        self.last = " "
        self.text = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data):
        self.text += self.decoder.decode(data)
        place = 0
        while place < len(self.text):
            character = self.text[place]
            if character == "\x1b":
                match = SEQUENCE.match(self.text, place)
                if not match:
                    if UNFINISHED.match(self.text, place):
                        break
                    raise ValueError(f"unknown sequence {self.text[place:place + 16]!r}")
                if match.group(3):
                    self.control(match.group(1), match.group(2), match.group(3))
                elif match.group() == "\x1bM":
                    self.move(-1)
                place = match.end()
                continue
            self.put(character)
            place += 1
        self.text = self.text[place:]

    def put(self, character):
        if character == "\r":
            self.x = 0
        elif character == "\n":
            self.move(1)
        elif character == "\b":
            self.x = max(0, self.x - 1)
        elif character == "\t":
            self.x = min(self.columns - 1, (self.x // 8 + 1) * 8)
        elif character >= " " and not unicodedata.combining(character):
            width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
            if self.x + width > self.columns:
                self.x, self.y = 0, min(self.rows - 1, self.y + 1)
            self.cells[self.y][self.x] = self.last = character
            if width == 2:
                self.cells[self.y][self.x + 1] = ""
            self.x += width

    def move(self, lines):
        """One line up or down; at the edge of what scrolls, it scrolls."""
        if self.y == (self.bottom - 1 if lines > 0 else self.top):
            self.scroll(self.top, lines)
        else:
            self.y = max(0, min(self.rows - 1, self.y + lines))

    def scroll(self, top, lines):
        """Moves the lines from `top` on up, or down where `lines` is negative."""
        part = self.cells[top : self.bottom]
        count = min(abs(lines), len(part))
        blank = [[" "] * self.columns for _ in range(count)]
        self.cells[top : self.bottom] = part[count:] + blank if lines > 0 else blank + part[: len(part) - count]

    def control(self, private, numbers, final):
        values = [int(n) if n else 0 for n in numbers.split(";")]
        first = values[0] or 1
        row = self.cells[min(self.y, self.rows - 1)]
        at = min(self.x, self.columns - 1)
        if private or final in "mhltn":
            return
        if final == "r":
            self.top, self.bottom = first - 1, (values[1] if len(values) > 1 else 0) or self.rows
            self.x = self.y = 0
            return
        if final in "Hf":
            self.y = min(self.rows, first) - 1
            self.x = min(self.columns, (values[1] if len(values) > 1 else 1) or 1) - 1
        elif final == "A":
            self.y = max(0, self.y - first)
        elif final == "B":
            self.y = min(self.rows - 1, self.y + first)
        elif final == "C":
            self.x = min(self.columns - 1, self.x + first)
        elif final == "D":
            self.x = max(0, at - first)
        elif final == "G":
            self.x = min(self.columns, first) - 1
        elif final == "d":
            self.y = min(self.rows, first) - 1
        elif final == "K":
            start, end = {0: (at, self.columns), 1: (0, at + 1), 2: (0, self.columns)}[values[0]]
            row[start:end] = [" "] * (end - start)
        elif final == "J":
            for y in range(self.y + 1 if values[0] == 0 else 0, self.rows if values[0] != 1 else self.y):
                self.cells[y] = [" "] * self.columns
            if values[0] == 0:
                row[at:] = [" "] * (self.columns - at)
        elif final == "X":
            row[at : at + first] = [" "] * len(row[at : at + first])
        elif final == "P":
            del row[at : at + first]
            row += [" "] * (self.columns - len(row))
        elif final == "@":
            row[at:at] = [" "] * first
            del row[self.columns :]
        elif final == "b":
            for _ in range(first):
                self.put(self.last)
        elif final == "Z":
            self.x = max(0, (at - 1) // 8 * 8)
        elif final in "LM":
            self.scroll(self.y, first if final == "M" else -first)
        elif final in "ST":
            self.scroll(self.top, first if final == "S" else -first)
        else:
            raise ValueError(f"unknown sequence CSI {private}{numbers}{final}")

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def snapshot(self):
        return [list(row) for row in self.cells]

    def changed(self, before):
        return sum(a != b for new, old in zip(self.cells, before) for a, b in zip(new, old))


class Program:
    """A program in a terminal of its own."""

    def __init__(self, command, environment, rows=30, columns=100):
        self.screen = Screen(rows, columns)
        self.bytes = 0
        self.terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)

    def send(self, text):
        os.write(self.terminal, text.encode())

    def resize(self, rows, columns):
        """Another size, as a user drags a window; what the screen showed is forgotten."""
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen = Screen(rows, columns)

    def discard(self, quiet):
        """Reads what comes until nothing has for a while, at most five of those, and looks at none of it."""
        end = time.perf_counter() + 5 * quiet
        while time.perf_counter() < end and select.select([self.terminal], [], [], quiet)[0]:
            self.bytes += len(os.read(self.terminal, 1 << 16))

    def read(self, seconds):
        """Takes what comes within a time; False if nothing did."""
        if not select.select([self.terminal], [], [], max(0, seconds))[0]:
            return False
        data = os.read(self.terminal, 1 << 16)
        self.bytes += len(data)
        self.screen.feed(data)
        return True

    def settle(self, quiet):
        """Reads until nothing has come for a while, but not for ever: training is never quiet."""
        end = time.perf_counter() + 5 * quiet
        while time.perf_counter() < end and self.read(quiet):
            pass

    def wait(self, what, wanted, timeout=60.0):
        """Reads until the screen is as wanted."""
        deadline = time.perf_counter() + timeout
        while not wanted(self.screen):
            if not self.read(deadline - time.perf_counter()):
                shown = "\n".join(self.screen.lines())
                raise TimeoutError(f"waited in vain for {what}; the screen:\n{shown}")

    def seconds_of_cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 15
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.process.kill()
            try:
                self.read(0.05)
            except OSError:
                time.sleep(0.02)
        os.close(self.terminal)
