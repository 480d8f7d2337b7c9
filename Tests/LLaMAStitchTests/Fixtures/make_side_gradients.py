#!/usr/bin/env python3
"""Writes the reference gradients of side networks (lst, unipt, sherl) that the training tests compare against.

Needs the pip packages torch, transformers (5.x), safetensors and numpy, and gradients/ of make_gradients.py:

    python make_side_gradients.py            # writes side/ beside this file
    python make_side_gradients.py --check    # computes them again and compares; exit code 1: something differs

The route is the one of make_gradients.py, small[0..<1] -> W x + b -> large[1..<3], out of transformers' own decoder
layers, in float64. What runs beside it is written here as the papers and their authors' code have it, for a decoder:
attention over earlier tokens alone, and means over them. Side networks have 16 columns and read after every block.

What is written to side/:
    lst.safetensors, ...              the side network, no value zero
    lst-gradients.safetensors, ...    d loss / d side network, under the same names
    case.json                         the losses
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

import make_gradients as case

OUTPUT = Path(__file__).parent / "side"
WIDTH, INTERMEDIATE, HEAD = 16, 32, 16
EPSILON = 1e-5
TEMPERATURE = 0.1
LEAST = 1e-6
SMALL, LARGE = case.SMALL.hidden_size, case.LARGE.hidden_size
# What is read, in order: the embedding, and the state after each block.
READ = [("small", SMALL, "anchors.small.layers.0"), ("large", LARGE, "anchors.large.layers.1"), ("large", LARGE, "anchors.large.layers.2")]
NARROW = LlamaConfig(
    vocab_size=32, hidden_size=WIDTH, intermediate_size=INTERMEDIATE, num_hidden_layers=1, num_attention_heads=WIDTH // HEAD,
    num_key_value_heads=WIDTH // HEAD, head_dim=HEAD, rms_norm_eps=EPSILON, max_position_embeddings=128,
    rope_parameters=case.LARGE.rope_parameters, attn_implementation="sdpa")
PROJECTIONS = {
    "q_proj": "self_attn", "k_proj": "self_attn", "v_proj": "self_attn", "o_proj": "self_attn", "gate_proj": "mlp",
    "up_proj": "mlp", "down_proj": "mlp"}


def unit(x):
    """Over its root mean square."""
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON)


# Ladder side tuning (arXiv 2206.06522)


def narrow_shapes():
    layer = LlamaDecoderLayer(NARROW, 0)
    return {name: tuple(getattr(getattr(layer, part), name).weight.shape) for name, part in PROJECTIONS.items()}


def lst_values():
    values = {"anchors.small.side.entry": (WIDTH, SMALL), "anchors.large.side.norm": (WIDTH,), "anchors.large.side.exit": (LARGE, WIDTH)}
    for _, hidden, place in READ:
        values |= {f"{place}.side.down": (WIDTH, hidden), f"{place}.side.gate": (1,)}
        values |= {f"{place}.side.attention_norm": (WIDTH,), f"{place}.side.mlp_norm": (WIDTH,)}
        values |= {f"{place}.side.{name}": shape for name, shape in narrow_shapes().items()}
    return values


def narrow_block(values, place, x):
    """transformers' own block, of the side network's weights."""
    layer = LlamaDecoderLayer(NARROW, 0).to(x.dtype)
    names = {f"{part}.{name}.weight": values[f"{place}.side.{name}"] for name, part in PROJECTIONS.items()}
    names["input_layernorm.weight"] = values[f"{place}.side.attention_norm"]
    names["post_attention_layernorm.weight"] = values[f"{place}.side.mlp_norm"]
    length = x.shape[1]
    positions = torch.arange(length).unsqueeze(0)
    mask = torch.full((length, length), float("-inf"), dtype=x.dtype).triu(1)[None, None]
    rotary = LlamaRotaryEmbedding(NARROW)(x, positions)
    return torch.func.functional_call(
        layer, names, (x,), {"attention_mask": mask, "position_ids": positions, "position_embeddings": rotary, "use_cache": False})


def lst(values, blocks, x):
    state = F.linear(unit(x), values["anchors.small.side.entry"])
    for block, (_, _, place) in zip(blocks, READ):
        x = block(x)
        mu = torch.sigmoid(values[f"{place}.side.gate"] / TEMPERATURE)
        state = narrow_block(values, place, mu * F.linear(unit(x), values[f"{place}.side.down"]) + (1 - mu) * state)
    return x + F.linear(values["anchors.large.side.norm"] * unit(state), values["anchors.large.side.exit"])


# UniPT (arXiv 2308.14316)


def unipt_values():
    values = {"anchors.small.side.entry": (WIDTH, SMALL), "anchors.small.side.entry_norm": (WIDTH,)}
    for _, hidden, place in READ:
        values |= {f"{place}.side.down": (WIDTH, hidden), f"{place}.side.norm": (WIDTH,)}
    return values | {
        "anchors.large.side.confidence": (WIDTH,), "anchors.large.side.projection": (WIDTH, WIDTH),
        "anchors.large.side.projection_norm": (WIDTH,), "anchors.large.side.exit": (LARGE, WIDTH)}


def unipt(values, blocks, x):
    def reduced(x, down, norm):
        return values[norm] * unit(F.linear(unit(x), values[down]))

    features = [reduced(x, "anchors.small.side.entry", "anchors.small.side.entry_norm")]
    for block, (_, _, place) in zip(blocks, READ):
        x = block(x)
        features.append(reduced(x, f"{place}.side.down", f"{place}.side.norm"))
    guide = features.pop()
    counts = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[None, :, None]
    means = lambda z: z.cumsum(1) / counts
    merged, confidence = [], []
    for z in features:
        scores = torch.relu(guide @ z.transpose(1, 2)).tril()
        weights = scores / (scores.abs().sum(-1, keepdim=True) + LEAST)
        merged.append(weights @ z + z)
        confidence.append((means(guide) * means(z)) @ values["anchors.large.side.confidence"])
    confidence = torch.softmax(torch.stack(confidence), dim=0)
    whole = (torch.stack(merged) * confidence[..., None]).sum(0)
    out = guide + values["anchors.large.side.projection_norm"] * unit(F.linear(whole, values["anchors.large.side.projection"]))
    return x + F.linear(torch.relu(out), values["anchors.large.side.exit"])


# SHERL (arXiv 2407.07523)


def sherl_values():
    values = {
        "anchors.small.side.entry": (WIDTH, SMALL), "anchors.small.side.entry_mixing": (WIDTH, WIDTH),
        "anchors.small.side.entry_opening": (WIDTH, WIDTH)}
    for _, hidden, place in READ[:-1]:
        values |= {
            f"{place}.side.down": (WIDTH, hidden), f"{place}.side.mixing": (WIDTH, WIDTH), f"{place}.side.opening": (WIDTH, WIDTH)}
    return values | {
        "anchors.large.side.weighing": (WIDTH,), "anchors.large.side.keep": (1,), "anchors.large.side.exit": (LARGE, WIDTH)}


def sherl(values, blocks, x):
    def reduced(x, down, mixing, opening):
        y = torch.relu(F.linear(unit(x), values[down]))
        return (F.linear(y, values[mixing]) + y) * torch.sigmoid(F.linear(y, values[opening]))

    entry = "anchors.small.side.entry"
    features = [reduced(x, entry, f"{entry}_mixing", f"{entry}_opening")]
    for block, (_, _, place) in zip(blocks[:-1], READ):
        x = block(x)
        features.append(reduced(x, f"{place}.side.down", f"{place}.side.mixing", f"{place}.side.opening"))
    guide = features.pop()
    early = torch.stack(features, dim=2)
    directions = early / (early.pow(2).sum(-1, keepdim=True).sqrt() + LEAST)
    redundancy = torch.relu(directions @ directions.transpose(-1, -2)).sum(-1)
    weights = torch.relu((early * guide[:, :, None]) @ values["anchors.large.side.weighing"]) / (redundancy + LEAST)
    weights = weights / (weights.abs().sum(-1, keepdim=True) + LEAST)
    out = (weights[..., None] * early).sum(2) + guide
    kept = 1 + torch.tanh(values["anchors.large.side.keep"] / TEMPERATURE)
    return blocks[-1](kept * x + F.linear(torch.relu(out), values["anchors.large.side.exit"]))


METHODS = {"lst": (lst_values, lst), "unipt": (unipt_values, unipt), "sherl": (sherl_values, sherl)}


def random_values(shapes):
    """Norms about 1, gates about 0, the rest about as large as it is when it has been trained."""
    def values(name, shape):
        noise = torch.randn(shape)
        if name.endswith("norm"):
            return 1 + 0.2 * noise
        return 0.05 * noise if shape == (1,) else noise * 1.5 / shape[-1] ** 0.5

    return {name: values(name, shape) for name, shape in shapes.items()}


def compute(name, values):
    """The loss and the gradients of a side network, in float64."""
    def load(anchor):
        return LlamaForCausalLM.from_pretrained(
            case.OUTPUT / anchor, dtype=torch.float32, attn_implementation="sdpa").to(torch.float64)

    small, large = load("small"), load("large")
    layer = {key.rsplit(".", 1)[1]: value.double() for key, value in load_file(case.OUTPUT / "stitches.safetensors").items()}
    values = {key: value.double().requires_grad_() for key, value in values.items()}
    tokens = torch.tensor(case.TOKENS)
    blocks = [
        lambda x: case.run_blocks(small, case.SMALL_BLOCKS, x),
        lambda x: case.run_blocks(large, [1], F.linear(x, layer["weight"], layer["bias"])),
        lambda x: case.run_blocks(large, [2], x)]
    with case.norms_in_the_dtype_of_their_input():
        logits = large.lm_head(large.model.norm(METHODS[name][1](values, blocks, small.model.embed_tokens(tokens))))
        loss = case.cross_entropy(logits, tokens, case.MASKS)
        loss.backward()
    return loss.item(), {key: value.grad for key, value in values.items()}


def write():
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    losses = {}
    for name, (shapes, _) in METHODS.items():
        values = random_values(shapes())
        losses[name], gradients = compute(name, values)
        for what, tensors in (("", values), ("-gradients", gradients)):
            file = OUTPUT / f"{name}{what}.safetensors"
            save_file({key: value.float().contiguous() for key, value in tensors.items()}, file)
            file.chmod(0o644)
        print(f"{name:6} {losses[name]:.6f}")
    (OUTPUT / "case.json").write_text(json.dumps({"losses": losses}, indent=2) + "\n")


def check():
    """Whether what is written is what PyTorch computes."""
    losses, wrong = json.loads((OUTPUT / "case.json").read_text())["losses"], 0
    for name in METHODS:
        loss, gradients = compute(name, load_file(OUTPUT / f"{name}.safetensors"))
        written = load_file(OUTPUT / f"{name}-gradients.safetensors")
        errors = [((gradients[key] - written[key]).norm() / gradients[key].norm()).item() for key in gradients]
        ok = written.keys() == gradients.keys() and abs(loss - losses[name]) < 1e-6 and max(errors) < 1e-5
        wrong += not ok
        print(f"{'ok  ' if ok else 'FAIL'}  {name}: loss {loss:.6f}, {len(errors)} gradients, largest relative difference {max(errors):.1e}")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    torch.manual_seed(21)
    torch.set_num_threads(1)
    if arguments.check:
        sys.exit(1 if check() else 0)
    write()
