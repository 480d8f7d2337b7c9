"""What is measured: every suite yields rows of the table."""

import argparse
import json
import shutil
from pathlib import Path
from statistics import median

import first_screen
from measure import CannotRun, measured, memory_bytes, progress, records, run
from rounds import in_rounds, result

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def speeds(output, suite, shape, cases):
    """Tokens per second by case, and the type of weights; records of other suites and shapes are passed over."""
    found = {}
    for record in records(output):
        if record.get("suite") == suite and record.get("shape", shape) == shape and "tokens_per_second" in record:
            found[record["case"]] = record["tokens_per_second"]
            found["type"] = record.get("type") or record.get("dtype")
    missing = [case for case in cases if case not in found]
    if missing:
        raise CannotRun(f"{suite} {shape}: no tokens_per_second was printed for {', '.join(missing)}")
    return found


def sides(options, ours, theirs):
    both = {"ours": ours, "theirs": theirs}
    return {options.only: both[options.only]} if options.only else both


# PyTorch, transformers, PEFT

TRAIN_TARGETS = {("8M", "train-lora"): 1.5, ("134M", "train-lora"): 1.1}


def train(options, shape):
    """Every case in a process of its own, for its peak memory; the peers in the faster of their types."""
    for case in ["train-lora", "train-full"]:
        def ours():
            done = measured([options.stitch, "bench", "--suite", "train", "--shape", shape, "--case", case,
                             "--threads", options.threads, "--json"])
            return speeds(done.text, "train", shape, [case]) | {"peak memory": done.peak}

        def theirs():
            best = None
            for dtype in options.peer_dtypes:
                done = measured([options.python, "-W", "ignore", HERE / "peers/train.py", "--shape", shape, "--case", case,
                                 "--dtype", dtype, "--threads", options.threads])
                figures = speeds(done.text, "train", shape, [case]) | {"peak memory": done.peak}
                if best is None or figures[case] > best[case]:
                    best = figures
            return best

        rounds = in_rounds(options, f"{case} {shape}", sides(options, ours, theirs))
        types = "/".join(rounds[-1][side]["type"] for side in ("ours", "theirs") if side in rounds[-1])
        described = {"suite": "train", "shape": shape, "type": types}
        target = TRAIN_TARGETS.get((shape, case))
        yield result(options, rounds, case, target=target, **described)
        memory = result(options, rounds, "peak memory", at_most=0.5 if target else None, unit="bytes", **described)
        yield memory | {"case": f"{case}, peak memory"}


def infer(options, shape):
    """transformers: a prompt of 256 tokens, and 64 after it, in single precision."""
    cases = ["prefill", "decode"]

    def ours():
        return speeds(run([options.stitch, "bench", "--suite", "infer", "--shape", shape, "--threads", options.threads, "--json"]),
                      "infer", shape, cases)

    def theirs():
        return speeds(run([options.python, "-W", "ignore", HERE / "peers/infer.py", "--shape", shape,
                           "--dtype", options.infer_dtype, "--threads", options.threads]), "infer", shape, cases)

    rounds = in_rounds(options, f"infer {shape}", sides(options, ours, theirs))
    for case in cases:
        yield result(options, rounds, case, suite="infer", shape=shape, type=f"f32/{options.infer_dtype}")


# llama.cpp

PROMPTS = [256, 1024]
REPLY = 32
RANK = 16
STEP_TOKENS = 512


# How often either side measures within a round; the median counts. A prompt takes a 7B a minute.
REPEATS = 3
PREFILL_REPEATS = {"7B": 1}


def llama_bench(options, model, repeats, *arguments):
    """What llama-bench measured, with the median speed of each case."""
    output = run([options.llama / "llama-bench", "-m", model, "-t", options.threads, "-r", repeats, "-o", "json", *arguments])
    return [record | {"speed": median(record["samples_ts"])} for record in json.loads(output)]


