#!/usr/bin/env python3
"""Writes Tests/LLaMAStitchTests/Fixtures/gguf with the package gguf, which GGML's own converters use.

types.gguf      a tensor of every type that is read, named after it, with random bits and scales at the edges of what a
                half can be; beside it, as `TYPE.values`, what gguf makes of it
tiny.gguf       a LLaMA of two blocks with a small vocabulary, in Q8_0
tiny-0000N-of-00003.gguf    the same in parts
odd.gguf        the same with numbers in every width, flags that are numbers, more rows than tokens, frequencies divided by
                a table, a token that ends turns, and ways to sample

Needs the packages gguf and numpy.
"""
import pathlib

import gguf
import numpy

TARGET = pathlib.Path(__file__).resolve().parent.parent / "Tests/LLaMAStitchTests/Fixtures/gguf"
TYPES = gguf.GGMLQuantizationType
ROWS, COLUMNS = 6, 256

# Zeros, the least subnormal and normal numbers, ones, the largest, and some between, of either sign.
HALVES = [0x0000, 0x0001, 0x03FF, 0x0400, 0x2E66, 0x3C00, 0x7BFF]
HALVES += [half | 0x8000 for half in HALVES]

# Where in a block halves lie.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
}


def random_bits(name: str, random: numpy.random.Generator) -> numpy.ndarray:
    """The bytes of a tensor, row by row."""
    kind = TYPES[name]
    length, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (ROWS * COLUMNS // length, size), dtype=numpy.uint8)
    for index, block in enumerate(blocks):
        for number, place in enumerate(SCALES.get(name, [])):
            half = HALVES[(index * (1 + 2 * number) + 5 * number) % len(HALVES)]
            block[place:place + 2] = half & 0xFF, half >> 8
    if name in ("F32", "F16", "BF16"):
        # No infinities, and nothing that is no number: those have bits of their own on every machine.
        infinite = ~numpy.isfinite(gguf.dequantize(blocks.reshape(1, -1), kind)[0])
        blocks[infinite] = 0
    return blocks.reshape(ROWS, -1)


def write_types() -> None:
    writer = gguf.GGUFWriter(TARGET / "types.gguf", "llama")
    for number, name in enumerate(["F32", "F16", "BF16", *SCALES]):
        bits = random_bits(name, numpy.random.default_rng(number))
        writer.add_tensor(name, bits, raw_dtype=TYPES[name])
        writer.add_tensor(f"{name}.values", gguf.dequantize(bits, TYPES[name]).astype(numpy.float32))
    finish(writer)


KINDS = gguf.GGUFValueType
# By the end of a key: what a number is stored as in odd.gguf.
WIDTHS = {
    "context_length": KINDS.UINT64, "embedding_length": KINDS.INT32, "feed_forward_length": KINDS.INT64,
    "block_count": KINDS.UINT8, "head_count": KINDS.INT8, "head_count_kv": KINDS.UINT16, "dimension_count": KINDS.INT16,
    "bos_token_id": KINDS.UINT8, "eos_token_id": KINDS.INT64, "eot_token_id": KINDS.INT16,
    "layer_norm_rms_epsilon": KINDS.FLOAT64,
}


class OddWriter(gguf.GGUFWriter):
    """Writes every number in a width of its own."""

    def add_key_value(self, key, val, vtype, sub_type=None):
        super().add_key_value(key, val, WIDTHS.get(key.rsplit(".", 1)[-1], vtype), sub_type)


def write_model(path: pathlib.Path, is_odd: bool = False, **split) -> None:
    hidden, heads, inner, blocks, pieces = 32, 4, 64, 2, 40
    random = numpy.random.default_rng(1)
    writer = (OddWriter if is_odd else gguf.GGUFWriter)(path, "llama", **split)
    writer.add_name("tiny")
    writer.add_context_length(64)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_block_count(blocks)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_tokenizer_model("llama")
    letters = [chr(code) for code in range(ord("a"), ord("a") + pieces - 4)]
    writer.add_token_list(["<unk>", "<s>", "</s>", "▁"] + letters)
    writer.add_token_scores([0.0, 0.0, 0.0] + [-float(rank) for rank in range(pieces - 3)])
    writer.add_token_types([2, 3, 3] + [1] * (pieces - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    if is_odd:
        writer.add_eot_token_id(5)
        writer.add_key_value("tokenizer.ggml.add_space_prefix", 0, KINDS.UINT8)
        writer.add_key_value("general.sampling.temp", 0.5, KINDS.FLOAT32)
        writer.add_key_value("general.sampling.top_k", 7, KINDS.INT32)
        writer.add_tensor("rope_freqs.weight", numpy.array([1, 1, 2, 4], dtype=numpy.float32))
    rows = pieces + (8 if is_odd else 0)

    def matrix(name: str, rows: int, columns: int) -> None:
        values = random.standard_normal((rows, columns), dtype=numpy.float32) / numpy.float32(columns**0.5)
        writer.add_tensor(f"{name}.weight", gguf.quantize(values, TYPES.Q8_0), raw_dtype=TYPES.Q8_0)

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", 1 + numpy.float32(0.2) * random.standard_normal(hidden, dtype=numpy.float32))

    matrix("token_embd", rows, hidden)
    for block in range(blocks):
        norm(f"blk.{block}.attn_norm")
        for name in ("q", "k", "v", "output"):
            matrix(f"blk.{block}.attn_{name}", hidden, hidden)
        norm(f"blk.{block}.ffn_norm")
        matrix(f"blk.{block}.ffn_gate", inner, hidden)
        matrix(f"blk.{block}.ffn_up", inner, hidden)
        matrix(f"blk.{block}.ffn_down", hidden, inner)
    norm("output_norm")
    matrix("output", rows, hidden)
    finish(writer)


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    write_types()
    write_model(TARGET / "tiny.gguf")
    write_model(TARGET / "tiny.gguf", split_max_tensors=8)
    write_model(TARGET / "odd.gguf", is_odd=True)
