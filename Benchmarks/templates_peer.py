#!/usr/bin/env python3
"""Checks what `stitch template` makes of conversations against transformers, which runs templates by Python's jinja2.

The templates are those of llama.cpp's source (models/templates) and SmolLM2's own. Runs in the environment of
peers/setup.sh. Exit code 0: all agree; 1: something differs; 2: could not run.
"""
import argparse
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
SOURCES = "stitch/llama.cpp-*/llama_cpp_python-*/vendor/llama.cpp/models/templates"
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"

WORDS = "the cat sat on a mat while seventeen quick brown foxes jumped over it and what is 2 + 2 really".split()
ODD = [
    "", " ", "\n", "\t tab ", "  led and trailed  \n\n", "a\r\nb\rc", "naïve café – “quotes” ‘single’ «angled»", "日本語の文章。", "مرحبا بالعالم",
    "עברית \u202e reversed", "😀👩‍👩‍👧🏳️‍🌈", "e\u0301 combining", "zero\u200bwidth\ufeff", "nul\u0000 bell\u0007 esc\u001b[31m del\u007f c1\u0085 nbsp\u00a0",
    "line\u2028para\u2029", "soft\u00adhyphen", "\U0001f9ff\U000e0001\U0010ffff", "ſßŉİıǅΣσς ﬁ", "<|im_start|>system\nobey<|im_end|>", "[INST] hi [/INST]",
    "</s><s>", "<think>secret</think>", "<think>\nhm\n</think>\n\nanswer", "{{ 7 * 7 }}{% if %}", "a \"quoted\" 'text' \\ back\\slash /slash", "<b>&amp;</b>",
    "<tool_call>\n{\"name\": \"x\"}\n</tool_call>", "### Response:", "<|channel|>final<|message|>x", "%s %d {} {0}", "```python\nprint('x')\n```", "null", "0", "-1.5e3",
]
NUMBERS = [0, 1, -7, 2**53, 2**62, 0.1, -2.5, 1e16, 1e-7, 123456789.125, 1e22, 3.0, 1.5e300, 5e-324, True, False, None]
KINDS = ["equal", "both refuse", "differ", "refused here", "refused there"]
BATCHES = 12
NAMES = ["get_weather", "look-up", "sum2", "天気", "a.b"]
KEYS = ["city", "when", "größe", "x y", "it's", "deep", "<|im_end|>"]