def llama(options, shape, element_type):
    """Prompts of two lengths, and tokens after the shorter one, of random models of the same shape and type."""
    work = options.cache / "bench"
    ours_file, theirs_file = work / f"{shape}-{element_type}", work / f"{shape}-{element_type}.gguf"
    bench = [options.stitch, "bench", "--shape", shape, "--type", element_type]
    parameters = {"7B": 6.74e9}.get(shape, 1.1e9)
    bytes_each = parameters * {"f32": 4, "bf16": 2, "f16": 2, "q8_0": 34 / 32, "q4_0": 0.6}[element_type]
    if bytes_each + 3e9 > memory_bytes():
        progress(f"llama.cpp {shape} {element_type}: left out: the model does not fit this machine's memory\n")
        return
    work.mkdir(parents=True, exist_ok=True)
    to_write = sum(bytes_each for file in (ours_file, theirs_file) if not file.exists())
    if to_write and to_write + 2e9 > shutil.disk_usage(work).free:
        progress(f"llama.cpp {shape} {element_type}: left out: models of {to_write / 1e9:.0f} GB do not fit {work}\n")
        return
    if options.only != "ours" and not theirs_file.exists():
        progress(f"llama.cpp {shape} {element_type}: making the model")
        run(bench + ["--write-gguf", theirs_file])

    described = {"suite": "llama.cpp", "shape": shape, "type": element_type}
    prefill_target = 2.0 if element_type.startswith("q") else 1.0
    ours = bench + ["--suite", "infer", "--work", work, "--keep"]
    yield from beside_llama(
        options, described, ours, theirs_file, PROMPTS, PREFILL_REPEATS.get(shape, REPEATS), decode_target=1.0, share_target=0.92,
        prefill_target=prefill_target)
    if options.remove or shape == "7B":
        theirs_file.unlink(missing_ok=True)
        shutil.rmtree(ours_file, ignore_errors=True)


def beside_llama(options, described, ours, model, prompts, prefill_repeats, decode_target, prefill_target, share_target=None):
    """Prompts, and tokens after the first of them: `ours`, words of our program, beside llama.cpp with the file `model`."""
    name = f"llama.cpp {described['shape']} {described['type']}"

    def infer(repeats, *arguments):
        # Reads the whole model before it measures.
        return json.loads(run(ours + ["--rounds", repeats, "--threads", options.threads, "--json", *arguments]))

    def into_cache(file):
        """Two large models may not stay in the file cache together; without this a round would measure the disk."""
        run(["dd", f"if={file}", "of=/dev/null", "bs=4M", "status=none"])

    def our_decode():
        report = infer(REPEATS, "--prompt", prompts[0], "--reply", REPLY)
        record = next(record for record in report["results"] if record["case"] == "decode")
        return {"decode": record["tokens_per_second"], "decode, share of the memory limit": record["memory_share"],
                "bytes per token": record["weight_bytes_per_token"], "memory limit": report["memory_bytes_per_second"]}

    def their_decode():
        into_cache(model)
        records = llama_bench(options, model, REPEATS, "-p", 0, "-n", REPLY, "-d", prompts[0])
        return {"decode": next(record["speed"] for record in records if record["n_gen"] == REPLY)}

    def our_prefill():
        report = infer(prefill_repeats, *[word for prompt in prompts for word in ("--prompt", prompt)], "--reply", 1)
        figures = {f"prefill {record['prompt']}": record["tokens_per_second"]
                   for record in report["results"] if record["case"] == "prefill"}
        if any(f"prefill {prompt}" not in figures for prompt in prompts):
            raise CannotRun(f"{name}: the context is too short for prompts of {prompts[-1]} tokens; choose 134M, 1.1B or 7B")
        return figures

    def their_prefill():
        into_cache(model)
        records = llama_bench(options, model, prefill_repeats, "-p", ",".join(map(str, prompts)), "-n", 0)
        return {f"prefill {record['n_prompt']}": record["speed"] for record in records}

    # Apart, so that either side's figures are not minutes from the other's.
    rounds = in_rounds(options, f"{name} decode", sides(options, our_decode, their_decode))
    yield result(options, rounds, "decode", target=decode_target, **described)
    if options.only != "theirs":
        yield result(options, rounds, "decode, share of the memory limit", target=share_target, alone=True, unit="", **described)
        yield result(options, rounds, "memory limit", alone=True, unit="bytes/s", **described)
        yield result(options, rounds, "bytes per token", alone=True, unit="bytes", **described)
    rounds = in_rounds(options, f"{name} prefill", sides(options, our_prefill, their_prefill))
    for prompt in prompts:
        yield result(options, rounds, f"prefill {prompt}", target=prefill_target, **described)


# A real chat model, by the name that `stitch models` has for it.
REAL_MODEL = "smollm2-135m"
REAL_PROMPTS = [256, 512]
REAL_TARGETS = {"q4_1": (1.5, 3.0), "q8_0": (1.5, 3.0), "bf16": (1.1, 1.5)}
# Megabytes beside the weights and the KV cache.
REAL_MEMORY = 60
CACHE_BYTES_PER_TOKEN = 2 * 30 * 3 * 64 * 4


