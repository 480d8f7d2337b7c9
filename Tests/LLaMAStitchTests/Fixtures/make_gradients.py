"""Writes the reference gradients that the training tests compare against.

Needs the pip packages torch, transformers (5.x), safetensors and numpy:

    python make_gradients.py        # writes gradients/ beside this file

Two random LLaMA models are stitched as small[0..<1] -> W x + b -> large[1..<3] out of
transformers' own decoder layers. Everything is computed in float64 and stored as F32; the same
network is run a second time in float32 with nothing in transformers changed, and the two must agree.

What is written to gradients/:
    small/, large/              the anchors, as Hugging Face model directories
    stitches.safetensors        the frozen stitching layer
    adapter.safetensors         LoRA, biases and the stitching layer's update, none of them zero
    gradients.safetensors       d loss / d adapter, under the same names
    gradients_all.safetensors   d loss / d base weights: small.*, large.*, and the bare stitch stitched.*
                                (a tied head and its embedding are one weight, embed_tokens)
    logits.safetensors          the logits of all four networks, [sequence, position, vocabulary]
    case.json                   tokens, target masks, route, rank, alpha and the four losses
"""

import contextlib
import json
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama

OUTPUT = Path(__file__).parent / "gradients"
STITCH = "small-large@1"
SMALL_BLOCKS = range(0, 1)
LARGE_BLOCKS = range(1, 3)
RANK, ALPHA = 4, 8
SCALE = ALPHA / RANK
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")

TOKENS = [
    [1, 17, 4, 29, 8, 8, 23, 11, 30, 5, 14, 2],
    [1, 9, 26, 3, 19, 12, 31, 6, 21, 10, 27, 2],
]
# 1 where the token itself is a target, predicted from the ones before it.
MASKS = [
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    [0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1],
]
EVERY_NEXT_TOKEN = [[0] + [1] * (len(row) - 1) for row in TOKENS]

COMMON = dict(vocab_size=32, head_dim=8, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=None)
SMALL = LlamaConfig(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=24,
    tie_word_embeddings=False, max_position_embeddings=64,
    rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, **COMMON)
# The wavelengths of this RoPE are 6, 20, 63 and 199 positions: with an original context of 32 the
# first is kept, the second interpolated, the others divided by the factor.
LARGE = LlamaConfig(
    hidden_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40,
    tie_word_embeddings=True, attention_bias=True, max_position_embeddings=128,
    rope_parameters={
        "rope_type": "llama3", "rope_theta": 100.0, "factor": 4.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 32}, **COMMON)


# Values


def random_anchor(config, directory):
    """A model with no degenerate weight, saved as F32."""
    model = LlamaForCausalLM(config).float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn_like(parameter) * 0.2
            parameter.copy_(1 + noise if name.endswith("norm.weight") else noise)
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    return model


def random_stitching_layer():
    return {
        "weight": torch.randn(LARGE.hidden_size, SMALL.hidden_size) * 0.25,
        "bias": torch.randn(LARGE.hidden_size) * 0.2,
    }


def random_adapter(small, large):
    """LoRA, biases and the stitching layer's update, under the names of the files."""
    values = {}

    def lora(prefix, outputs, inputs):
        values[f"{prefix}.lora_A"] = torch.randn(RANK, inputs) * 0.3
        values[f"{prefix}.lora_B"] = torch.randn(outputs, RANK) * 0.2

    for anchor, model, blocks in (("small", small, SMALL_BLOCKS), ("large", large, LARGE_BLOCKS)):
        # Scope `tail`: before the stitch the biases are the starting anchor's, after it the stitch's.
        owner = "" if anchor == "small" else f"stitches.{STITCH}."
        for block in blocks:
            for projection in PROJECTIONS:
                linear = getattr(model.model.layers[block].self_attn, projection)
                name = f"anchors.{anchor}.layers.{block}.self_attn.{projection}"
                lora(name, linear.out_features, linear.in_features)
                values[f"{owner}{name}.bias"] = torch.randn(linear.out_features) * 0.1
    lora(f"stitches.{STITCH}", LARGE.hidden_size, SMALL.hidden_size)
    values[f"stitches.{STITCH}.delta_bias"] = torch.randn(LARGE.hidden_size) * 0.1
    return values


# Networks


class AdaptedLinear(nn.Module):
    """base(x) + (alpha / r) B A x + bias, around a projection of transformers."""

    def __init__(self, base, lora_a, lora_b, bias):
        super().__init__()
        self.base, self.lora_a, self.lora_b, self.bias = base, lora_a, lora_b, bias

    def forward(self, x):
        return self.base(x) + SCALE * F.linear(F.linear(x, self.lora_a), self.lora_b) + self.bias


@contextlib.contextmanager
def adapted(small, large, adapter):
    """The anchors with their projections adapted; restored on the way out."""
    replaced = []
    for anchor, model, blocks in (("small", small, SMALL_BLOCKS), ("large", large, LARGE_BLOCKS)):
        owner = "" if anchor == "small" else f"stitches.{STITCH}."
        for block in blocks:
            attention = model.model.layers[block].self_attn
            for projection in PROJECTIONS:
                name = f"anchors.{anchor}.layers.{block}.self_attn.{projection}"
                base = getattr(attention, projection)
                replaced.append((attention, projection, base))
                setattr(attention, projection, AdaptedLinear(
                    base, adapter[f"{name}.lora_A"], adapter[f"{name}.lora_B"], adapter[f"{owner}{name}.bias"]))
    try:
        yield
    finally:
        for attention, projection, base in replaced:
            setattr(attention, projection, base)


