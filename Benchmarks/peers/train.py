"""Training speed of PyTorch with transformers and PEFT: forward, backward and AdamW.

Needs the pip packages torch, transformers and peft (setup.sh installs them).
Prints one JSON line per case; a token is a position of the batch, whether it is a target or not.
"""

import json
import statistics
import time

import torch
from peft import LoraConfig, get_peft_model

from shapes import SHAPES, arguments, random_model

parser = arguments(__doc__.splitlines()[0])
parser.add_argument("--case", choices=["train-lora", "train-full"], action="append", help="default: both")
parser.add_argument("--rank", type=int, default=16)
parser.add_argument("--seconds", type=float, default=8, help="measured time per case, after two steps of warm-up")
options = parser.parse_args()
torch.set_num_threads(options.threads)
shape = SHAPES[options.shape]


def step_time(case):
    """The median time of one optimiser step."""
    model = random_model(shape, options.dtype)
    if case == "train-lora":
        model = get_peft_model(model, LoraConfig(
            r=options.rank, lora_alpha=2 * options.rank, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]))
    model.train()
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-4, fused=True)
    tokens = torch.randint(shape.vocabulary, (shape.sequences, shape.length))

    times, begin = [], None
    while True:
        start = time.perf_counter()
        model(input_ids=tokens, labels=tokens, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        end = time.perf_counter()
        times.append(end - start)
        if len(times) == 2:
            begin = end
        elif len(times) >= 5 and end - begin >= options.seconds:
            return statistics.median(times[2:])


for case in options.case or ["train-lora", "train-full"]:
    print(json.dumps({
        "suite": "train",
        "case": case,
        "shape": options.shape,
        "dtype": options.dtype,
        "tokens_per_second": shape.sequences * shape.length / step_time(case),
    }), flush=True)