def smollm2(options, shape, element_type):
    """SmolLM2-135M-Instruct, both sides from one GGUF file; as it is published, in Q4_1, also what it takes to start."""
    pulled = Path(run([options.stitch, "models", "pull", REAL_MODEL]).strip())
    model = pulled
    if element_type != "q4_1":
        model = options.cache / "bench" / f"{REAL_MODEL}.{element_type.upper()}.gguf"
        model.parent.mkdir(parents=True, exist_ok=True)
        if not model.exists():
            run([options.llama / "llama-quantize", "--allow-requantize", pulled, model, element_type.upper()])
    decode_target, prefill_target = REAL_TARGETS[element_type]
    described = {"suite": "smollm2", "shape": shape, "type": element_type}
    yield from beside_llama(
        options, described, [options.stitch, "bench", "--suite", "infer", "--model", model], model, REAL_PROMPTS, REPEATS,
        decode_target=decode_target, prefill_target=prefill_target)
    if element_type != "q4_1" or options.only == "theirs":
        return

    def ours():
        report = alone(options, "start", "--rounds", 10, "--model", REAL_MODEL)
        asked = measured([options.stitch, "ask", "Write a story about a fox.", "--model", REAL_MODEL, "--max-tokens", 128,
                          "--threads", options.threads, "--json"])
        reply = json.loads(asked.text)
        tokens = reply["prompt_tokens"] + len(reply["tokens"])
        # The file's weights are what the process maps; the rest is its own.
        own = asked.peak - model.stat().st_size - tokens * CACHE_BYTES_PER_TOKEN
        return {"start to first token": 1000 * median(report["first_token_seconds"][1:]), "memory over weights and cache": own / 1e6}

    rounds = in_rounds(options, f"{shape} start", {"ours": ours})
    yield result(options, rounds, "start to first token", at_most=150, alone=True, unit="ms", **described)
    yield result(options, rounds, "memory over weights and cache", at_most=REAL_MEMORY, alone=True, unit="MB", **described)


# Ours alone, against limits of its own


def alone(options, suite, *arguments):
    return json.loads(run([options.stitch, "bench", "--suite", suite, "--threads", options.threads, "--json", *arguments], cwd=ROOT))


def slider(options, family):
    """`family`: the default one, or a shape of random ones. The worst move counts."""
    work = options.cache / "bench"
    # The worst of many moves, each a millisecond: the worst of few rounds of each would be chance.
    chosen = ["--rounds", 15]
    if family != "default":
        # Seconds each: the rounds of this driver are enough.
        chosen = ["--shape", family, "--type", "q8_0", "--work", work, "--keep", "--rounds", 1]

    def ours():
        moves = alone(options, "slider", *chosen)["moves"]
        # With nothing but the last token left to do, the share says nothing: a step is a step.
        tails = [move["moved_by_share"] for move in moves if move["tail_share"] * move["tokens"] >= 2]
        return {"after a move, by the tail's share": max(tails),
                "after a move, read ahead, in steps": max(move["warmed_steps"] for move in moves)}

    rounds = in_rounds(options, f"slider {family}", {"ours": ours})
    described = {"suite": "slider", "shape": family, "unit": ""}
    yield result(options, rounds, "after a move, by the tail's share", at_most=1.15, alone=True, **described)
    yield result(options, rounds, "after a move, read ahead, in steps", at_most=2, alone=True, **described)


ACCEPTED = [0.7, 0.8, 0.9]


def speculation(options, family):
    """`family`: the default one, whose networks draft; or a shape of random ones, of whose drafts it is said how many are accepted."""
    chosen = ["--rounds", 3]
    if family != "default":
        chosen = ["--shape", family, "--type", "q4_0", "--work", options.cache / "bench", "--keep", "--rounds", 1]
        chosen += [word for share in ACCEPTED for word in ("--accepted", share)]

    def ours():
        figures = {}
        for row in alone(options, "speculation", *chosen)["results"]:
            if row.get("same") is False:
                raise CannotRun(f"speculation: {row['stitch']} makes another text with drafts; that must not be, please report it")
            # Cases and fields keep the names they have in files: a draft is a guess there, an accepted one right.
            case = f"guessing for {row['stitch']}"
            if "right" in row:
                case += f", {100 * row['right']:.0f} % right"
            else:
                figures[f"{case}, share right"] = row["accepted"] / max(1, row["guessed"])
            figures[case] = row["ratio"]
        return figures

    rounds = in_rounds(options, f"speculation {family}", {"ours": ours})
    described = {"suite": "speculation", "shape": family, "type": "bf16" if family == "default" else "q4_0"}
    for case in rounds[0]["ours"]:
        yield result(options, rounds, case, alone=True, unit="" if "share" in case else "by plain", **described)


