#!/usr/bin/env python3
"""Runs the study of docs/protocol-smollm2.md and writes docs/results-smollm2.md.

Every stage leaves a file below the cache folder and is skipped where that is there; training that was stopped goes on from
its checkpoint. So the same command goes on where it was. Exit code 0: all is measured; 2: it could not run.
"""
import argparse
import hashlib
import json
import os
import pathlib
import platform
import random
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "stitch/smollm2"
KINDS = ["all", "chat", "prose", "code"]

# Learning rates that are tried on the validation data, for each way to train that has its own.
RATES = {"ours": [1e-3, 2e-3, 4e-3], "own": [1e-3, 2e-3, 4e-3], "sn-net": [2.5e-5, 1e-4, 4e-4]}
# A search sees this part of an arm's tokens.
SEARCHED = 4
# Tasks of a kind that sizes are asked, of those that the whole model does right.
TASKS_OF_A_KIND = 12
# Tokens a second of training, about, to say how long it will take.
SPEED = 700

# Arms: title, whose learning rate they take (none: nothing is trained), the family they start from, options.
ARMS = {
    "layers": ("fitted layers alone", None, "family", []),
    "ours": ("healed: shared updates, biases, importance", "ours", "family", ["--heal"]),
    "no-biases": ("without stitch-specific biases", "ours", "family", ["--heal", "--no-stitch-biases"]),
    "uniform": ("uniform sampling", "ours", "family", ["--heal", "--sampling", "uniform"]),
    "own": ("own updates: each size by itself", "own", "family", ["--heal"]),
    "dropped": ("blocks dropped, nothing else", None, "dropped", []),
    "dropped-healed": ("blocks dropped, healed", "ours", "dropped", ["--heal"]),
    "sn-net": ("SN-Net: every weight", "sn-net", "family",
               ["--method", "sn-net", "--distill", "--anchor-steps", "0", "--keep-layers"]),
}

# What else healing could be: title, the options that differ, whether routes are chosen by KL alone.
VARIATIONS = {
    "rank-4": ("rank 4", ["--rank", "4"], False),
    "rank-64": ("rank 64", ["--rank", "64"], False),
    "attention": ("updates of attention alone", ["--targets", "attention"], False),
    "no-layer-updates": ("layers as they were fitted", ["--no-layer-updates"], False),
    "replies": ("half of the loss that of the text", ["--distill-share", "0.5"], False),
    "routes": ("routes chosen by KL alone (`--move-weight 0`)", [], True),
}


class CannotRun(Exception):
    """Its text names the cause and the remedy."""


def say(line):
    print(f"smollm2-results: {line}", file=sys.stderr, flush=True)


