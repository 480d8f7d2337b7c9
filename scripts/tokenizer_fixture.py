#!/usr/bin/env python3
"""Writes Tests/TokenizerTests/Fixtures: byte-level BPE tokenizers, and the ids that Hugging Face's tokenizers gives texts.

Needs the package tokenizers. The vocabularies are trained on this repository's own documents.
"""
import json
import pathlib
import random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "Tests/TokenizerTests/Fixtures"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level(use_regex: bool):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


SPLITTINGS = {
    "gpt2": byte_level(True),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
    "llama3": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), byte_level(False)]),
    "qwen2": pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3.replace("{1,3}", "")), "isolated"), byte_level(False)]
    ),
}


def texts(count: int) -> list[str]:
    """Words, code, numbers, runs of white space, and characters of every plane."""
    source = random.Random(19)
    words = (ROOT / "docs/method.md").read_text().split()
    parts = [
        lambda: source.choice(words),
        lambda: source.choice(["'s", "'LL", "I'm", "don't", "'Tis", "it’s", "ſ", "'ſ", "'re'"]),
        lambda: str(source.randrange(10 ** source.randrange(1, 9))),
        lambda: source.choice([" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u00a0", "\u2003", "\u0085"]),
        lambda: source.choice(["def f(x):", "{}", "!=", "->", "#include", "<|im_end|>", "<|x|>", "...", "“”"]),
        lambda: chr(source.choice([source.randrange(0x20, 0x7F), source.randrange(0xA0, 0xD800)])),
        lambda: chr(source.randrange(0x10000, 0x110000)),
        lambda: source.choice(["日本語", "नमस्ते", "العربية", "٣٤", "Ⅷ", "½", "🦀", "👩‍🚀", "é", "e\u0301", "ß", "Ǆ"]),
        lambda: " " + source.choice(words),
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


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    corpus = [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))]
    for name, splitting in SPLITTINGS.items():
        tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
        tokenizer.pre_tokenizer = splitting
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=480, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        tokenizer.train_from_iterator(corpus, trainer)
        folder = TARGET / name
        folder.mkdir(exist_ok=True)
        (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
        lines = []
        for text in texts(400):
            # Text that spells a special token is text: tokenizers alone would take it for one.
            plain = text.replace("<|im_end|>", "<|im_end|")
            lines.append(json.dumps({"text": plain, "ids": tokenizer.encode(plain).ids}, ensure_ascii=False))
        (folder / "texts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "classes.txt").write_text(digest_of_classes(splitting) + "\n")


if __name__ == "__main__":
    main()