def memory(options, family):
    work = options.cache / "bench"
    # Dozens of stitches of billions of parameters take a while to prefill even a short text.
    chosen = [] if family == "default" else ["--shape", family, "--type", "q8_0", "--work", work, "--keep", "--tokens", 64]
    rounds = in_rounds(options, f"memory {family}", {
        "ours": lambda: {"all stitches resident": alone(options, "memory", *chosen)["memory"]["ratio"]}})
    yield result(options, rounds, "all stitches resident", at_most=1.10, alone=True, suite="memory", shape=family, unit="by anchors + KV")


def adapter(options, shape):
    """What the low-rank updates and biases of an adapter cost, over a quantised base."""
    for element_type in ["q8_0", "q4_0"]:
        def ours():
            report = alone(options, "infer", "--shape", shape, "--type", element_type, "--lora-rank", RANK, "--prompt", PROMPTS[0],
                           "--reply", REPLY, "--rounds", 5, "--work", options.cache / "bench", "--keep")
            return {"adapter": next(record["adapter_time"] for record in report["results"] if record["case"] == "decode")}

        rounds = in_rounds(options, f"adapter {shape} {element_type}", {"ours": ours})
        yield result(options, rounds, "adapter", at_most=1.05, alone=True, suite="adapter", shape=shape, type=element_type,
                     unit="by decoding without") | {"case": f"decode, adapter of rank {RANK}"}


STEP_STAGE = "one step of esta"
STEP = {"peak memory": "peak_resident_bytes", "peak memory without mapped files": "peak_anonymous_bytes"}


def step(options, family):
    """One ESTA step over a quantised base."""
    def ours():
        report = alone(options, "large-family", "--shape", family, "--quantize", "q8_0", "--step-tokens", STEP_TOKENS, "--work", options.cache)
        stage = next(stage for stage in report["stages"] if stage["stage"] == STEP_STAGE)
        return {case: stage[name] for case, name in STEP.items()}

    # Other programs make no difference to memory.
    options = argparse.Namespace(**{**vars(options), "busy": True})
    rounds = in_rounds(options, f"ESTA step {family}", {"ours": ours})
    for case, limit in zip(STEP, [6e9, None]):
        yield result(options, rounds, case, at_most=limit, alone=True, suite="step", shape=family, type="q8_0", unit="bytes") | {
            "case": f"ESTA step of {STEP_TOKENS} tokens, {case}"}


START = {"start to first token": "first_token_seconds", "family mapped": "open_seconds",
         "family mapped, first token": "open_first_token_seconds",
         "family mapped, first token of the dearest stop": "open_dearest_first_token_seconds"}


# Families of random weights that are made to be opened, and the disk that takes.
MADE = {"1B+7B": 25e9}


def made(options, shape):
    """A family of a shape: little is fitted and trained, for only its size matters. `None` where the disk has no room."""
    directory = options.cache / f"family-{shape}-q4_0"
    if not directory.exists():
        options.cache.mkdir(parents=True, exist_ok=True)
        if MADE[shape] > shutil.disk_usage(options.cache).free:
            progress(f"start {shape}: left out: a family takes {MADE[shape] / 1e9:.0f} GB, which do not fit {options.cache}\n")
            return None
        progress(f"start {shape}: making the family")
        alone(options, "large-family", "--shape", shape, "--quantize", "q4_0", "--calibration-tokens", 64, "--step-tokens", 4,
              "--work", options.cache, "--keep")
    return directory


def start(options, family):
    """`family`: the default one, a directory, or a shape of random ones, which goes again."""
    directory = made(options, family) if family in MADE else family
    if not directory:
        return
    chosen = [] if family == "default" else ["--family", directory]

    def ours():
        report = alone(options, "start", "--rounds", 10, *chosen)
        # The first run fills the file cache. A family of random weights has no tokenizer and makes no reply.
        return {case: 1000 * median(report[name][1:]) for case, name in START.items() if report[name]}

    rounds = in_rounds(options, f"start {family}", {"ours": ours})
    limits = {"start to first token": 100} if family == "default" else {"family mapped, first token of the dearest stop": 1000}
    for case in rounds[0]["ours"]:
        yield result(options, rounds, case, at_most=limits.get(case), alone=True, suite="start", shape=Path(family).name, unit="ms")
    if family in MADE:
        shutil.rmtree(directory)


def startup(options, runs):
    """How long `stitch chat` takes to draw its first screen in a pseudo-terminal."""
    times = []
    for count in range(runs + 1):
        progress(f"startup: run {count} of {runs}")
        try:
            times.append(1000 * first_screen.seconds([str(options.stitch), "chat"], cwd=ROOT))
        except first_screen.NeverDrawn as error:
            raise CannotRun(f"startup: {error}") from error
    # The first run fills the file cache.
    return {"suite": "startup", "case": "first screen", "milliseconds": times[1:], "cold_milliseconds": times[0],
            "ours": times[1:], "unit": "ms", "trusted": True}
