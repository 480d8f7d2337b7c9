#!/usr/bin/env python3
"""Compares the token ids of `stitch` with those of Hugging Face's tokenizers, on generated texts, and of llama.cpp, on its own;
and the speed of both on one thread.

Tokenizers: the fixtures of the tests; the real vocabularies that lie in llama.cpp's source as GGUF, each as it is and as the
tokenizer.json of its model; and any given with --model. peers/setup.sh and peers/llama_cpp.sh make what this runs in.
Exit code 0: all agree; 1: something differs; 2: could not run.
"""
import argparse
import json
import os
import pathlib
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
FIXTURES = ROOT / "Tests/TokenizerTests/Fixtures"

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stitch", default=ROOT / ".build/release/stitch")
parser.add_argument("--texts", type=int, default=1_000_000, help="how many for each tokenizer")
parser.add_argument("--megabytes", type=int, default=10, help="of prose and of code for the speed; 0: not measured")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--only", default="", help="only tokenizers with this in their name")
parser.add_argument("--model", type=pathlib.Path, action="append", default=[], help="a tokenizer.json or a GGUF file besides")
parser.add_argument("--vocabularies", type=pathlib.Path, help="the folder of llama.cpp's ggml-vocab-*.gguf")
arguments = parser.parse_args()

try:
    import tokenizers
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
except ImportError:
    python = subprocess.run([HERE / "peers/setup.sh"], stdout=subprocess.PIPE, text=True)
    if python.returncode != 0 or os.environ.get("STITCH_PEERS"):
        print("the package tokenizers could not be installed", file=sys.stderr)
        sys.exit(2)
    os.environ["STITCH_PEERS"] = "1"
    os.execv(python.stdout.strip(), [python.stdout.strip(), __file__, *sys.argv[1:]])

failures = 0


def report(name: str, good: bool, detail: str) -> None:
    global failures
    failures += not good
    print(f"{'ok  ' if good else 'FAIL'}  {name}: {detail}", flush=True)


# --- Texts

PIECES = [
    "'s", "'S", "'ll", "'LL", "'Re", "I'm", "don't", "'Tis", "it’s", "ſ", "'ſ", "'d'", "''", "é", "e\u0301", "ß", "Ǆ", "İ",
    "日本語", "中文", "ひらがな", "한국어", "नमस्ते", "العربية", "עברית", "ไทย", "٣٤", "Ⅷ", "½", "²", "①", "🦀", "👩\u200d🚀", "🇩🇪", "\ufe0f",
    "def f(x):", "{}", "!=", "->", "#include <a>", "});", "//", "/* */", "\\n", "0x1F", "1_000", "3.14", "10%", "$5", "a_b", "camelCase",
    "HTTPServer", "...", "“”", "—", "▁", "▁▁", "Ġ", "Ċ", "<0x0A>", "http://a.b/c?d=e", "foo@bar.com",
]
SPACES = [" ", "  ", "   ", "        ", "\n", "\n\n", "\r\n", "\r", "\t", "\t\t", " \n ", "\n  ", "\u00a0", "\u2003", "\u0085", "\u3000", "\u200b", "\x0b", "\x0c", "\x1f"]
WORDS = re.findall(r"\S+", (ROOT / "docs/method.md").read_text() + (HERE / "interop.py").read_text())
SCALARS = [range(0x20, 0x7F), range(0, 0x20), range(0x7F, 0x250), range(0x250, 0xD800), range(0xE000, 0x10000), range(0x10000, 0x20000), range(0x20000, 0x32000), range(0x32000, 0x110000), range(0xE0000, 0xE0200)]


