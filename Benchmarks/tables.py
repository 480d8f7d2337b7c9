"""The tables about speed, from the files in docs/measurements.

A cell is the median of the undisturbed rounds and, in brackets, their range."""

import json
import textwrap
from pathlib import Path
from statistics import median

import suites
from measure import CannotRun
from rounds import number, undisturbed

MEASUREMENTS = Path(__file__).resolve().parent.parent / "docs/measurements"
# What documents call a shape or family, in the order of the rows. Others come last, by their own names.
SHAPES = {
    "default": "the default one", "large": "3.8M", "8M": "8.4M", "134M": "134M", "1.1B": "1.1B", "1B+2B": "1.2B and 2.2B, Q8_0", "1B+7B": "1.1B and 7B, Q4_0", "7B": "7B",
    "family-7B-q4_0": "two 7B, Q4_0",
}
TYPES = ["f32", "bf16", "q8_0", "q4_1", "q4_0"]
PEERS = {"torch": "PyTorch", "transformers": "transformers", "peft": "PEFT", "llama.cpp": "llama.cpp"}


class NotMeasured(Exception):
    """Its text stands in for the table."""


def file_of(suite, *parts):
    """What was measured of a suite and a shape, of some suites and a type."""
    return MEASUREMENTS / f"speed-{'-'.join([suite, *parts])}.json"


def read(file):
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise CannotRun(f"{file}: {error}; restore it") from error


class Suite:
    """All files of a suite."""

    def __init__(self, name):
        pattern = file_of(name, "*")
        self.files = {file: read(file) for file in sorted(pattern.parent.glob(pattern.name))}
        if not self.files:
            raise NotMeasured(f"Not measured yet; `Benchmarks/bench_peers.py --suite {name}` does.")
        # By shape and type, then by case.
        self.rows = {}
        for document in self.files.values():
            for row in document["results"] if "results" in document else reported(document):
                # Files from before have the peer's type once.
                kind = row.get("type") or document.get("peers", {}).get("dtype", "")
                self.rows.setdefault((row.get("shape", "default"), kind), {})[row["case"]] = row
        self.rows = dict(sorted(self.rows.items(), key=lambda item: rank(*item[0])))


def rank(shape, kind):
    def place(names, name):
        names = list(names)
        return (names.index(name), "") if name in names else (len(names), name)
    return place(SHAPES, shape), place(TYPES, kind)


def reported(report):
    """The rows of a report that `stitch bench` wrote by itself."""
    if "stages" in report:
        stage = next(stage for stage in report["stages"] if stage["stage"] == suites.STEP_STAGE)
        for case, name in suites.STEP.items():
            yield {"shape": report["shape"], "type": report["quantization"], "ours": [stage[name]],
                   "case": f"ESTA step of {report['step']['tokens']} tokens, {case}"}
    else:
        for case, name in suites.START.items():
            # The first run fills the file cache. A family without a tokenizer makes no reply.
            if report.get(name):
                yield {"shape": report["family"], "case": case, "ours": [1000 * seconds for seconds in report[name][1:]]}


def cell(row):
    if row is None:
        return "—"
    values = row.get("ratios") or row["ours"]
    counted = undisturbed(row, values)
    if not counted:
        return "disturbed"
    if len(counted) > 1:
        return f"{number(median(counted))} ({span(counted)})"
    return f"{number(counted[0])} (one round{f'; all: {span(values)}' if len(values) > 1 else ''})"


def span(values):
    return f"{number(min(values))}–{number(max(values))}"


def spread(values, unit):
    """The median, and from where to where they lie."""
    if not values:
        return "—"
    return f"{number(median(values))} {unit}" + (f" ({span(values)})" if len(values) > 1 else "")


def speed(row, side):
    return f"{number(median(undisturbed(row, row[side])))} tok/s"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def called(shape):
    return SHAPES.get(shape, shape)


