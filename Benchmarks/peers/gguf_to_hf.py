"""Makes a Hugging Face directory in F32 of a GGUF file, by transformers' own reader: GGUF-FILE, DIRECTORY."""
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

file, directory = pathlib.Path(sys.argv[1]), sys.argv[2]
read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
# What it reads counts as quantised, and is not saved as such: its numbers are, in a model that never was.
if hasattr(read.config, "quantization_config"):
    del read.config.quantization_config
model = AutoModelForCausalLM.from_config(read.config, dtype=torch.float32)
model.load_state_dict(read.state_dict())
tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
model.save_pretrained(directory)
tokenizer.save_pretrained(directory)
