"""The shapes measured; `stitch bench --shape NAME` knows the same names.

Needs the pip packages torch and transformers.
"""

import argparse
from dataclasses import dataclass

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging


@dataclass(frozen=True)
class Shape:
    width: int
    blocks: int
    heads: int
    kv_heads: int
    feed_forward: int
    vocabulary: int
    # One training batch.
    sequences: int
    length: int


SHAPES = {
    "8M": Shape(256, 8, 8, 8, 688, 4096, sequences=8, length=128),
    "large": Shape(192, 8, 6, 6, 512, 768, sequences=8, length=256),
    "134M": Shape(768, 12, 12, 12, 2048, 32000, sequences=4, length=128),
}
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def random_model(shape, dtype):
    """A LLaMA of this shape with random weights and an output head of its own."""
    logging.set_verbosity_error()
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=shape.width, num_hidden_layers=shape.blocks, num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads, intermediate_size=shape.feed_forward, vocab_size=shape.vocabulary,
        tie_word_embeddings=False, max_position_embeddings=2048, attn_implementation="sdpa")
    return LlamaForCausalLM(config).to(DTYPES[dtype])