def told(*measured, links=False):
    """A line on what was measured with and on what, how often, and where the figures are."""
    files = {file: document for suite in measured for file, document in suite.files.items()}

    def every(of, name):
        found = {document.get(of, {}).get(name) if of else document.get(name) for document in files.values()}
        return sorted(value for value in found if value is not None)

    def counted(values, unit):
        return [" or ".join(map(str, values)) + f" {unit}{'' if values == [1] else 's'}"] if values else []

    parts = [f"{title} {' or '.join(versions)}" for name, title in PEERS.items() if (versions := every("peers", name))]
    parts = [part.replace("llama.cpp-", "").replace("+cpu", "") for part in parts] + every("machine", "processor")
    parts += counted(every("peers", "threads"), "thread") + counted(every(None, "rounds"), "round")
    line = ", ".join(parts)
    if links:
        line += ("; from " if line else "From ") + ", ".join(f"[{file.name}](measurements/{file.name})" for file in files)
    # Links stay whole.
    return textwrap.fill(line + ".", 130, break_long_words=False, break_on_hyphens=False)


# Beside peers

TRAINING = {"train-lora": "LoRA training", "train-full": "full training"}
INFERENCE = {"prefill": "prefill", "decode": "decode"}
DECODE, SHARE, PREFILLS = "decode", "decode, share of the memory limit", [f"prefill {prompt}" for prompt in suites.PROMPTS]


def pytorch():
    def rows(suite, cases):
        for (shape, kind), found in suite.rows.items():
            for case, title in cases.items():
                if row := found.get(case):
                    memory = found.get(f"{case}, peak memory")
                    ours, theirs = kind.upper().split("/") if "/" in kind else ("F32", kind.upper())
                    yield [f"{title}, {called(shape)} parameters", f"{speed(row, 'ours')} ({ours})", f"{speed(row, 'theirs')} ({theirs})",
                           cell(row), number(median(undisturbed(memory, memory["ratios"]))) if memory else ""]

    training, inference = Suite("train"), Suite("infer")
    lines = table(["", "stitch", "PyTorch", "ratio", "memory, ratio"], [*rows(training, TRAINING), *rows(inference, INFERENCE)])
    return f"{lines}\n\n{told(training, inference)}"


def beside_llama(titles, **options):
    suite = Suite("llama")
    rows = [[f"{called(shape)}, {kind.upper()}", *(cell(found.get(case)) for case in titles)] for (shape, kind), found in suite.rows.items()]
    return f"{table(['weights', *titles.values()], rows)}\n\n{told(suite, **options)}"


def real_model(name="smollm2"):
    suite = Suite(name)
    titles = {DECODE: "decode, ratio", SHARE: "decode, share of the memory's speed"}
    titles |= {f"prefill {prompt}": f"prefill of {prompt}, ratio" for prompt in suites.REAL_PROMPTS}
    rows, started = [], []
    for (shape, kind), found in suite.rows.items():
        row = found.get(DECODE)
        rows.append([f"{shape}, {kind.upper()}", *(cell(found.get(case)) for case in titles), speed(row, "ours"), speed(row, "theirs")])
        started += [f"{case} {cell(found[case])} {found[case]['unit']}" for case in ("start to first token", "memory over weights and cache")
                    if case in found]
    lines = table(["weights", *titles.values(), "decode", "llama.cpp's"], rows)
    said = f"\n\nOf the file as it is published: {', '.join(started)}." if started else ""
    return f"{lines}{said}\n\n{told(suite, links=True)}"


def real_model_on_avx512():
    """Of another machine: measured with `--output` and kept under this name."""
    return real_model("real-avx512")


def llama_in_short():
    return beside_llama({DECODE: "decode", PREFILLS[-1]: f"prefill of {suites.PROMPTS[-1]:,} tokens"})


def llama():
    prefills = {case: f"prefill of {prompt:,}, ratio" for case, prompt in zip(PREFILLS, suites.PROMPTS)}
    return beside_llama({DECODE: "decode, ratio", SHARE: "decode, share of the memory's speed"} | prefills, links=True)


# Alone