@contextlib.contextmanager
def norms_in_the_dtype_of_their_input():
    """transformers casts to float32 inside RMSNorm, which in a float64 model throws precision away."""
    original = modeling_llama.LlamaRMSNorm.forward

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)

    modeling_llama.LlamaRMSNorm.forward = forward
    try:
        yield
    finally:
        modeling_llama.LlamaRMSNorm.forward = original


def run_blocks(model, blocks, x):
    length = x.shape[1]
    positions = torch.arange(length).unsqueeze(0)
    mask = torch.full((length, length), float("-inf"), dtype=x.dtype).triu(1)[None, None]
    rotary = model.model.rotary_emb(x, positions)
    for block in blocks:
        x = model.model.layers[block](
            x, attention_mask=mask, position_ids=positions, position_embeddings=rotary, use_cache=False)
    return x


def stitched_logits(small, large, stitching, tokens, update=None):
    x = run_blocks(small, SMALL_BLOCKS, small.model.embed_tokens(tokens))
    y = F.linear(x, stitching["weight"], stitching["bias"])
    if update is not None:
        y = y + SCALE * F.linear(F.linear(x, update["lora_A"]), update["lora_B"]) + update["delta_bias"]
    return large.lm_head(large.model.norm(run_blocks(large, LARGE_BLOCKS, y)))


def cross_entropy(logits, tokens, masks):
    """Mean over the masked targets of both sequences."""
    chosen = torch.tensor(masks)[:, 1:].bool()
    return F.cross_entropy(logits[:, :-1][chosen], tokens[:, 1:][chosen])


# Cases


def compute(dtype):
    """Losses, gradients and logits of the four networks, in `dtype`."""

    def load(name):
        return LlamaForCausalLM.from_pretrained(
            OUTPUT / name, dtype=torch.float32, attn_implementation="sdpa").to(dtype)

    def trainable(values):
        return {name: value.to(dtype).clone().requires_grad_() for name, value in values.items()}

    small, large = load("small"), load("large")
    adapter, stitching = trainable(ADAPTER), trainable(STITCHING)
    tokens = torch.tensor(TOKENS)
    losses, logits, everything = {}, {}, {}

    def finish(case, output, masks):
        loss = cross_entropy(output, tokens, masks)
        losses[case], logits[case] = loss.item(), output.detach()
        loss.backward()

    def take_base_gradients(prefix, model):
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                everything[f"{prefix}.{name}"] = parameter.grad
                parameter.grad = None

    finish("small", small(tokens, use_cache=False).logits, EVERY_NEXT_TOKEN)
    take_base_gradients("small", small)
    finish("large", large(tokens, use_cache=False).logits, EVERY_NEXT_TOKEN)
    take_base_gradients("large", large)
    finish("stitched", stitched_logits(small, large, stitching, tokens), EVERY_NEXT_TOKEN)
    take_base_gradients("stitched.small", small)
    take_base_gradients("stitched.large", large)
    everything |= {f"stitched.{name}": value.grad for name, value in stitching.items()}

    frozen = {name: value.detach() for name, value in stitching.items()}
    prefix = f"stitches.{STITCH}."
    update = {name: adapter[prefix + name] for name in ("lora_A", "lora_B", "delta_bias")}
    with adapted(small, large, adapter):
        finish("adapted", stitched_logits(small, large, frozen, tokens, update), MASKS)
    return losses, logits, {name: value.grad for name, value in adapter.items()}, everything


def assert_agree(exact, stock, what):
    assert exact.keys() == stock.keys(), what
    for name in exact:
        a, b = exact[name], stock[name].double()
        error = ((a - b).norm() / a.norm()).item()
        assert a.norm() > 1e-4 and error < 5e-5, f"{what} {name}: norm {a.norm():.2e}, relative error {error:.1e}"


def save(values, file):
    save_file({name: value.float().contiguous() for name, value in values.items()}, OUTPUT / file)


def write():
    global ADAPTER, STITCHING
    torch.manual_seed(20)
    torch.set_num_threads(1)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    ADAPTER = random_adapter(random_anchor(SMALL, OUTPUT / "small"), random_anchor(LARGE, OUTPUT / "large"))
    STITCHING = random_stitching_layer()

    with norms_in_the_dtype_of_their_input():
        losses, logits, gradients, everything = compute(torch.float64)
    _, stock_logits, stock_gradients, stock_everything = compute(torch.float32)
    assert_agree(logits, stock_logits, "logits")
    assert_agree(gradients, stock_gradients, "gradient")
    assert_agree(everything, stock_everything, "gradient")

    save(ADAPTER, "adapter.safetensors")
    save({f"stitches.{STITCH}.{name}": value for name, value in STITCHING.items()}, "stitches.safetensors")
    save(gradients, "gradients.safetensors")
    save(everything, "gradients_all.safetensors")
    save(logits, "logits.safetensors")
    case = {
        "tokens": TOKENS,
        "masks": MASKS,
        "route": {"id": STITCH, "l": SMALL_BLOCKS.stop, "m": LARGE_BLOCKS.start},
        "rank": RANK,
        "alpha": ALPHA,
        "losses": losses,
    }
    (OUTPUT / "case.json").write_text(json.dumps(case, indent=2) + "\n")
    for file in OUTPUT.rglob("*.safetensors"):
        file.chmod(0o644)
    for name, loss in losses.items():
        print(f"{name:9} {loss:.6f}")
    print(f"{sum(f.stat().st_size for f in OUTPUT.rglob('*') if f.is_file()) / 1e3:.0f} kB")


if __name__ == "__main__":
    write()
