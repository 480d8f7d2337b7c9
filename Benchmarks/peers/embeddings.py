"""The mean of the last hidden states of texts, of length 1, by transformers. Usage: embeddings.py MODEL, lists of token ids as
JSON on standard input; prints the vectors as JSON."""
import json
import sys

import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
vectors = []
with torch.no_grad():
    for tokens in json.load(sys.stdin):
        # After the last norm.
        states = model.base_model(torch.tensor([tokens])).last_hidden_state[0].double()
        mean = states.mean(0)
        vectors.append((mean / mean.norm()).tolist())
json.dump(vectors, sys.stdout)
