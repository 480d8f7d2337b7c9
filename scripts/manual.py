#!/usr/bin/env python3
"""Writes man pages from what the program says of itself: manual.py PROGRAM DIRECTORY.

One page for `stitch` and one for each command, `stitch-ask.1` and so on; `man stitch ask` finds them."""
import json
import pathlib
import subprocess
import sys


def escape(text):
    """As roff takes it: nothing of it is a request or an escape."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return ascii_only("\n".join("\\&" + line if line[:1] in ".'" else line for line in lines))


def ascii_only(text):
    """Other characters by their names: not every roff reads UTF-8."""
    return "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)


def option(argument):
    names = [("--" if name["kind"] == "long" else "-") + name["name"] for name in argument.get("names", [])]
    value = f' {argument["valueName"]}' if argument["kind"] == "option" else ""
    return ", ".join(name + value for name in names) if names else argument["valueName"].upper()


def page(path, command, version):
    name = "-".join(path)
    yield f'.TH "{name.upper()}" 1 "" "stitch {version}" "User commands"'
    yield ".SH NAME"
    yield f'{escape(name)} \\- {escape(command["abstract"].rstrip("."))}'
    arguments = [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]
    yield ".SH SYNOPSIS"
    words = [f"\\fB{escape(' '.join(path))}\\fR"]
    if command.get("subcommands"):
        words.append("\\fIcommand\\fR …")
    for argument in arguments:
        if argument["kind"] == "positional":
            dots = " …" if argument["isRepeating"] else ""
            text = f"\\fI{escape(argument['valueName'])}\\fR{dots}"
            words.append(f"[{text}]" if argument["isOptional"] else text)
    yield " ".join(words + (["[\\fIoptions\\fR]"] if arguments else []))
    if command.get("discussion"):
        yield ".SH DESCRIPTION"
        for paragraph in command["discussion"].split("\n\n"):
            yield ".PP"
            yield escape(paragraph)
    if arguments:
        yield ".SH OPTIONS"
        for argument in arguments:
            yield ".TP"
            yield f"\\fB{escape(option(argument))}\\fR"
            default = f' (default: {argument["defaultValue"]})' if argument.get("defaultValue") else ""
            yield escape(argument.get("abstract", "") + default) or "\\&"
    commands = [c for c in command.get("subcommands", []) if c["commandName"] != "help"]
    if commands:
        yield ".SH COMMANDS"
        for child in commands:
            yield ".TP"
            yield f'\\fB{escape("-".join(path + [child["commandName"]]))}\\fR(1)'
            yield escape(child["abstract"])
    yield ".SH EXIT STATUS"
    yield "0 success; 1 a check did not hold; 2 it could not run, with one line on standard error that says why and what to do."


def write(path, command, directory, version):
    file = directory / f"{'-'.join(path)}.1"
    file.write_text(ascii_only("\n".join(page(path, command, version))) + "\n")
    print(file)
    for child in command.get("subcommands", []):
        if child["commandName"] != "help":
            write(path + [child["commandName"]], child, directory, version)


program, target = sys.argv[1:]
output = pathlib.Path(target)
output.mkdir(parents=True, exist_ok=True)
run = lambda *words: subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout
write(["stitch"], json.loads(run("--experimental-dump-help"))["command"], output, run("--version").strip())
