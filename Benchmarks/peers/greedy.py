"""Greedy replies by transformers beside ours: MODEL; JSON on standard input and output.

In: {"tokens": at most, "replies": [{"prompt": text, "tokens": ids of ours}]}. Out, for each: the tokens of the prompt in
the model's chat template, how many tokens of the reply are the same, the length of theirs, and where they part, the nats
between both tokens.
"""
import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(2)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
asked = json.load(sys.stdin)
answers = []
for reply in asked["replies"]:
    chat = [{"role": "user", "content": reply["prompt"]}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    length = prompt["input_ids"].shape[1]
    with torch.no_grad():
        made = model.generate(**prompt, max_new_tokens=asked["tokens"], do_sample=False, repetition_penalty=1.0)
        theirs = made[0, length:].tolist()
        ours = reply["tokens"]
        if theirs and theirs[-1] == model.generation_config.eos_token_id:
            # Ours lists no token that ends a reply.
            theirs.pop()
        same = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        nats = None
        if same < max(len(ours), len(theirs)):
            ends = model.generation_config.eos_token_id
            chosen = [tokens[same] if same < len(tokens) else ends for tokens in (ours, theirs)]
            text = torch.cat([prompt["input_ids"][0], torch.tensor(theirs[:same], dtype=torch.long)])[None]
            logits = model(text).logits[0, -1].double()
            nats = abs(float(logits[chosen[0]] - logits[chosen[1]]))
    answers.append({"promptTokens": length, "same": same, "theirs": len(theirs), "nats": nats})
print(json.dumps(answers))
