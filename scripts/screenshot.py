#!/usr/bin/env python3
"""Draws what a tmux pane shows as an SVG: docs/NAME.svg and its like.

    tmux capture-pane -e -p -t SESSION | scripts/screenshot.py > docs/NAME.svg

Needs nothing but Python 3. Colours are the terminal's sixteen; the rest of SGR that the program uses
(bold, dim, italic, underline, reverse, default) is understood too.
"""

import html
import re
import sys
import unicodedata

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.4, 17, 14, 12
BACKGROUND, FOREGROUND = "#16181d", "#d6d8de"
PALETTE = [
    "#2b2f38", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d6d8de",
    "#6b7280", "#f28b93", "#b5d99c", "#f0d399", "#8cc8ff", "#dba1ef", "#7fd3dc", "#ffffff",
]
SGR = re.compile(r"\x1b\[([0-9;]*)m")


def cells(character):
    return 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1


def apply(codes, style):
    style = dict(style)
    queue = [int(code or 0) for code in codes.split(";")]
    while queue:
        code = queue.pop(0)
        if code == 0:
            style = {}
        elif code == 1:
            style["bold"] = True
        elif code == 2:
            style["dim"] = True
        elif code == 3:
            style["italic"] = True
        elif code == 4:
            style["underline"] = True
        elif code == 7:
            style["reverse"] = True
        elif code == 22:
            style.pop("bold", None), style.pop("dim", None)
        elif code in (23, 24):
            style.pop("italic" if code == 23 else "underline", None)
        elif code == 27:
            style.pop("reverse", None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style["fg"] = code - 30 if code < 90 else code - 82
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style["bg"] = code - 40 if code < 100 else code - 92
        elif code == 39:
            style.pop("fg", None)
        elif code == 49:
            style.pop("bg", None)
        elif code in (38, 48) and len(queue) >= 2 and queue[0] == 5:
            queue.pop(0)
            number = queue.pop(0)
            if number < 16:
                style["fg" if code == 38 else "bg"] = number
    return style


def runs(line):
    """(column, text, width, style) of each stretch in one style."""
    style, column, start = {}, 0, 0
    result = []
    for match in list(SGR.finditer(line)) + [None]:
        text = line[start : match.start() if match else len(line)]
        width = sum(cells(c) for c in text)
        if text:
            result.append((column, text, width, style))
        column += width
        if match:
            style, start = apply(match.group(1), style), match.end()
    return result


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    columns = max(sum(run[2] for run in runs(line)) for line in lines)
    width, height = columns * CELL_WIDTH + 2 * MARGIN, len(lines) * CELL_HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">')
    print(f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>')
    print(f'<g font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="{FONT_SIZE}">')
    for row, line in enumerate(lines):
        top = MARGIN + row * CELL_HEIGHT
        for column, text, span, style in runs(line):
            fg = PALETTE[style["fg"]] if "fg" in style else FOREGROUND
            bg = PALETTE[style["bg"]] if "bg" in style else None
            if style.get("reverse"):
                fg, bg = bg or BACKGROUND, fg
            x, length = MARGIN + column * CELL_WIDTH, span * CELL_WIDTH
            if bg:
                print(f'<rect x="{x:.1f}" y="{top}" width="{length:.1f}" height="{CELL_HEIGHT}" fill="{bg}"/>')
            if not text.strip():
                continue
            extra = ' font-weight="bold"' if style.get("bold") else ""
            extra += ' opacity="0.6"' if style.get("dim") else ""
            extra += ' font-style="italic"' if style.get("italic") else ""
            extra += ' text-decoration="underline"' if style.get("underline") else ""
            print(
                f'<text x="{x:.1f}" y="{top + FONT_SIZE - 1}" textLength="{length:.1f}" fill="{fg}"{extra} '
                f'xml:space="preserve">{html.escape(text)}</text>'
            )
    print("</g></svg>")


main()