def first_screen():
    suite = Suite("startup")
    [found] = suite.rows.values()
    times = found["first screen"]["milliseconds"]
    return f"The first screen is up {number(median(times))} ms after the start (median of {len(times)}; {span(times)})."


def odd_machines():
    report = read(MEASUREMENTS / "odd-machines.json")
    rows = [[check["check"], check["result"], check["what"].replace("|", "\\|")] for check in report["checks"]]
    place = report["machine"]
    note = f"{place['processor']}, {place['cores']} cores; from [odd-machines.json](measurements/odd-machines.json)."
    return f"{table(['check', '', 'what came out'], rows)}\n\n{note}"


def soak():
    report = read(MEASUREMENTS / "soak.json")
    words = "; ".join(report["wrong"]) or "flat"
    text = f"{report['hours']:g} hours, {report['rounds']} rounds, {report['lessons']} lessons: {words}."
    if "end_mb" in report:
        text += (f" Memory {report['start']['megabytes']:.0f} MB after the first round, {report['settled_mb']:.0f} half way,"
                 f" {report['end_mb']:.0f} at the end")
        text += (f"; while a lesson is learned {report['training_settled_mb']:.0f} half way, {report['training_end_mb']:.0f} at the end."
                 if "training_end_mb" in report else ".")
    text += f" Descriptors at most {report['most']['descriptors']}, threads {report['most']['threads']}."
    return textwrap.fill(f"{text} {report['machine']['processor']}; from [soak.json](measurements/soak.json).", 120)


def adapter():
    suite = Suite("adapter")
    rows = [[f"{called(shape)}, {kind.upper()}", *map(cell, found.values())] for (shape, kind), found in suite.rows.items()]
    return f"{table(['weights', 'time of a token, by that without'], rows)}\n\n{told(suite, links=True)}"


def families():
    slider, memory = Suite("slider"), Suite("memory")
    titles = {"after a move, by the tail's share": "first token after a move, by its share of a whole prefill",
              "after a move, read ahead, in steps": "the same, prefetched, by a token's time",
              "all stitches resident": "all sessions, by anchors and KV cache"}
    found = {key: slider.rows.get(key, {}) | memory.rows.get(key, {}) for key in slider.rows | memory.rows}
    rows = [[called(shape), *(cell(cases.get(case)) for case in titles)] for (shape, _), cases in found.items()]
    return f"{table(['family', *titles.values()], rows)}\n\n{told(slider, memory, links=True)}"


def speculation():
    suite = Suite("speculation")
    rows = []
    for (shape, _), found in suite.rows.items():
        for case, row in found.items():
            # The files call drafts guesses, and accepted ones right.
            stitch, _, accepted = case.removeprefix("guessing for ").partition(", ")
            if accepted != "share right":
                share = found.get(f"{case}, share right")
                accepted = accepted or f"{100 * median(undisturbed(share, share['ours'])):.0f} %"
                rows.append([called(shape), stitch, accepted.removesuffix(" right"), cell(row)])
    return f"{table(['family', 'stop', 'drafts accepted', 'speed, by that without drafts'], rows)}\n\n{told(suite, links=True)}"


def start():
    suite = Suite("start")
    titles = {"start to first token": "program started, first token, ms", "family mapped": "family opened, ms",
              "family mapped, first token": "family opened, first token, ms",
              "family mapped, first token of the dearest stop": "the same of the most expensive stop, ms"}
    rows = [[called(shape), *(cell(found.get(case)) for case in titles)] for (shape, _), found in suite.rows.items()]
    return f"{table(['family', *titles.values()], rows)}\n\n{told(suite, links=True)}"


def step():
    suite = Suite("step")
    rows = [[called(shape), case, number(median(row["ours"]) / 1e9)]
            for (shape, _), found in suite.rows.items() for case, row in found.items()]
    return f"{table(['family', 'measured', 'GB'], rows)}\n\n{told(suite, links=True)}"


# Other files


def written(name, by):
    file = MEASUREMENTS / name
    if not file.exists():
        raise NotMeasured(f"Not measured yet; `Benchmarks/{by} --write` does.")
    return read(file)


