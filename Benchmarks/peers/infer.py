"""Inference speed of transformers: a prompt of 256 tokens, then 64 tokens one by one, greedily.

Needs the pip packages torch and transformers (setup.sh installs them).
Prints one JSON line per case. Decoding is measured through `generate` and through a loop with
nothing else in it; the faster of the two counts, and `how` says which it was.
"""

import json
import statistics
import time

import torch
from transformers import DynamicCache

from shapes import SHAPES, arguments, random_model

PROMPT, REPLY = 256, 64

parser = arguments(__doc__.splitlines()[0])
parser.add_argument("--seconds", type=float, default=3, help="measured time per figure, after one warm-up")
options = parser.parse_args()
torch.set_num_threads(options.threads)
shape = SHAPES[options.shape]
model = random_model(shape, options.dtype).eval()
prompt = torch.randint(shape.vocabulary, (1, PROMPT))


def prefill():
    """The first token of the reply and the cache; only the last position needs logits."""
    cache = DynamicCache(config=model.config)
    logits = model(input_ids=prompt, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    return logits[:, -1:].argmax(-1), cache


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def loop_decode():
    token, cache = prefill()

    def decode():
        nonlocal token
        for _ in range(REPLY):
            token = model(input_ids=token, past_key_values=cache, use_cache=True).logits.argmax(-1)

    return seconds(decode)


def generate_decode():
    def generate(count):
        model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=count, do_sample=False, eos_token_id=None,
            pad_token_id=0)

    # What the prompt and the set-up cost is in both.
    return seconds(lambda: generate(REPLY + 1)) - seconds(lambda: generate(1))


def median(measure):
    measure()
    times, begin = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < options.seconds:
        times.append(measure())
    return statistics.median(times)


def report(case, tokens_per_second, **more):
    print(json.dumps({
        "suite": "infer", "case": case, "shape": options.shape, "dtype": options.dtype,
        "tokens_per_second": tokens_per_second, **more}), flush=True)


with torch.inference_mode():
    report("prefill", PROMPT / median(lambda: seconds(prefill)))
    decode = {"loop": REPLY / median(loop_decode), "generate": REPLY / median(generate_decode)}
    how = max(decode, key=decode.get)
    report("decode", decode[how], how=how)
