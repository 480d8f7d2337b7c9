"""Writes the reference gradients of what `--update` trains besides low-rank updates, beside those of make_gradients.py.

Needs the pip packages torch, transformers (5.x) and safetensors:

    python make_updates.py          # writes updates/ beside this file, over the model in gradients/large

The model is run by transformers in float64, each kind of update as its paper has it: sums of Kronecker products are made
with torch.kron, prefixes are given as a cache of keys and values, with the positions of the text behind them, as PEFT
gives them to LLaMAs.

    updates/values.safetensors      what is trained, none of it zero: KIND.NAME
    updates/gradients.safetensors   d loss / d values, under the same names
    updates/case.json               tokens, target masks, scales and the losses
"""
import json
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from transformers import DynamicCache, LlamaForCausalLM
from transformers.models.llama import modeling_llama

FOLDER = Path(__file__).parent
OUTPUT = FOLDER / "updates"
TOKENS = [[1, 17, 4, 29, 8, 8, 23, 11, 30, 5, 14, 2], [1, 9, 26, 3, 19, 12, 31, 6, 21, 10, 27, 2]]
MASKS = [[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1]]
FACTOR, EXPERTS, RANK, KRONECKER_SCALE = 4, 3, 2, 0.5
WIDTH, PARALLEL_SCALE = 5, 2.0
PREFIX = 3
PROMPT, POSITIONS, PROMPT_RANK = 4, 7, 3

torch.manual_seed(21)
torch.set_num_threads(1)


def norm(self, x):
    """transformers casts to float32 inside RMSNorm, which in a float64 model throws precision away."""
    return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)


modeling_llama.LlamaRMSNorm.forward = norm


def load():
    model = LlamaForCausalLM.from_pretrained(FOLDER / "gradients/large", dtype=torch.float32, attn_implementation="eager")
    return model.double().requires_grad_(False)


def random(*shape, spread=0.3):
    # What is stored is what is computed with.
    return (torch.randn(*shape) * spread).float().double().requires_grad_()


def loss(logits):
    tokens, chosen = torch.tensor(TOKENS), torch.tensor(MASKS)[:, 1:].bool()
    return F.cross_entropy(logits[:, :-1][chosen], tokens[:, 1:][chosen])


class Kronecker(nn.Module):
    def __init__(self, base, s, u, v):
        super().__init__()
        self.base, self.s, self.u, self.v = base, s, u, v

    def forward(self, x):
        change = 0
        for expert in range(EXPERTS):
            ranks = slice(expert * RANK, (expert + 1) * RANK)
            change = change + torch.kron(
                self.s[expert * FACTOR:(expert + 1) * FACTOR], self.u[:, ranks] @ self.v[ranks])
        return self.base(x) + KRONECKER_SCALE * F.linear(x, change)


class Parallel(nn.Module):
    def __init__(self, base, down, down_bias, up, up_bias):
        super().__init__()
        self.base, self.parts = base, (down, down_bias, up, up_bias)

    def forward(self, x):
        down, down_bias, up, up_bias = self.parts
        return self.base(x) + PARALLEL_SCALE * F.linear(F.relu(F.linear(x, down, down_bias)), up, up_bias)


def alore(model, tokens):
    values = {}
    for index, layer in enumerate(model.model.layers):
        for part in (layer.self_attn, layer.mlp):
            for name, linear in list(part.named_children()):
                if not isinstance(linear, nn.Linear):
                    continue
                s, u, v = (random(EXPERTS * FACTOR, FACTOR), random(linear.out_features // FACTOR, EXPERTS * RANK),
                           random(EXPERTS * RANK, linear.in_features // FACTOR))
                values |= {f"{index}.{name}.S": s, f"{index}.{name}.U": u, f"{index}.{name}.V": v}
                setattr(part, name, Kronecker(linear, s, u, v))
    return values, model(tokens, use_cache=False).logits


def parallel(model, tokens):
    values = {}
    hidden = model.config.hidden_size
    for index, layer in enumerate(model.model.layers):
        own = {"down": random(WIDTH, hidden), "down_bias": random(WIDTH), "up": random(hidden, WIDTH), "up_bias": random(hidden)}
        values |= {f"{index}.{name}": value for name, value in own.items()}
        layer.mlp = Parallel(layer.mlp, *own.values())
    return values, model(tokens, use_cache=False).logits


def prefix(model, tokens):
    config, values, cache = model.config, {}, DynamicCache()
    for index in range(config.num_hidden_layers):
        for name in ("keys", "values"):
            values[f"{index}.{name}"] = random(PREFIX, config.num_key_value_heads * config.head_dim, spread=1)

        def heads(name):
            value = values[f"{index}.{name}"].view(PREFIX, config.num_key_value_heads, config.head_dim)
            return value.transpose(0, 1).expand(len(tokens), -1, -1, -1)

        cache.update(heads("keys"), heads("values"), index)
    length = tokens.shape[1]
    output = model(
        tokens, past_key_values=cache, use_cache=True, attention_mask=torch.ones(len(tokens), PREFIX + length),
        position_ids=torch.arange(PREFIX, PREFIX + length).expand(len(tokens), -1))
    return values, output.logits


def dept(model, tokens):
    hidden = model.config.hidden_size
    values = {
        "embeddings": random(PROMPT, hidden), "positions": random(POSITIONS, PROMPT_RANK), "update": random(hidden, PROMPT_RANK)}
    embedded = model.model.embed_tokens(tokens)
    change = values["positions"] @ values["update"].T
    change = F.pad(change, (0, 0, 0, max(0, tokens.shape[1] - POSITIONS)))[:tokens.shape[1]]
    prompt = values["embeddings"].expand(len(tokens), -1, -1)
    logits = model(inputs_embeds=torch.cat([prompt, embedded + change], 1), use_cache=False).logits
    return values, logits[:, PROMPT:]


all_values, gradients, losses = {}, {}, {}
for kind in (alore, parallel, prefix, dept):
    name = kind.__name__
    values, logits = kind(load(), torch.tensor(TOKENS))
    found = loss(logits)
    found.backward()
    losses[name] = found.item()
    for part, value in values.items():
        assert value.grad.norm() > 1e-5, part
        all_values[f"{name}.{part}"], gradients[f"{name}.{part}"] = value.detach(), value.grad
    print(f"{name:9} {losses[name]:.6f}  {len(values)} tensors")

shutil.rmtree(OUTPUT, ignore_errors=True)
OUTPUT.mkdir()
for file, values in (("values", all_values), ("gradients", gradients)):
    save_file({name: value.float().contiguous() for name, value in values.items()}, OUTPUT / f"{file}.safetensors")
    (OUTPUT / f"{file}.safetensors").chmod(0o644)
case = {
    "tokens": TOKENS, "masks": MASKS, "losses": losses, "kronecker_scale": KRONECKER_SCALE, "parallel_scale": PARALLEL_SCALE}
(OUTPUT / "case.json").write_text(json.dumps(case, indent=2) + "\n")
