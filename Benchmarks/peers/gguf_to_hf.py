"""Makes a Hugging Face directory in F32 of a GGUF file, by transformers' own reader: GGUF-FILE, DIRECTORY."""
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

file, directory = pathlib.Path(sys.argv[1]), sys.argv[2]
model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
model.save_pretrained(directory)
tokenizer.save_pretrained(directory)