def save(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def load(path):
    return json.loads(path.read_text())


class Study:
    def __init__(self, options):
        self.options = options
        self.work = options.work / f"{options.tokens}-tokens-{options.tokens_per_step}-a-step"
        self.steps = max(1, options.tokens // options.tokens_per_step)
        self.done = self.all = 0

    # Running

    def stitch(self, *arguments):
        """Standard output of a command, whose progress is shown."""
        command = [str(self.options.stitch)] + [str(argument) for argument in arguments]
        result = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        if result.returncode != 0:
            raise CannotRun(f"{' '.join(command)}: exit code {result.returncode}; its last line says why")
        return result.stdout

    def stage(self, name, make):
        """Makes NAME.json, unless it is there."""
        file = self.work / f"{name}.json"
        if not file.exists():
            say(f"{name} ({self.done + 1} of {self.all} stages)")
            start = time.time()
            text = make()
            save(file, text)
            say(f"{name}: {time.time() - start:.0f} s")
        self.done += 1
        return load(file)

    # Families

    def build(self, name, *arguments):
        family = self.work / name
        if not family.exists():
            self.stitch("family", "build", "--anchor", self.options.model, "--calibration", self.options.calibration,
                        "--output", family, "--threads", self.options.threads, *arguments)
        return family

    def families(self):
        """The family of self-routes and the one of dropped blocks, with as many blocks left out at each stop."""
        family = self.options.family or self.build("family")
        counts = sorted({left_out(row) for row in self.shown(family)} - {0})
        if not counts:
            raise CannotRun(f"{family} has no routes that leave out blocks; give a family of one model with --family")
        dropped = self.build("dropped", "--routes", "dropped", "--leave-out", ",".join(map(str, counts)))
        return {"family": family, "dropped": dropped}

    def shown(self, family):
        return [row for row in json.loads(self.stitch("family", "show", family, "--json"))["stitches"] if row["stop"]]

    # Training and measuring

    def train(self, output, family, options, rate, steps, seed):
        """Trains into a directory, unless it is there."""
        if output.exists() and beside(output, "json").exists():
            return
        if output.exists():
            shutil.rmtree(output)
        report = self.stitch(
            "adapt", "--json", "--family", family, "--data", self.options.heal, "--output", output, "--steps", steps,
            "--tokens-per-step", self.options.tokens_per_step, "--learning-rate", f"{rate:g}", "--seed", seed,
            "--threads", self.options.threads, "--checkpoint", beside(output, "checkpoint"),
            "--checkpoint-interval", 25, "--held-out-tokens", 0,
            *([] if "--distill-share" in options else ["--distill-share", 1]), *options)
        save(beside(output, "json"), report)

    def measure(self, family, data, *options):
        """What `stitch frontier` says of a family's stops, the downloaded model being what they are measured by."""
        return json.loads(self.stitch(
            "frontier", "--family", family, "--data", data, "--reference", self.reference, "--loss-only", "--json",
            "--threads", self.options.threads, *self.sample, *options))

    @property
    def sample(self):
        return ["--questions", self.options.texts] if self.options.texts else []

    def trained(self, arm, rate, seed, families):
        """An arm's family, trained unless it is there."""
        _, trained_like, base, options = ARMS[arm]
        if trained_like is None:
            return families[base]
        output = self.work / f"{arm}-{seed}"
        self.train(output, families[base], options, rate, self.steps, seed)
        return output

    def measured(self, arm, rate, seed, families):
        """Trains an arm and measures it on the held-out data."""
        if arm == "own":
            return self.own(rate, seed, families)
        output = self.trained(arm, rate, seed, families)
        if output == families[ARMS[arm][2]]:
            return self.measure(output, self.options.held_out, "--only-stops", "--no-speeds")
        measures_speed = arm == "ours" and seed == self.options.seeds[0]
        result = self.measure(
            output, self.options.held_out, "--only-stops", "--no-speeds", *(["--write"] if measures_speed else []))
        if measures_speed:
            # Routes take the same time whoever trained them: it is measured once, of all in turns.
            found = json.loads(self.stitch("frontier", "--family", output, "--speeds", "--json", "--threads", self.options.threads))
            speeds = {row["id"]: row["tokensPerSecond"] for row in found["stitches"]}
            for row in result["stitches"]:
                row["tokensPerSecond"] = speeds[row["id"]]
        result["training"] = self.cost(output)
        return result

    def solved(self, arm, rate, seed, families, tasks):
        """By stop, the share of the tasks that an arm does right, and whether it does each."""
        if arm == "own":
            rows = [row for one, id in self.own_families(rate, seed, families)
                    for row in self.answered(one, tasks, "--stitches", id)]
        else:
            rows = self.answered(self.trained(arm, rate, seed, families), tasks, "--only-stops")
        return {row["id"]: {name: row[name] for name in ("exactMatch", "byKind", "right")} for row in rows}

    def answered(self, family, tasks, *options):
        return json.loads(self.stitch("frontier", "--family", family, "--data", tasks, "--no-speeds", "--json",
                                      "--threads", self.options.threads, *options))["stitches"]

    def tasks(self, families):
        """Those that the model as it was downloaded does right, the same number of each kind if there are so many."""
        file = self.work / "tasks.jsonl"
        if not file.exists():
            say("tasks that the whole model does right")
            answers = self.work / "whole-answers.jsonl"
            self.work.mkdir(parents=True, exist_ok=True)
            whole = next(row["id"] for row in self.shown(families["family"]) if not left_out(row))
            self.answered(families["family"], self.options.tasks, "--stitches", whole, "--answers", answers)
            kept, records = [], self.options.tasks.read_text().splitlines()
            for line in answers.read_text().splitlines():
                answer = json.loads(line)
                kind = [one for one in kept if one["kind"] == answer["kind"]]
                if answer["right"] and len(kind) < TASKS_OF_A_KIND:
                    kept.append(json.loads(records[answer["question"]]))
            save(file, "".join(json.dumps(one) + "\n" for one in kept))
        return file

    def cost(self, output):
        report = load(beside(output, "json"))
        return {name: report[name] for name in ("tokens", "cpu_seconds", "peak_memory_bytes")}

    def own_families(self, rate, seed, families):
        """Each size trained by itself with an equal part of the steps: its family, and the stitch that was trained."""
        rows = [row for row in self.shown(families["family"]) if left_out(row)]
        for place, row in enumerate(rows):
            one = self.work / f"own-{seed}" / str(place)
            one.parent.mkdir(parents=True, exist_ok=True)
            self.train(one, families["family"], ["--heal", "--stitches", row["id"]], rate, max(1, self.steps // len(rows)), seed)
            yield one, row["id"]

    def own(self, rate, seed, families):
        whole = None
        for one, id in self.own_families(rate, seed, families):
            file = beside(one, "measured.json")
            if not file.exists():
                found = self.measure(one, self.options.held_out, "--stitches", id, "--no-speeds")
                found["training"] = self.cost(one)
                save(file, json.dumps(found))
            found = load(file)
            whole = whole or dict(found, stitches=[], training={name: 0 for name in found["training"]})
            whole["stitches"] += found["stitches"]
            for name, value in found["training"].items():
                sums = whole["training"]
                sums[name] = max(sums[name], value) if name == "peak_memory_bytes" else sums[name] + value
        return whole

    def remove(self, directory):
        if not self.options.keep and directory.exists():
            shutil.rmtree(directory)

    def search(self, way, families):
        """The learning rate of least mean KL on the validation data."""
        _, _, base, options = ARMS[way]
        steps = max(1, self.steps // SEARCHED)
        chosen = ["--only-stops"]
        if way == "own":
            rows = [row for row in self.shown(families[base]) if left_out(row)]
            middle = rows[len(rows) // 2]["id"]
            options, chosen = options + ["--stitches", middle], ["--stitches", middle]
            steps = max(1, self.steps // len(rows))
        found = []
        for rate in RATES[way]:
            output = self.work / f"search-{way}-{rate:g}"
            file = beside(output, "measured.json")
            if not file.exists():
                self.train(output, families[base], options, rate, steps, self.options.seeds[0])
                save(file, json.dumps(self.measure(output, self.options.validation, "--no-speeds", *chosen)))
                self.remove(output)
            found.append({"rate": rate, "divergence": mean_divergence(load(file))})
        return json.dumps({"steps": steps, "tried": found, "rate": min(found, key=lambda one: one["divergence"])["rate"]})

    def varied(self, name, rate, families):
        """Healing with something else about it, measured as the search is."""
        _, options, chooses_by_divergence = VARIATIONS[name]
        base = self.build("by-divergence", "--move-weight", 0, "--judged-tokens", 2560) if chooses_by_divergence else families["family"]
        steps = max(1, self.steps // SEARCHED)
        output = self.work / f"varied-{name}"
        self.train(output, base, ["--heal", *options], rate, steps, self.options.seeds[0])
        found = self.measure(output, self.options.validation, "--no-speeds", "--only-stops")
        report = load(beside(output, "json"))
        self.remove(output)
        return json.dumps({"steps": steps, "divergence": mean_divergence(found),
                           "trainedParameters": report["trainable_parameters"]})

    # All of it

    def tokens_of(self, stage):
        """Tokens that a stage trains on, about."""
        if stage.endswith(".solved"):
            return 0
        name = stage.removesuffix(".measured").removeprefix("rate-")
        if stage.startswith("varied-"):
            return self.options.tokens // SEARCHED
        if stage.startswith("rate-"):
            return len(RATES[name]) * self.options.tokens // (10 if name == "own" else SEARCHED)
        return self.options.tokens if ARMS[name.rpartition("-")[0]][1] else 0

    def check_inputs(self):
        """What is kept belongs to the same data."""
        inputs = {name: hashlib.sha256(getattr(self.options, name).read_bytes()).hexdigest()
                  for name in ("heal", "held_out", "validation", "calibration", "tasks")}
        inputs |= {"model": self.options.model, "family": str(self.options.family), "texts": self.options.texts}
        file = self.work / "inputs.json"
        if not file.exists():
            save(file, json.dumps(inputs, indent=1) + "\n")
        elif load(file) != inputs:
            raise CannotRun(f"{self.work} holds runs on other data; remove it, or give another folder with --work")

    def run(self):
        arms = [arm for arm in ARMS if arm in self.options.arms]
        ways = sorted({ARMS[arm][1] for arm in arms} - {None})
        runs = [(arm, seed) for arm in arms
                for seed in (self.options.seeds if ARMS[arm][1] else self.options.seeds[:1])]
        names = [f"rate-{way}" for way in ways]
        variations = [name for name in VARIATIONS if name in self.options.variations] if "ours" in ways else []
        names += [f"varied-{name}" for name in variations]
        names += [f"{arm}-{seed}.{stage}" for arm, seed in runs for stage in ("measured", "solved")]
        self.all = len(names)
        left = [name for name in names if not (self.work / f"{name}.json").exists()]
        self.check_inputs()
        say(f"{len(left)} of {self.all} stages are left, below {self.work}: {', '.join(left) or 'none'}")
        tokens = sum(self.tokens_of(name) for name in left)
        say(f"about {tokens / SPEED / 60:.0f} minutes of training at {SPEED} tokens/s, and measuring")
        families = self.families()
        self.reference = self.options.model
        rates = {way: self.stage(f"rate-{way}", lambda: self.search(way, families)) for way in ways}
        varied = {name: self.stage(f"varied-{name}", lambda: self.varied(name, rates["ours"]["rate"], families))
                  for name in variations}
        tasks = self.tasks(families)
        # Seed by seed, so that a study that is stopped has whole columns.
        for arm, seed in sorted(runs, key=lambda run: run[1]):
            rate = rates[ARMS[arm][1]]["rate"] if ARMS[arm][1] else None
            result = self.stage(
                f"{arm}-{seed}.measured",
                lambda: json.dumps(self.measured(arm, rate, seed, families), sort_keys=True, indent=1) + "\n")
            solved = self.stage(
                f"{arm}-{seed}.solved", lambda: json.dumps(self.solved(arm, rate, seed, families, tasks), sort_keys=True) + "\n")
            self.remove(self.work / f"{arm}-{seed}")
            save(self.options.output / f"results/smollm2/{arm}-{seed}.json",
                 json.dumps(slim(result, solved), sort_keys=True) + "\n")
        settings = {
            "model": self.options.model, "tokens": self.options.tokens, "tokensPerStep": self.options.tokens_per_step,
            "steps": self.steps, "rates": rates, "variations": varied, "machine": machine(), "threads": self.options.threads,
            "tasks": len(tasks.read_text().splitlines()),
        }
        save(self.options.output / "results/smollm2/settings.json", json.dumps(settings, sort_keys=True, indent=1) + "\n")


def beside(directory, ending):
    return directory.with_name(f"{directory.name}.{ending}")


def mean_divergence(frontier):
    """Of all stops but the whole model."""
    rows = [row["divergence"] for row in frontier["stitches"] if left_out(row)]
    return sum(rows) / len(rows)


def left_out(row):
    """How many blocks a route leaves out."""
    ranges = [tuple(map(int, pair)) for pair in re.findall(r"\[(\d+)\.\.<(\d+)\]", row["route"])]
    return ranges[-1][1] - sum(end - start for start, end in ranges)


def slim(frontier, solved):
    """What the tables need."""
    kept = ["id", "route", "flopsPerToken", "adaptedFlopsPerToken", "tokensPerSecond", "loss", "agreement", "divergence",
            "textsByKind", "agreeing"]
    rows = [{name: row[name] for name in kept if name in row} | solved.get(row["id"], {}) for row in frontier["stitches"]]
    return {"training": frontier.get("training"), "data": frontier["data"], "kinds": frontier["kinds"], "tokens": frontier["tokens"], "stitches": rows}


def machine():
    try:
        name = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        name = platform.machine()
    return f"{name}, {os.cpu_count()} processors"


# The report

def sign_flip(first, second, flips=2000):
    """Two-sided p of the paired randomisation test on texts (Fisher 1935), the observed order counted, too."""
    differences = [b - a for a, b in zip(first, second) if a != b]
    total = abs(sum(differences))
    chance = random.Random(1)
    beyond = 1
    for _ in range(flips):
        bits = chance.getrandbits(max(1, len(differences)))
        beyond += abs(sum(d if bits >> i & 1 else -d for i, d in enumerate(differences))) >= total
    return beyond / (flips + 1)


class Results:
    """The files below results/smollm2: by arm, a list of seeds, each rows by blocks left out."""

    def __init__(self, output):
        folder = output / "results/smollm2"
        if not (folder / "settings.json").exists():
            raise CannotRun(f"{folder} has no results; run the study first")
        self.settings = load(folder / "settings.json")
        self.arms, self.training = {}, {}
        for arm in ARMS:
            files = sorted(folder.glob(f"{arm}-[0-9]*.json"))
            if files:
                documents = [load(file) for file in files]
                self.document = documents[0]
                self.training[arm] = [one["training"] for one in documents if one["training"]]
                self.arms[arm] = [{left_out(row): row for row in document["stitches"]} for document in documents]
        self.counts = sorted({count for seeds in self.arms.values() for rows in seeds for count in rows} - {0})

    def values(self, arm, count, measure, kind):
        rows = [rows[count] for rows in self.arms[arm] if count in rows]
        sources = rows if kind == "all" else [row["textsByKind"].get(kind, {}) for row in rows]
        return [source[measure] for source in sources if measure in source]

    def mean(self, arm, count, measure, kind="all"):
        values = self.values(arm, count, measure, kind)
        return sum(values) / len(values) if values else None

    def p(self, arm, other, count):
        first, second = (self.arms[name][0].get(count, {}).get("agreeing") for name in (other, arm))
        return sign_flip(first, second) if first and second else None


def table(results, measure, kind, form):
    names = list(results.arms)
    yield "| blocks left out | " + " | ".join(ARMS[name][0] for name in names) + " |"
    yield "|---|" + "---|" * len(names)
    for count in results.counts:
        cells = []
        for name in names:
            values = results.values(name, count, measure, kind)
            spread = f" ± {form(deviation(values), False)}" if len(values) > 1 else ""
            cells.append(form(sum(values) / len(values), True) + spread if values else "")
        yield f"| {count} | " + " | ".join(cells) + " |"


def deviation(values):
    mean = sum(values) / len(values)
    return (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5


def percent(value, unit):
    return f"{100 * value:.1f}" + (" %" if unit else "")


def nats(value, _):
    return f"{value:.3f}"


def costs(results):
    yield "| blocks left out | route | FLOPs, share of the whole | ms per token | share |"
    yield "|---|---|---|---|---|"
    rows = results.arms.get("ours", results.arms[next(iter(results.arms))])[0]
    whole = rows.get(0)
    for count in [0] + results.counts:
        row = rows.get(count)
        if not row or not whole:
            continue
        speed = row["tokensPerSecond"]
        time_ = f"{1000 / speed:.1f} | {100 * whole['tokensPerSecond'] / speed:.0f} %" if speed else " | "
        blocks = " → ".join(re.findall(r"\[\d+\.\.<\d+\]", row["route"]))
        yield f"| {count} | `{blocks}` | {100 * row['flopsPerToken'] / whole['flopsPerToken']:.0f} % | {time_} |"


def training(results):
    yield "| arm | tokens | processor seconds | peak memory |"
    yield "|---|---|---|---|"
    for name, runs in results.training.items():
        if not runs:
            continue
        mean = {key: sum(run[key] for run in runs) / len(runs) for key in runs[0]}
        seconds = f"{mean['cpu_seconds']:,.0f}" if "cpu_seconds" in mean else "not kept"
        yield (f"| {ARMS[name][0]} | {mean['tokens']:,.0f} | {seconds} "
               f"| {mean['peak_memory_bytes'] / 1e9:.1f} GB |")


def variations(settings):
    way = settings["rates"]["ours"]
    yield (f"Healing with one thing changed, {way['steps']} steps at the same rate: mean KL over the stops on the validation "
           "data.")
    yield ""
    yield "| what is changed | trained parameters | KL |"
    yield "|---|---|---|"
    yield f"| nothing (rank 16) | | {min(one['divergence'] for one in way['tried']):.3f} |"
    for name, one in settings["variations"].items():
        yield f"| {VARIATIONS[name][0]} | {one['trainedParameters']:,} | {one['divergence']:.3f} |"


def claim(results, text, arm, other, measure="agreement", no_worse=False):
    """Whether an arm is better than another at every stop, by agreement; or at none worse by more than noise."""
    if arm not in results.arms or other not in results.arms:
        return f"- {text}: not measured."
    verdicts = []
    for count in results.counts:
        a, b = results.mean(arm, count, measure), results.mean(other, count, measure)
        if a is not None and b is not None:
            verdicts.append((count, 100 * (a - b), results.p(arm, other, count)))
    better = [one for one in verdicts if one[1] > 0]
    clear = [one for one in better if one[2] is not None and one[2] < 0.05]
    worse = [one for one in verdicts if one[1] < 0 and (one[2] is None or one[2] < 0.05)]
    has_held = not worse if no_worse else len(better) == len(verdicts)
    held = "held" if verdicts and has_held else "did not hold"
    details = ", ".join(f"{count}: {points:+.1f} (p {'<' if p < 0.001 else '='} {max(p, 0.001):.3f})" if p is not None
                        else f"{count}: {points:+.1f}" for count, points, p in verdicts)
    return (f"- {text}: **{held}**; better at {len(better)} of {len(verdicts)} stops, at {len(clear)} by more than noise. "
            f"Points of agreement by blocks left out: {details}.")


def report(output):
    results = Results(output)
    settings = results.settings
    kinds = [kind for kind in KINDS if kind == "all" or kind in results.document["kinds"]]
    seeds = max(len(runs) for runs in results.arms.values())
    lines = [
        "# Results: sizes of one model", "",
        "What healing a slider of SmolLM2-135M-Instruct is worth, after [the protocol](protocol-smollm2.md). `make "
        "results-smollm2` writes this page from the files in [results/smollm2](results/smollm2).", "",
        f"{settings['model']}; {settings['tokens']:,} tokens of training an arm in {settings['steps']} steps; "
        f"{seeds} seed{'s' if seeds > 1 else ''}; {results.document['tokens']:,} held-out tokens "
        f"({', '.join(f'{count} {kind}' for kind, count in sorted(results.document['kinds'].items()))}). "
        f"{settings['machine']}, {settings['threads']} threads.", "",
        "## What was expected, and whether it held", "",
        claim(results, "Healing is better than the fitted layers alone", "ours", "layers"),
        claim(results, "Healed routes are better than dropped blocks that are healed with the same steps", "ours", "dropped-healed"),
        claim(results, "Fitted layers are better than dropped blocks, without training", "layers", "dropped"),
        claim(results, "Shared updates are better than own ones with the same tokens in all", "ours", "own"),
        claim(results, "Healing is no worse than SN-Net's full training with as many tokens", "ours", "sn-net", no_worse=True),
        claim(results, "Stitch-specific biases help", "ours", "no-biases"),
        claim(results, "Sampling by importance helps", "ours", "uniform"), "",
        "p is that of the first seed's texts, two-sided (sign-flip test).", "",
        "## What the stops cost", "", *costs(results), "",
        "## What training took", "", *training(results), "",
    ]
    tried = max((len(way["tried"]) for way in settings["rates"].values()), default=0)
    if tried:
        lines += [
            "## Learning rates", "", "Mean KL over the stops on the validation data:", "",
            "| way to train | steps | " + " | ".join(["rate: KL"] * tried) + " |", "|---|---|" + "---|" * tried,
        ]
    for name, way in settings["rates"].items():
        cells = [f"{'**' if one['rate'] == way['rate'] else ''}{one['rate']:g}: {one['divergence']:.3f}"
                 f"{'**' if one['rate'] == way['rate'] else ''}" for one in way["tried"]]
        lines.append(f"| {ARMS[name][0]} | {way['steps']} | " + " | ".join(cells) + " |")
    if settings.get("variations"):
        lines += ["", "## What else was tried", "", *variations(settings)]
    for measure, title, form in (
            ("agreement", "Agreement with the whole model", percent), ("divergence", "KL from the whole model, nats", nats),
            ("loss", "Loss, nats per token", nats)):
        lines += ["", f"## {title}"]
        for kind in kinds:
            lines += ["", f"### {kind.capitalize()}", "", *table(results, measure, kind, form)]
    if any("exactMatch" in row for runs in results.arms.values() for rows in runs for row in rows.values()):
        lines += [
            "", "## Tasks", "",
            f"Exact match on {settings['tasks']} questions with one right answer, all of which the whole model answers "
            "rightly; each comes after three others of its kind with their answers.", "",
            *table(results, "exactMatch", "all", percent)]
    save(output / "results-smollm2.md", "\n".join(lines) + "\n")
    say(f"wrote {output / 'results-smollm2.md'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = CACHE / "data"
    add = parser.add_argument
    add("--heal", type=pathlib.Path, default=data / "heal.jsonl", help="what is trained on")
    add("--held-out", type=pathlib.Path, default=data / "held-out.jsonl", help="what is reported")
    add("--validation", type=pathlib.Path, default=data / "validation.jsonl", help="what choices are made on")
    add("--tasks", type=pathlib.Path, default=data / "tasks.jsonl", help="questions with one right answer")
    add("--calibration", type=pathlib.Path,
        help="what blocks are judged on (default: what the default family was fitted on, or as --heal)")
    add("--model", default="smollm2-135m", help="a model's name or directory")
    add("--family", type=pathlib.Path, 
        help="the unhealed family to study (default: that of `scripts/smollm2-family.sh base`, or one is built)")
    add("--arms", default=",".join(ARMS), help="with commas: " + ", ".join(ARMS))
    add("--variations", default=",".join(VARIATIONS), help="of healing, with commas: " + ", ".join(VARIATIONS))
    add("--tokens", type=int, default=200_000, help="of an arm's training")
    add("--tokens-per-step", type=int, default=2048)
    add("--seeds", default="1", help="with commas")
    add("--texts", type=int, help="measure on so many texts only, to try the study out")
    add("--threads", type=int, default=2)
    add("--work", type=pathlib.Path, default=CACHE / "results", help="where the runs are kept")
    add("--output", type=pathlib.Path, default=ROOT / "docs", help="where the report goes")
    add("--stitch", type=pathlib.Path, default=ROOT / ".build/release/stitch")
    add("--keep", action="store_true", help="keep the families that were trained")
    add("--report-only", action="store_true", help="only write the report, from what is there")
    options = parser.parse_args()
    options.arms = options.arms.split(",")
    unknown = [arm for arm in options.arms if arm not in ARMS]
    if unknown:
        parser.error(f"--arms: there is no {unknown[0]}; known are {', '.join(ARMS)}")
    options.variations = options.variations.split(",") if options.variations else []
    unknown = [name for name in options.variations if name not in VARIATIONS]
    if unknown:
        parser.error(f"--variations: there is no {unknown[0]}; known are {', '.join(VARIATIONS)}")
    options.seeds = [int(seed) for seed in options.seeds.split(",")]
    if not options.calibration:
        fitted_on = CACHE / "calibration.jsonl"
        options.calibration = fitted_on if fitted_on.exists() else options.heal
    if not options.family and options.model == parser.get_default("model") and (CACHE / "family").exists():
        options.family = CACHE / "family"
    try:
        if not options.report_only:
            for file in (options.heal, options.held_out, options.validation, options.tasks):
                if not file.exists():
                    raise CannotRun(f"{file} is not there; make the data with scripts/smollm2-data.py, or name other files")
            if not options.stitch.exists():
                raise CannotRun(f"{options.stitch} is not there; run `make build`")
            Study(options).run()
        report(options.output)
    except CannotRun as error:
        say(error)
        sys.exit(2)
    except KeyboardInterrupt:
        say("stopped; the same command goes on")
        sys.exit(130)


main()
