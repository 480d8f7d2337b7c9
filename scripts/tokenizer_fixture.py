#!/usr/bin/env python3
"""Writes Tests/TokenizerTests/Fixtures: BPE tokenizers, and the ids that Hugging Face's tokenizers gives texts.

Needs the package tokenizers. The vocabularies are trained on this repository's own documents.
"""
import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "Tests/TokenizerTests/Fixtures"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Not known by name: Mistral's later models.
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_level(use_regex: bool, add_prefix_space: bool = False):
    return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)


def split(pattern, behavior: str, invert: bool = False):
    return pre_tokenizers.Split(pattern, behavior, invert)


# The ways to cut text that have scanners of their own.
KNOWN = {
    "gpt2": byte_level(True),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
    "llama3": pre_tokenizers.Sequence([split(Regex(LLAMA3), "isolated"), byte_level(False)]),
    "qwen2": pre_tokenizers.Sequence([split(Regex(LLAMA3.replace("{1,3}", "")), "isolated"), byte_level(False)]),
}
# Steps one by one: normalizers, and what cuts text.
STEPS = {
    "tekken": (normalizers.NFC(), [split(Regex(TEKKEN), "isolated"), byte_level(False)]),
    "falcon": (
        None,
        [
            pre_tokenizers.Punctuation("contiguous"), byte_level(True), pre_tokenizers.Digits(individual_digits=False),
            split(Regex("[0-9][0-9][0-9]"), "isolated"),
        ],
    ),
    "behaviours": (
        normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s{4,}"), " ⏎ ")]),
        [
            split("ing", "merged_with_previous"), split(Regex("[aeiou]{2}"), "merged_with_next"),
            split(Regex(r"\p{P}"), "contiguous"), split(Regex("[^Q]+"), "removed", True), byte_level(False, True),
        ],
    ),
    "words": (
        normalizers.Sequence([normalizers.NFD(), normalizers.Strip()]),
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True), byte_level(False)],
    ),
    "spaces": (normalizers.NFKD(), [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(), byte_level(False)]),
}
# SentencePiece's kind: characters, ▁ for a space, bytes for what has no token.
PIECES = {
    "llama2": (normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None, True),
    "mistral": (None, pre_tokenizers.Metaspace("▁", "first", False), True),
    "metaspace": (None, pre_tokenizers.Metaspace("▁", "always", True), False),
}


def texts(count: int, more: list[str]) -> list[str]:
    """Words, code, numbers, runs of white space, and characters of every plane."""
    source = random.Random(19)
    words = (ROOT / "docs/method.md").read_text().split()
    parts = [
        lambda: source.choice(words),
        lambda: source.choice(["'s", "'LL", "I'm", "don't", "'Tis", "it’s", "ſ", "'ſ", "'re'"]),
        lambda: str(source.randrange(10 ** source.randrange(1, 9))),
        lambda: source.choice([" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u00a0", "\u2003", "\u0085"]),
        lambda: source.choice(["def f(x):", "{}", "!=", "->", "#include", "<|im_end|>", "<|x|>", "...", "“”", "▁", "<0x0A>"]),
        lambda: chr(source.choice([source.randrange(0x20, 0x7F), source.randrange(0xA0, 0xD800)])),
        lambda: chr(source.randrange(0x10000, 0x110000)),
        lambda: source.choice(["日本語", "नमस्ते", "العربية", "٣٤", "Ⅷ", "½", "🦀", "👩‍🚀", "é", "e\u0301", "ß", "Ǆ", "İ", "ﬁ", "Å"]),
        lambda: " " + source.choice(words),
        *([lambda: source.choice(more)] if more else []),
    ]
    return ["".join(source.choice(parts)() for _ in range(source.randrange(1, 12))) for _ in range(count)]


def digest_of_classes(splitting) -> str:
    """Of where a text ends its words that sets every character there is beside a letter, a number and a mark.

    FNV-1a in 64 bits, over the ends in characters, a text for each 256 characters."""
    digest = 0xCBF29CE484222325
    for page in range(0x1100):
        scalars = [chr(value) for value in range(page << 8, (page + 1) << 8) if not 0xD800 <= value < 0xE000]
        for _, (_, end) in splitting.pre_tokenize_str("".join(f"a{c}1{c}!{c}\n" for c in scalars)):
            digest = (digest ^ end) * 0x100000001B3 % (1 << 64)
    return f"{digest:016x}"


def write(name: str, tokenizer: Tokenizer, decodes: bool = True) -> None:
    """The tokenizer, texts with ids, and with what they decode to."""
    # Text that spells a special token is text.
    tokenizer.encode_special_tokens = True
    folder = TARGET / name
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values() if not token.special]
    normalized = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.normalized}
    lines = []
    for text in texts(400, added):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        line = {"text": text, "ids": ids}
        # The reference gives some added tokens as they were normalised, or takes them for spellings of bytes: not so here.
        if decodes and not normalized & set(ids):
            line["decoded"] = tokenizer.decode(ids, skip_special_tokens=True)
        lines.append(json.dumps(line, ensure_ascii=False))
    (folder / "texts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def trained(model, pre_tokenizer, normalizer, decoder, corpus: list[str], special: list[str], size: int = 480, alphabet=()) -> Tokenizer:
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    tokenizer.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False, initial_alphabet=list(alphabet), max_token_length=16))
    return tokenizer


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    corpus = [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    for name, splitting in KNOWN.items():
        tokenizer = trained(
            models.BPE(ignore_merges=name == "llama3"), splitting, None, decoders.ByteLevel(), corpus, SPECIAL, alphabet=alphabet)
        write(name, tokenizer)
        (TARGET / name / "classes.txt").write_text(digest_of_classes(splitting) + "\n")
    for name, (normalizer, steps) in STEPS.items():
        tokenizer = trained(
            models.BPE(), pre_tokenizers.Sequence(steps), normalizer, decoders.ByteLevel(), corpus, SPECIAL, alphabet=alphabet)
        tokenizer.add_tokens(
            [
                AddedToken("<think>", normalized=False), AddedToken("model", single_word=True, normalized=False),
                AddedToken("<l>", lstrip=True, normalized=False), AddedToken("<r>", rstrip=True, normalized=False),
                AddedToken("Stitch", normalized=True), AddedToken("Ångström", normalized=True), AddedToken("<think>r", normalized=False),
            ])
        write(name, tokenizer, decodes=False)
    bytes_of_text = [f"<0x{byte:02X}>" for byte in range(256)]
    for name, (normalizer, pre_tokenizer, falls_back) in PIECES.items():
        decoder = (
            decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
            if falls_back else decoders.Metaspace("▁", "always"))
        special = ["<unk>", "<s>", "</s>", *(bytes_of_text if falls_back else [])]
        # One line each: merges reach over spaces otherwise.
        lines = [word for text in corpus for word in text.split()]
        tokenizer = trained(
            models.BPE(unk_token="<unk>", fuse_unk=name != "metaspace", byte_fallback=falls_back), pre_tokenizer, normalizer, decoder, lines,
            special, size=600 if falls_back else 400)
        # Bytes are no special tokens: as files of such models have them.
        document = json.loads(tokenizer.to_str())
        document["added_tokens"] = [token for token in document["added_tokens"] if token["id"] < 3]
        tokenizer = Tokenizer.from_str(json.dumps(document))
        tokenizer.add_tokens([AddedToken("<mask>", normalized=True), AddedToken("<end>", rstrip=True, normalized=False)])
        write(name, tokenizer)


if __name__ == "__main__":
    main()