def many_at_once():
    document = written("serve-many.json", "serve_many.py")
    rows = []
    for row in document["results"]:
        ours, theirs = (spread(undisturbed(row, row.get(side, [])), row["unit"]) for side in ("ours", "theirs"))
        target = f"≥ {row['target']:g}" if "target" in row else f"≤ {row['at_most']:g}" if "at_most" in row else ""
        rows.append([f"{row['shape']}, {row['case']}", ours, theirs, cell(row) if row.get("ratios") else "", target])
    machine = document["machine"]
    lines = table(["", "stitch", "llama.cpp", "ratio", "to reach"], rows)
    return f"{lines}\n\n{machine['processor']}, {document['threads']} threads; from [serve-many.json](measurements/serve-many.json)."


def thousand_clients():
    document = written("serve-load.json", "serve_load.py")
    first = document["first_token_seconds"]
    rows = [[f"{document['clients']:,}", f"{document['waiting']:,}", f"{document['waiting'] - document['wrong']:,}", f"{number(document['seconds'])} s",
             f"{number(first['median'])} s", f"{number(first['p99'])} s", f"{document['memory_bytes'] / 1e6:,.0f} MB"]]
    heads = ["clients", "that wait for a reply", "whole and their own", "in all", "first token, median", "99th percentile", "memory at its most"]
    lines = table(heads, rows)
    return f"{lines}\n\n{document['machine']['processor']}; from [serve-load.json](measurements/serve-load.json)."


def side_networks():
    """Of `stitch bench --suite side`: the share of a decoded token's time, over the stops."""
    report = read(MEASUREMENTS / "side-smollm2.json")
    shares = {}
    for row in report["results"]:
        shares.setdefault(row["method"], {})[row["stitch"]] = 100 * row["share"]
    dearest = report["results"][-1]["stitch"]
    rows = [
        [method, *(f"{value:.1f} %" for value in (min(found.values()), median(found.values()), max(found.values()), found[dearest]))]
        for method, found in shares.items()]
    return table(["method", "least", "median", "most", "the whole model"], rows)


def method_memory():
    """Of `stitch bench --suite large-family --shape 1.1B`: the peak of a step without mapped files, by ESTA's."""
    rows = [
        [step["method"] + ("" if step.get("activations", "exact") == "exact" else f", {step['activations']}"), f"{step['trained_parameters'] / 1e6:.1f}", f"{step['peak_anonymous_bytes'] / 1e6:,.0f}", f"{step['peak_ratio']:.2f}"]
        for step in read(MEASUREMENTS / "method-memory.json")["steps"]]
    return table(["method", "trained, millions", "peak, MB", "of ESTA's"], rows)


def roofline():
    results = read(MEASUREMENTS / "roofline.json")["results"]
    names = {"before": "of the limit, before", "now": "of the limit"}
    # The file calls prefill reading, decode writing.
    phases = {"reading": "prefill", "writing": "decode"}
    kinds = [(element, phases[kind], figures[kind]) for element, figures in results.items() for kind in figures]
    first = kinds[0][2]
    heads = ["weights", "", *(title for name, title in names.items() if name in first), *first["parts"]]
    return table(heads, [
        [element.upper(), kind, *(f"{figures[name]['share']:.2f}" for name in names if name in figures),
         *(f"{100 * share:.1f} %" for share in figures["parts"].values())] for element, kind, figures in kinds])


def cache():
    stops = read(MEASUREMENTS / "cache-f16.json")["stops"]
    return table(["stop", "replies", "right, F32", "right, F16", "the same both ways"], [
        [stop, *(f"{figures[name]:,}" for name in ["replies", "right_f32", "right_f16", "same"])] for stop, figures in stops.items()])


def auto():
    document = read(MEASUREMENTS / "auto-1B+2B.json")
    rows = [[reply["when"], reply["stop"], number(reply["speed"]), number(reply["share"])] for reply in document["replies"]]
    return table(["", "stop", "tokens a second", f"by the {document['target']} asked for"], rows)
