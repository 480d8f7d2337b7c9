#!/usr/bin/env python3
"""Makes the tiny random models that ReferenceModelTests compares with, and what transformers computes for them.

Needs:  pip install torch transformers safetensors
Run:    python make_models.py [NAME …]   (writes the directories beside this file, or only these)

Each directory is a Hugging Face model plus `expected.json`: `tokens`, and `nll`, the negative log-likelihood of each
token but the first, computed by transformers in F32 from the stored weights; of one in BF16 also `nll_bfloat16`,
computed in BF16.
"""

import json
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, SmolLM3Config

HERE = pathlib.Path(__file__).parent / "models"
SMALL = dict(
    vocab_size=64,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    max_position_embeddings=128,
    rms_norm_eps=1e-5,
    initializer_range=0.35,
    bos_token_id=1,
    eos_token_id=2,
)


def make(
    name, length=40, dtype=torch.float32, old_rope=None, shards=None, edit=None, kind=LlamaConfig, gradients=False,
    **changes
):
    """One model directory. `old_rope` replaces rope_parameters by the older spelling; `gradients` writes those of every
    weight, of the mean negative log-likelihood."""
    if sys.argv[1:] and name not in sys.argv[1:]:
        return
    torch.manual_seed(sum(name.encode()))
    config = kind(**{**SMALL, **changes})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("bias"):
                parameter.normal_(std=0.3)
            elif "norm" in parameter_name:
                parameter.normal_(mean=1.0, std=0.2)
    model = model.to(dtype)
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory, **({"max_shard_size": shards} if shards else {}))
    (directory / "generation_config.json").unlink(missing_ok=True)
    for file in directory.glob("*.safetensors"):
        file.chmod(0o644)

    tokens = [1] + torch.randint(3, config.vocab_size, (length - 1,)).tolist()

    def nll(compute):
        with torch.no_grad():
            # Loaded anew: casting a model also rounds its rotary frequencies, which no checkpoint holds.
            model = AutoModelForCausalLM.from_pretrained(
                directory, dtype=compute, attn_implementation="eager").eval()
            logits = model(torch.tensor([tokens])).logits[0].double()
        return (-torch.log_softmax(logits[:-1], dim=-1)[range(length - 1), tokens[1:]]).tolist()

    expected = {"tokens": tokens, "nll": nll(torch.float32)}
    if dtype == torch.bfloat16:
        expected["nll_bfloat16"] = nll(torch.bfloat16)
    (directory / "expected.json").write_text(json.dumps(expected))
    if gradients:
        model.zero_grad()
        model(torch.tensor([tokens]), labels=torch.tensor([tokens])).loss.backward()
        save_file({key: value.grad for key, value in model.named_parameters()}, directory / "gradients.safetensors")
        (directory / "gradients.safetensors").chmod(0o644)

    path = directory / "config.json"
    written = json.loads(path.read_text())
    if old_rope is not None:
        written.pop("rope_parameters", None)
        written.update(old_rope)
    if edit:
        written.update(edit)
    path.write_text(json.dumps(written, indent=1) + "\n")


LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)

make("mha", hidden_size=32, intermediate_size=56)
make("gqa", num_key_value_heads=2, num_hidden_layers=3)
make("mqa-head-dim", head_dim=10, num_key_value_heads=1)
make("tied", tie_word_embeddings=True)
make("attention-bias", attention_bias=True)
make("mlp-bias", mlp_bias=True, attention_bias=True, hidden_size=20, num_attention_heads=2, num_key_value_heads=2)
make("rope-linear", rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=1000.0))
make(
    "rope-linear-old",
    rope_parameters=dict(rope_type="linear", factor=2.5, rope_theta=500.0),
    old_rope=dict(rope_theta=500.0, rope_scaling={"type": "linear", "factor": 2.5}),
)
make("rope-llama3", length=100, head_dim=16, num_attention_heads=2, num_key_value_heads=2, rope_parameters=dict(rope_type="llama3", rope_theta=5000.0, **LLAMA3))
make(
    "rope-llama3-old",
    length=100,
    head_dim=16,
    num_attention_heads=2,
    num_key_value_heads=1,
    rope_parameters=dict(rope_type="llama3", rope_theta=5000.0, **LLAMA3),
    old_rope=dict(rope_theta=5000.0, rope_scaling={"rope_type": "llama3", **LLAMA3}),
)
make(
    "theta-old",
    rope_parameters=dict(rope_type="default", rope_theta=300.0),
    old_rope=dict(rope_theta=300.0, rope_scaling=None),
)
make("float16", dtype=torch.float16)
make("bfloat16", dtype=torch.bfloat16, num_key_value_heads=2)
make("sharded", shards="20KB", edit={"eos_token_id": [2, 3]})

YARN = dict(rope_theta=1000.0, factor=4.0, original_max_position_embeddings=32)
TABLE = [1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0]
WIDE = dict(head_dim=16, num_attention_heads=2, num_key_value_heads=2)
# Within its context, a dynamic scaling is none.
make("rope-dynamic", rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=300.0))
make("rope-yarn", length=100, gradients=True, rope_parameters=dict(rope_type="yarn", **YARN), **WIDE)
OLD_YARN = dict(factor=4.0, original_max_position_embeddings=16, beta_fast=8.0, beta_slow=2.0, mscale=0.7, mscale_all_dim=0.4)
make(
    "rope-yarn-old",
    length=100,
    rope_parameters=dict(rope_type="yarn", rope_theta=100.0, truncate=False, **OLD_YARN),
    old_rope=dict(rope_theta=100.0, rope_scaling={"type": "yarn", "truncate": False, **OLD_YARN}),
    **WIDE,
)
make(
    "rope-longrope",
    length=100,
    rope_parameters=dict(
        rope_type="longrope", rope_theta=100.0, short_factor=TABLE, long_factor=TABLE, factor=4.0,
        original_max_position_embeddings=32),
    **WIDE,
)
# The context ends with the window, and so does the text.
make("mistral", kind=MistralConfig, length=16, head_dim=10, num_key_value_heads=2, sliding_window=16)
make("qwen2", kind=Qwen2Config, gradients=True, num_key_value_heads=2, tie_word_embeddings=True, eos_token_id=[2, 5])
make("smollm3", kind=SmolLM3Config, gradients=True, num_hidden_layers=4, num_key_value_heads=2, no_rope_layer_interval=2,
     pad_token_id=None, rope_parameters=dict(rope_type="default", rope_theta=5000.0))