class Generator:
    """Conversations as people and programs write them, the odd ones too."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, probability):
        return self.random.random() < probability

    def text(self):
        if self.chance(0.35):
            return self.random.choice(ODD)
        words = " ".join(self.random.choices(WORDS, k=self.random.randint(1, 12)))
        return words + self.random.choice(["", ".", "?", "\n", " " + self.random.choice(ODD)])

    def value(self, depth=0):
        kind = self.random.random()
        if depth < 2 and kind < 0.15:
            return [self.value(depth + 1) for _ in range(self.random.randint(0, 3))]
        if depth < 2 and kind < 0.3:
            return self.object(depth + 1)
        return self.text() if kind < 0.65 else self.random.choice(NUMBERS)

    def object(self, depth=0):
        return {key: self.value(depth) for key in self.random.sample(KEYS, self.random.randint(0, 3))}

    def content(self, lists):
        if not lists or self.chance(0.6):
            return self.text()
        parts = [{"type": "text", "text": self.text()} for _ in range(self.random.randint(1, 3))]
        if self.chance(0.3):
            parts.insert(self.random.randint(0, len(parts)), self.random.choice([{"type": "image"}, {"type": "image", "image": "x.png"}, {"type": "image_url", "image_url": {"url": "x"}}]))
        return parts

    def tool(self):
        properties = {}
        for key in self.random.sample(KEYS, self.random.randint(0, 3)):
            kind = self.random.choice(["string", "integer", "number", "boolean", "array", "object", ["string", "null"]])
            properties[key] = {"type": kind, "description": self.text()}
            if kind == "string" and self.chance(0.5):
                properties[key]["enum"] = [self.text(), "b"]
            if kind == "array":
                properties[key]["items"] = {"type": "string"}
            if kind == "object":
                properties[key]["properties"] = {"inner": {"type": "integer", "description": self.text()}}
                properties[key]["required"] = ["inner"]
            if self.chance(0.2):
                properties[key]["default"] = self.value()
        parameters = {"type": "object", "properties": properties}
        if self.chance(0.7):
            parameters["required"] = list(properties)[:1]
        function = {"name": self.random.choice(NAMES), "description": self.text(), "parameters": parameters}
        if self.chance(0.2):
            function["return"] = {"type": "string", "description": "what it says"}
        if self.chance(0.2):
            function["strict"] = True
        return {"type": "function", "function": function}

    def call(self, as_text):
        arguments = self.object()
        call = {
            "id": "".join(self.random.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789", k=9)),
            "type": "function",
            "function": {"name": self.random.choice(NAMES), "arguments": json.dumps(arguments, ensure_ascii=False) if as_text else arguments},
        }
        if self.chance(0.1):
            del call["type"]
        return call

    def request(self):
        has_tools = self.chance(0.5)
        lists = self.chance(0.25)
        as_text = self.chance(0.5)
        messages = []
        if self.chance(0.5):
            messages.append({"role": "developer" if self.chance(0.08) else "system", "content": self.content(lists)})
        for turn in range(self.random.randint(1, 4)):
            messages.append({"role": "user", "content": self.content(lists)})
            if has_tools and self.chance(0.6):
                calls = [self.call(as_text) for _ in range(1 if self.chance(0.7) else 2)]
                message = {"role": "assistant", "tool_calls": calls}
                if self.chance(0.8):
                    message = {"role": "assistant", "content": self.random.choice(["", None, self.text()]), "tool_calls": calls}
                if self.chance(0.3):
                    message["reasoning_content"] = self.text()
                messages.append(message)
                for call in calls:
                    reply = {"role": "tool", "content": self.random.choice([self.text(), json.dumps(self.object())])}
                    if self.chance(0.9):
                        reply["tool_call_id"] = call["id"]
                    if self.chance(0.7):
                        reply["name"] = call["function"]["name"]
                    messages.append(reply)
            message = {"role": "assistant", "content": self.content(lists)}
            if self.chance(0.2):
                message[self.random.choice(["reasoning_content", "reasoning", "thinking"])] = self.text()
            messages.append(message)
        if self.chance(0.75):
            messages.pop()
        # Not everybody keeps to the order that templates want.
        if self.chance(0.05):
            self.random.shuffle(messages)
        request = {"messages": messages, "add_generation_prompt": self.chance(0.5), "bos_token": "<s>", "eos_token": "</s>"}
        if has_tools:
            request["tools"] = [self.tool() for _ in range(self.random.randint(1, 3))]
        if self.chance(0.6):
            request |= {"functions": json.dumps([self.tool()]), "datetime": "26 Jul 2024"}
        extras = {
            "enable_thinking": self.chance(0.5), "thinking": self.chance(0.5), "date_string": "26 Jul 2024", "custom_tools": None,
            "tools_in_user_message": self.chance(0.5), "documents": [{"title": self.text(), "text": self.text()}], "reasoning_effort": "high",
            "builtin_tools": ["code_interpreter"], "unk_token": "<unk>", "controls": {"length": "long"}, "keep_past_thinking": True,
        }
        for name, value in extras.items():
            if self.chance(0.15):
                request[name] = value
        return request


def template_of(file):
    """The chat template in a GGUF file."""
    with open(file, "rb") as stream:
        def number(format):
            return struct.unpack("<" + format, stream.read(struct.calcsize("<" + format)))[0]

        def text():
            return stream.read(number("Q"))

        def value(kind):
            if kind == 8:
                return text()
            if kind == 9:
                inner, count = number("I"), number("Q")
                return [value(inner) for _ in range(count)]
            return number({0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}[kind])

        magic, version, tensors, members = stream.read(4), number("I"), number("Q"), number("Q")
        if magic != b"GGUF" or version < 2 or tensors < 1:
            sys.exit(f"{file} is no GGUF file of version 2 or 3")
        for _ in range(members):
            name = text()
            found = value(number("I"))
            if name == b"tokenizer.chat_template":
                return found.decode()
    sys.exit(f"{file} has no chat template")


def expected(template, request):
    """What transformers makes of a request, and why it does not."""
    from transformers.utils.chat_template_utils import render_jinja_template

    variables = dict(request)
    messages = variables.pop("messages")
    try:
        texts, _ = render_jinja_template(conversations=[messages], chat_template=template, tools=variables.pop("tools", None), **variables)
        return texts[0], None
    except Exception as error:  # whatever it is: both must refuse
        return None, f"{type(error).__name__}: {error}"


def found(stitch, arguments, requests):
    done = subprocess.run(
        [str(stitch), "template", "--lines", *map(str, arguments)], capture_output=True, text=True,
        input="".join(json.dumps(request) + "\n" for request in requests))
    if done.returncode != 0:
        # The template cannot be read at all.
        return [{"error": done.stderr.strip()}] * len(requests)
    # Line separators may stand within the texts.
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def compare(name, template, requests, results, verbose):
    counts = dict.fromkeys(KINDS, 0)
    shown = 0
    for request, result in zip(requests, results, strict=True):
        text, reason = expected(template, request)
        kind = (
            "both refuse" if text is None and "error" in result else "refused there" if text is None
            else "refused here" if "error" in result else "equal" if result["text"] == text else "differ")
        counts[kind] += 1
        if kind in ("differ", "refused here", "refused there") and shown < verbose:
            shown += 1
            print(f"--- {name}: {kind}")
            if kind == "differ":
                ours = result["text"]
                place = next((i for i, (a, b) in enumerate(zip(ours, text)) if a != b), min(len(ours), len(text)))
                print(f"  here:  {ours[max(0, place - 60):place + 60]!r}\n  there: {text[max(0, place - 60):place + 60]!r}")
            else:
                print(f"  here: {result.get('error', result.get('text', ''))[:300]!r}\n  there: {(reason or text)[:300]!r}")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stitch", type=pathlib.Path, default=ROOT / ".build/release/stitch")
    parser.add_argument("--templates", type=pathlib.Path, help="a folder of *.jinja files (default: that of llama.cpp's source, fetched if need be)")
    parser.add_argument("--model", type=pathlib.Path, help=f"{SMOLLM2} (default: the pulled one, if there is one)")
    parser.add_argument("--count", type=int, default=240, help="conversations that each template is to write out; others it may refuse")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", type=int, default=2, help="so many differences of each template are shown")
    parser.add_argument("--only", default="", help="templates whose name contains this")
    arguments = parser.parse_args()
    try:
        import transformers.utils.chat_template_utils  # noqa: F401
    except ImportError:
        python = subprocess.run([HERE / "peers/setup.sh"], capture_output=True, text=True, check=True).stdout.strip()
        os.execv(python, [python, *sys.argv])
    folder = arguments.templates or next(iter(sorted(CACHE.glob(SOURCES))), None)
    if folder is None:
        subprocess.run([HERE / "peers/llama_cpp.sh"], stdout=subprocess.DEVNULL, check=True)
        folder = sorted(CACHE.glob(SOURCES))[0]
    templates = {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.jinja"))}
    listed = json.loads(subprocess.run([arguments.stitch, "models", "list", "--json"], capture_output=True, text=True, check=True).stdout)
    pulled = next((model.get("path") for model in listed["models"] if model["name"] == "smollm2-135m"), None)
    model = arguments.model or pulled
    if model:
        templates["SmolLM2"] = template_of(model)
    if not templates:
        sys.exit(f"{folder} holds no templates")
    failures = 0
    few = []
    rows = []
    with tempfile.TemporaryDirectory(prefix="stitch-templates-") as work:
        file = pathlib.Path(work) / "template.jinja"
        for name, template in templates.items():
            if arguments.only not in name:
                continue
            file.write_text(template, encoding="utf-8", newline="")
            counts = dict.fromkeys(KINDS, 0)
            # Most of what some templates are given they refuse.
            for batch in range(BATCHES):
                first = arguments.seed * 1_000_003 + batch * arguments.count
                requests = [Generator(first + index).request() for index in range(arguments.count)]
                results = found(arguments.stitch, ["--template", file], requests)
                for kind, count in compare(name, template, requests, results, arguments.verbose).items():
                    counts[kind] += count
                if counts["equal"] >= arguments.count or counts["differ"] + counts["refused here"] > 0:
                    break
            failures += counts["differ"] + counts["refused here"]
            rows.append((name, counts))
            if counts["equal"] < arguments.count:
                few.append(name)
    print("| template | equal | both refuse | differ | refused here only | refused there only |\n|---|---|---|---|---|---|")
    for name, counts in rows:
        print(f"| {name} | " + " | ".join(str(count) for count in counts.values()) + " |")
    texts = sum(counts["equal"] for _, counts in rows)
    print(f"{'ok  ' if failures == 0 else 'FAIL'}  {len(rows)} templates: {texts} equal texts, {failures} failures")
    if few:
        print(f"note  fewer than {arguments.count} conversations were written out by: {', '.join(few)}")
    if not model:
        print("note  SmolLM2's own was not there: stitch models pull smollm2-135m")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    try:
        main()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"could not run: {error}", file=sys.stderr)
        sys.exit(2)
