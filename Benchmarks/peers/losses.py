"""Losses of a text's tokens by transformers: MODEL [PEFT-ADAPTER], token ids as JSON on standard input; JSON out."""
import json
import sys

import torch
from transformers import AutoModelForCausalLM

torch.set_num_threads(2)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
if len(sys.argv) > 2:
    from peft import PeftModel

    model = PeftModel.from_pretrained(model, sys.argv[2])
model.eval()
tokens = torch.tensor([[model.config.bos_token_id] + json.load(sys.stdin)])
with torch.no_grad():
    logits = model(tokens).logits[0, :-1].double()
print(json.dumps(torch.nn.functional.cross_entropy(logits, tokens[0, 1:], reduction="none").tolist()))
