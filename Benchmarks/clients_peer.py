#!/usr/bin/env python3
"""Checks `stitch serve` with programs that speak OpenAI's API, on weights/tiny: simonw/llm, promptfoo and aichat.

Each is installed in the user's cache directory, once, in the version that stands here; one that cannot be is named and passed
over. Exit code 0: all that are there work; 1: a check did not hold; 2: could not run.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import environment
from openai_peer import Server, check, failures

LLM = ["llm==0.36"]
PROMPTFOO = "0.123.1"
AICHAT = "0.30.0"
QUESTION = "what is 12 + 7?"


class NotHere(Exception):
    """Its text says why a client cannot be had."""


def run(command, **settings):
    """What a program says."""
    environ = {**os.environ, **settings.pop("environ", {})}
    done = subprocess.run(list(map(str, command)), env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=600, **settings)
    return done.returncode, done.stdout, done.stderr


def install(name, version, program, command):
    """The program of a client in a directory of its own, by a package manager that may not be here."""
    place = environment.CACHE / "stitch" / f"{name}-{version}"
    found = place / program
    if found.exists():
        return found
    if shutil.which(command[0]) is None:
        raise NotHere(f"there is no {command[0]}")
    place.mkdir(parents=True, exist_ok=True)
    try:
        code, _, complaint = run([*command, place])
    except subprocess.TimeoutExpired:
        raise NotHere(f"{command[0]} took more than ten minutes") from None
    if code != 0 or not found.exists():
        lines = [line.strip() for line in complaint.splitlines() if line.strip() and "log of this run" not in line]
        # npm says what happened in the middle.
        cause = next((line for line in lines if "reason:" in line), lines[-1] if lines else f"exit code {code}")
        raise NotHere(f"{' '.join(command[:2])}: {cause}")
    return found


def use_llm(server, directory):
    python = environment.python("llm-client", LLM)
    home = directory / "llm"
    home.mkdir()
    (home / "extra-openai-models.yaml").write_text(
        "".join(f"- model_id: {name}\n  model_name: {model}\n  api_base: {server.url}\n"
                for name, model in (("tiny-large", "tiny/large"), ("tiny-half", "tiny@50"))))
    environ = {"LLM_USER_PATH": str(home)}
    for how, options in (("streamed", []), ("whole", ["--no-stream"])):
        code, said, complaint = run([python, "-m", "llm", "-m", "tiny-large", *options, QUESTION], environ=environ)
        check(f"llm: a reply, {how}", code == 0 and "19" in said, said or complaint)
    code, said, complaint = run([python, "-m", "llm", "-m", "tiny-half", "-s", "you are kind", "-o", "max_tokens", "9", "hello"], environ=environ)
    check("llm: options, a system message, half the cost", code == 0 and said.strip(), complaint)
    code, said, complaint = run([python, "-m", "llm", "-c", "and 3 + 4?"], environ=environ)
    check("llm: the conversation goes on", code == 0 and said.strip(), complaint)


def use_promptfoo(server, directory):
    program = install("promptfoo", PROMPTFOO, "node_modules/.bin/promptfoo",
                      ["npm", "install", "--no-audit", "--no-fund", f"promptfoo@{PROMPTFOO}", "--prefix"])
    plan = {
        "prompts": ["{{question}}"],
        "providers": [
            {"id": "openai:chat:tiny/large", "config": {"apiBaseUrl": server.url, "apiKey": "none", "max_tokens": 40}},
            {"id": f"{server.url}/chat/completions", "config": {
                "method": "POST", "headers": {"Content-Type": "application/json"},
                "body": {"model": "tiny/large", "messages": [{"role": "user", "content": "{{prompt}}"}]},
                "transformResponse": "json.choices[0].message.content"}}],
        "tests": [{"vars": {"question": QUESTION}, "assert": [{"type": "contains", "value": "19"}]}],
    }
    # JSON is YAML.
    (directory / "promptfooconfig.yaml").write_text(json.dumps(plan))
    environ = {"PROMPTFOO_CONFIG_DIR": str(directory / "promptfoo"), "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"}
    out = directory / "promptfoo.json"
    code, _, complaint = run([program, "eval", "-c", directory / "promptfooconfig.yaml", "--no-cache", "-o", out], environ=environ)
    passed = json.loads(out.read_text())["results"]["stats"]["successes"] if out.exists() else 0
    check("promptfoo: its OpenAI provider and its HTTP provider", code == 0 and passed == 2, complaint[-300:])


def use_aichat(server, directory):
    program = install("aichat", AICHAT, "bin/aichat", ["cargo", "install", "aichat", "--version", AICHAT, "--locked", "--root"])
    home = directory / "aichat"
    home.mkdir()
    (home / "config.yaml").write_text(
        f"model: stitch:tiny/large\nclients:\n- type: openai-compatible\n  name: stitch\n  api_base: {server.url}\n"
        "  models:\n  - name: tiny/large\n")
    for how, options in (("streamed", []), ("whole", ["-S"])):
        code, said, complaint = run([program, *options, QUESTION], environ={"AICHAT_CONFIG_DIR": str(home)})
        check(f"aichat: a reply, {how}", code == 0 and "19" in said, said or complaint)


def main():
    with tempfile.TemporaryDirectory() as directory, Server() as server:
        for name, use in (("llm", use_llm), ("promptfoo", use_promptfoo), ("aichat", use_aichat)):
            try:
                use(server, pathlib.Path(directory))
            except NotHere as reason:
                print(f"skip {name}: it cannot be installed here: {reason}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
