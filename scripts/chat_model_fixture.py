#!/usr/bin/env python3
"""Writes Tests/CommandTests/Fixtures/chat-model: a chat model of two blocks with a byte-level BPE, and what transformers
makes of it.

Needs torch, transformers and tokenizers. It learns ten questions and their answers by heart, so that replies are sentences
that end with the token that ends a turn.
"""
import json
import pathlib
import shutil

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "Tests/CommandTests/Fixtures/chat-model"
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a small model.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CHATS = [
    ("hello", "Hello! What would you like to know?"),
    ("What is your name?", "I am a small model of two blocks."),
    ("How large are you?", "I have two blocks and 64 numbers a token."),
    ("What is 2+2?", "2+2 is 4."),
    ("Name a colour.", "Blue – like the sea."),
    ("Say it in Japanese.", "こんにちは"),
    ("Write some code.", "def answer():\n    return 42"),
    ("Count to five.", "1, 2, 3, 4, 5"),
    ("Tell me a secret.", "I only know ten answers."),
    ("Goodbye", "Goodbye, and come back soon!"),
]
TEXT = "The capital of France is Paris. In 2024 it had 2,100,000 people; “déjà vu”, 日本語 and 👩‍🚀 are text, too.\n"


def tokenizer():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384, special_tokens=SPECIALS, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    corpus = [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))]
    made.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=SPECIALS[1], eos_token=SPECIALS[2], pad_token=SPECIALS[2], unk_token=SPECIALS[0],
        chat_template=TEMPLATE)


def chat(text, user, assistant=None):
    messages = [{"role": "user", "content": user}]
    if assistant is not None:
        messages.append({"role": "assistant", "content": assistant})
    return text.apply_chat_template(messages, add_generation_prompt=assistant is None, return_dict=True)["input_ids"]


def train(model, text):
    """All answers in every step, until each of their tokens is likely."""
    batches = []
    for user, assistant in CHATS:
        prompt, whole = chat(text, user), chat(text, user, assistant)
        batches.append((torch.tensor([whole]), torch.tensor([[-100] * len(prompt) + whole[len(prompt):]])))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0)
    for _ in range(400):
        losses = [model(ids, labels=labels).loss for ids, labels in batches]
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
        if max(losses) < 0.02:
            break


def main():
    torch.manual_seed(19)
    torch.set_num_threads(1)
    text = tokenizer()
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(text), hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, rope_theta=100_000.0, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=2, pad_token_id=2))
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=2)
    train(model, text)
    shutil.rmtree(TARGET, ignore_errors=True)
    # Half the bytes. What is expected is computed in single precision, of these weights; read again, as half() also rounds
    # the frequencies of rotary positions.
    model.half().save_pretrained(TARGET)
    model = LlamaForCausalLM.from_pretrained(TARGET, dtype=torch.float32)
    text.save_pretrained(TARGET)
    expected = {"replies": [], "losses": None}
    for user, _ in CHATS + [("Who wrote Hamlet?", None)]:
        prompt = torch.tensor([chat(text, user)])
        with torch.no_grad():
            made = model.generate(prompt, max_new_tokens=40, do_sample=False)[0, prompt.shape[1]:].tolist()
        if made[-1] == 2:
            made.pop()
        expected["replies"].append({"prompt": user, "promptTokens": prompt.shape[1], "tokens": made, "text": text.decode(made)})
    ids = torch.tensor([[1] + text(TEXT)["input_ids"]])
    with torch.no_grad():
        logits = model(ids).logits[0, :-1].double()
    losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
    expected["text"], expected["losses"] = TEXT, [round(value, 6) for value in losses.tolist()]
    (TARGET / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