def texts(count: int, tokens: list[str], seed: int) -> list[str]:
    """Words, code, digits, white space, contractions, characters of every plane, and what spells tokens."""
    source = random.Random(seed)
    choice, below = source.choice, source.randrange
    parts = [
        lambda: choice(WORDS),
        lambda: " " + choice(WORDS),
        lambda: choice(PIECES),
        lambda: choice(SPACES),
        lambda: choice(SPACES) * below(1, 9),
        lambda: str(below(10 ** below(1, 12))),
        lambda: chr(choice(choice(SCALARS))),
        lambda: "".join(chr(choice(choice(SCALARS))) for _ in range(below(1, 6))),
        lambda: choice("aeiourstnlEZ-._,!?'\"") * below(1, 40),
    ]
    if tokens:
        parts.append(lambda: choice(tokens))
        parts.append(lambda: choice(tokens)[: below(1, 9)])
    return ["".join(choice(parts)() for _ in range(below(1, 14))) for _ in range(count)]


# --- stitch

def stitch(model: pathlib.Path, lines: list[str]) -> list[list[int]]:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([arguments.stitch, "tokenize", "--lines", "--model", model], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(name: str, model: pathlib.Path, judge: Tokenizer) -> None:
    if arguments.only not in name:
        return
    # Text never becomes a special token.
    judge.encode_special_tokens = True
    added = [token.content for token in judge.get_added_tokens_decoder().values()]
    different, shown, block = 0, "", 50_000
    for start in range(0, arguments.texts, block):
        lines = texts(min(block, arguments.texts - start), added, arguments.seed + start)
        expected = [encoding.ids for encoding in judge.encode_batch(lines, add_special_tokens=False)]
        try:
            found = stitch(model, lines)
        except RuntimeError as error:
            return report(name, False, str(error))
        for line, theirs, ours in zip(lines, expected, found, strict=True):
            if theirs != ours:
                different += 1
                if not shown or len(line) < len(shown[0]):
                    shown = (line, theirs, ours)
    detail = f"{arguments.texts - different:,} of {arguments.texts:,} texts as tokenizers {tokenizers.__version__}"
    if shown:
        detail += f"; {shown[0]!r}: {shown[1][:20]} there, {shown[2][:20]} here"
    report(name, different == 0, detail)


# --- Speed

def repeated(patterns: list[str], size: int) -> list[str]:
    """Text of this repository, over and over, in chunks of 10,000 characters."""
    text = "\n".join(file.read_text() for pattern in patterns for file in sorted(ROOT.glob(pattern)))
    text = (text * (size // len(text.encode()) + 1))[:size]
    return [text[start : start + 10_000] for start in range(0, len(text), 10_000)]


def children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def speed(name: str, model: pathlib.Path, judge: Tokenizer) -> None:
    """Processor time of both: of ours without what a text of one letter takes, the start and loading, but with reading and
    writing JSON; the best of three rounds in turns."""
    if arguments.only not in name or arguments.megabytes == 0:
        return
    judge.encode_special_tokens = True
    size = arguments.megabytes << 20
    cases = {
        "prose": repeated(["*.md", "docs/**/*.md"], size), "code": repeated(["Sources/**/*.swift", "Benchmarks/*.py"], size),
        "a word of one letter": ["a" * (1 << 20)],
    }
    for case, lines in cases.items():
        rounds = []
        for _ in range(3):
            start = children()
            stitch(model, ["a"])
            loaded = children()
            found = stitch(model, lines)
            ours = max(children() - loaded - (loaded - start), 1e-3)
            start = time.process_time()
            expected = [judge.encode(line, add_special_tokens=False).ids for line in lines]
            rounds.append((ours, time.process_time() - start))
        if found != expected:
            report(f"{name}, {case}", False, "other ids")
        (ours, theirs), megabytes = map(min, zip(*rounds)), sum(len(line.encode()) for line in lines) / 1e6
        print(
            f"      {name}, {case}: {megabytes / ours:.1f} MB/s, tokenizers {megabytes / theirs:.1f} MB/s, ratio {theirs / ours:.2f}",
            flush=True)


# --- GGUF

FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def metadata(path: pathlib.Path) -> dict:
    data = path.read_bytes()
    place = 24

    def value(kind: int):
        nonlocal place
        if kind == 8:
            (count,) = struct.unpack_from("<Q", data, place)
            place += 8 + count
            return data[place - count : place].decode("utf-8", "surrogateescape")
        if kind == 9:
            inner, count = struct.unpack_from("<IQ", data, place)
            place += 12
            if inner in FORMATS:
                numbers = struct.unpack_from(f"<{count}{FORMATS[inner]}", data, place)
                place += struct.calcsize(f"<{count}{FORMATS[inner]}")
                return list(numbers)
            return [value(inner) for _ in range(count)]
        (number,) = struct.unpack_from("<" + FORMATS[kind], data, place)
        place += struct.calcsize("<" + FORMATS[kind])
        return number

    result = {}
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        name = value(8)
        (kind,) = struct.unpack_from("<I", data, place)
        place += 4
        result[name] = value(kind)
    return {name.removeprefix("tokenizer.ggml."): found for name, found in result.items()}


def split(*patterns: str):
    return [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]


def byte_level(use_regex: bool):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK_LETTERS = r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+".replace(r"\u1f7d", "\u1f7d").replace(r"\u1fbe", "\u1fbe").replace(r"\u1fd3", "\u1fd3").replace(r"\u1fdb", "\u1fdb").replace(r"\u2126", "\u2126").replace(r"\u212a", "\u212a")
DEEPSEEK_IDEOGRAPHS = "[一-龥ࠀ-一가-\ud7ff]+"
DIGITS = pre_tokenizers.Digits(individual_digits=True)
# What the models' own tokenizer.json do before the merges.
STEPS = {
    "gpt-2": [byte_level(True)],
    "mpt": [byte_level(True)],
    "smollm": [DIGITS, byte_level(True)],
    "starcoder": [DIGITS, byte_level(True)],
    "refact": [DIGITS, byte_level(True)],
    "command-r": [DIGITS, byte_level(True)],
    "llama-bpe": [*split(LLAMA3), byte_level(False)],
    "qwen2": [*split(QWEN2), byte_level(False)],
    "qwen35": [*split(QWEN35), byte_level(False)],
    "falcon": [
        pre_tokenizers.Punctuation("contiguous"), byte_level(True), pre_tokenizers.Digits(individual_digits=False),
        *split("[0-9][0-9][0-9]"),
    ],
    "deepseek-coder": [*split("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_IDEOGRAPHS), DIGITS, byte_level(False)],
    "deepseek-llm": [
        *split("[\r\n]", DEEPSEEK_LETTERS, r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", DEEPSEEK_IDEOGRAPHS), DIGITS, byte_level(False)
    ],
}
# The ways to cut text whose speed is measured.
FAST = ["gpt-2", "smollm", "llama-bpe", "qwen2"]
COMPOSED = ["mpt", "command-r", "qwen2"]
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


def byte_level_judge(stored: dict) -> Tokenizer:
    kinds, tokens = stored["token_type"], stored["tokens"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    merges = [tuple(merge.split(" ")) for merge in stored["merges"]]
    judge = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=stored["pre"] == "llama-bpe"))
    judge.pre_tokenizer = pre_tokenizers.Sequence(STEPS[stored["pre"]])
    if stored["pre"] in COMPOSED:
        judge.normalizer = normalizers.NFC()
    judge.decoder = decoders.ByteLevel()
    add(judge, stored)
    return judge


def piece_judge(stored: dict) -> Tokenizer:
    """A SentencePiece vocabulary as converters write it: every pair of pieces that make a piece, by that one's score."""
    tokens, scores = stored["tokens"], stored["scores"]
    # What is looked for in text is not made by merging.
    vocabulary = {token: number for number, token in enumerate(tokens)}
    merges = []
    for token, number in vocabulary.items():
        if stored["token_type"][number] != NORMAL:
            continue
        pairs = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        pairs = [pair for pair in pairs if pair[0] in vocabulary and pair[1] in vocabulary]
        pairs.sort(key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
        merges += [(pair, scores[number]) for pair in pairs]
    merges.sort(key=lambda merge: merge[1], reverse=True)
    judge = Tokenizer(
        models.BPE(vocabulary, [pair for pair, _ in merges], unk_token=tokens[stored["unknown_token_id"]], fuse_unk=True, byte_fallback=True))
    judge.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    judge.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    add(judge, stored)
    return judge


def add(judge: Tokenizer, stored: dict) -> None:
    def tokens(kinds: list[int], special: bool) -> list[AddedToken]:
        return [
            AddedToken(token, special=special, normalized=False)
            for token, kind in zip(stored["tokens"], stored["token_type"]) if kind in kinds
        ]

    judge.add_special_tokens(tokens([CONTROL, UNKNOWN], True))
    judge.add_tokens(tokens([USER_DEFINED], False))


def own_texts(name: str, model: pathlib.Path) -> None:
    """The texts and ids that llama.cpp keeps beside a vocabulary."""
    source, expected = pathlib.Path(f"{model}.inp"), pathlib.Path(f"{model}.out")
    if not source.exists() or arguments.only not in name:
        return
    lines = source.read_bytes().decode().split("\n__ggml_vocab_test__\n")
    wanted = [[int(number) for number in line.split()] for line in expected.read_text().split("\n")]
    try:
        found = stitch(model, lines)
    except RuntimeError as error:
        return report(f"{name}, llama.cpp's texts", False, str(error))
    wrong = [(line, theirs, ours) for line, theirs, ours in zip(lines, wanted, found) if theirs != ours]
    detail = f"{len(lines) - len(wrong)} of {len(lines)}"
    if wrong:
        detail += f"; {wrong[0][0][:60]!r}: {wrong[0][1][:12]} there, {wrong[0][2][:12]} here"
    report(f"{name}, llama.cpp's texts", not wrong, detail)


# Of another kind, or older than files that say how text is cut.
REFUSED = {
    "aquila": "tokenizer.ggml.pre", "gpt-neox": "tokenizer.ggml.pre", "bert-bge": "“bert”", "nomic-bert-moe": "“t5”",
    "gemma-4": "“gemma4”",
}


def gguf(name: str, model: pathlib.Path, folder: pathlib.Path) -> None:
    if arguments.only not in name:
        return
    if (cause := REFUSED.get(name.removeprefix("ggml-vocab-"))) is not None:
        done = subprocess.run([arguments.stitch, "tokenize", "x", "--model", model], capture_output=True, text=True)
        lines = done.stderr.splitlines()
        good = done.returncode == 2 and len(lines) == 1 and cause in lines[0]
        return report(f"{name}, refused", good, done.stderr.strip())
    own_texts(name, model)
    stored = metadata(model)
    if stored["model"] == "llama":
        if "unknown_token_id" not in stored:
            return
        judge = piece_judge(stored)
    else:
        judge = byte_level_judge(stored)
        compare(name, model, judge)
        if stored["pre"] in FAST:
            speed(name, model, judge)
    judge.encode_special_tokens = False
    file = folder / name / "tokenizer.json"
    file.parent.mkdir()
    judge.save(str(file))
    compare(f"{name} as tokenizer.json", file, Tokenizer.from_file(str(file)))


def main() -> None:
    vocabularies = arguments.vocabularies
    if vocabularies is None:
        done = subprocess.run([HERE / "peers/llama_cpp.sh"], stdout=subprocess.PIPE, text=True)
        found = sorted(pathlib.Path(done.stdout.strip()).parent.parent.glob("*/vendor/llama.cpp/models")) if done.returncode == 0 else []
        if not found:
            print("llama.cpp's source could not be fetched", file=sys.stderr)
            sys.exit(2)
        vocabularies = found[0]
    for file in sorted(FIXTURES.glob("*/tokenizer.json")):
        compare(f"fixture {file.parent.name}", file.parent, Tokenizer.from_file(str(file)))
    with tempfile.TemporaryDirectory() as folder:
        for file in sorted(vocabularies.glob("ggml-vocab-*.gguf")) + [file for file in arguments.model if file.suffix == ".gguf"]:
            gguf(file.stem, file, pathlib.Path(folder))
    for file in arguments.model:
        if file.suffix == ".json":
            compare(str(file), file, Tokenizer.from_file(str(file)))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
