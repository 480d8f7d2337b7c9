#!/usr/bin/env python3
"""Writes the seeds of the fuzzers' corpus that need no family: one small sound input or more for each target, and the
dictionaries. `make fuzz-seeds` runs it; what is there under other names (what
fuzzers found, and the parts of small families) stays.
"""
import json
import pathlib
import struct

TESTS = pathlib.Path(__file__).resolve().parent.parent / "Tests/FuzzTests"


def seed(target: str, name: str, content: bytes | str) -> None:
    folder = TESTS / "Corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def dictionary(target: str, words: list[str]) -> None:
    folder = TESTS / "Dictionaries"
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(
        '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else "".join(f"\\x{b:02x}" for b in c.encode()) for c in w) + '"\n'
        for w in words
    )
    (folder / f"{target}.dict").write_text(text)


# --- GGUF

def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(hidden: int = 8, blocks: int = 1, kind: str = "llama") -> bytes:
    pieces = ["<unk>", "<s>", "</s>", "a", "b", "ab", "\u0120" if kind == "gpt2" else "\u2581", "<0x41>"]
    u32 = lambda value: struct.pack("<II", 4, value)
    f32 = lambda value: struct.pack("<If", 6, value)
    string = lambda value: struct.pack("<I", 8) + text(value)
    listed = lambda type_, parts: struct.pack("<IIQ", 9, type_, len(parts)) + b"".join(parts)
    values = {
        "general.architecture": string("llama"),
        "llama.block_count": u32(blocks), "llama.embedding_length": u32(hidden),
        "llama.feed_forward_length": u32(2 * hidden), "llama.context_length": u32(64),
        "llama.attention.head_count": u32(2), "llama.attention.head_count_kv": u32(1),
        "llama.attention.layer_norm_rms_epsilon": f32(1e-5), "llama.rope.freq_base": f32(10000),
        "general.sampling.temp": f32(0.7),
        "tokenizer.ggml.model": string(kind), "tokenizer.ggml.pre": string("smollm"),
        "tokenizer.ggml.tokens": listed(8, [text(piece) for piece in pieces]),
        "tokenizer.ggml.scores": listed(6, [struct.pack("<f", -i) for i in range(len(pieces))]),
        "tokenizer.ggml.token_type": listed(5, [struct.pack("<i", 2 if i == 0 else 3 if i < 3 else 1) for i in range(len(pieces))]),
        "tokenizer.ggml.merges": listed(8, [text("a b")]),
        "tokenizer.ggml.unknown_token_id": u32(0), "tokenizer.ggml.bos_token_id": u32(1), "tokenizer.ggml.eos_token_id": u32(2),
    }
    shapes = {"token_embd": [len(pieces), hidden], "output_norm": [hidden]}
    for block in range(blocks):
        for name, shape in {
            "attn_norm": [hidden], "attn_q": [hidden, hidden], "attn_k": [hidden // 2, hidden], "attn_v": [hidden // 2, hidden],
            "attn_output": [hidden, hidden], "ffn_norm": [hidden], "ffn_gate": [2 * hidden, hidden],
            "ffn_up": [2 * hidden, hidden], "ffn_down": [hidden, 2 * hidden],
        }.items():
            shapes[f"blk.{block}.{name}"] = shape
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(values))
    for name, value in values.items():
        head += text(name) + value
    data = b""
    for name, shape in shapes.items():
        count = 1
        for size in shape:
            count *= size
        head += text(name + ".weight") + struct.pack("<I", len(shape))
        head += b"".join(struct.pack("<Q", size) for size in reversed(shape)) + struct.pack("<IQ", 0, len(data))
        data += b"\0" * (4 * count) + b"\0" * (-4 * count % 32)
    return head + b"\0" * (-len(head) % 32) + data


seed("gguf", "llama", gguf())
seed("gguf", "gpt2", gguf(kind="gpt2"))
seed("gguf-built", "plain", bytes(64))
seed("gguf-built", "mixed", bytes(range(0, 256, 3)) * 2)
names = ["llama.rope.scaling.type", "tokenizer.ggml.tokens", "general.alignment", "GGUF", "gpt2", "qwen2", "smollm3", "yarn",
         "token_embd.weight", "blk.0.attn_q.weight", "rope_freqs.weight", "split.count"]
dictionary("gguf", names)

# --- safetensors


def safetensors(header: object, size: int) -> bytes:
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + bytes(size)


seed("safetensors", "two", safetensors({
    "__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]}}, 22))
seed("safetensors", "packed", safetensors({
    "__metadata__": {"type:w": "Q8_0 in panels of 16"}, "w": {"dtype": "U8", "shape": [16, 34], "data_offsets": [0, 544]}}, 544))
dictionary("safetensors", ["__metadata__", "dtype", "shape", "data_offsets", "F32", "F16", "BF16", "U8", "I64",
                           "Q8_0 in panels of 16", "Q4_0 in panels of 16", "type:w", "format"])
config = {"model_type": "llama", "vocab_size": 8, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
          "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
          "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True,
          "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                           "original_max_position_embeddings": 32}}
seed("model-config", "llama", json.dumps(config))
seed("model-config", "generation", json.dumps({"temperature": 0.7, "top_k": 20, "top_p": 0.9, "do_sample": True, "eos_token_id": [2, 3]}))
dictionary("model-config", list(config) + ["yarn", "longrope", "linear", "dynamic", "short_factor", "long_factor", "head_dim",
                                           "sliding_window", "qwen2", "mistral", "smollm3", "no_rope_layers", "1e999", "-1"])

# --- Tokenizers

tokenizer = {
    "added_tokens": [{"id": 5, "content": "<s>", "special": True}], "normalizer": None,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    "post_processor": None, "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "\u0120": 3, "\u0120a": 4}, "merges": ["a b", ["\u0120", "a"]]}}
seed("tokenizer-json", "byte-level", json.dumps(tokenizer))
seed("tokenizer-json", "metaspace", json.dumps({
    "added_tokens": [], "normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
    "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\s+|\\w+"}, "behavior": "Isolated", "invert": False},
    "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"},
                                                 {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True,
              "vocab": {"<unk>": 0, "\u2581": 1, "a": 2, "<0x41>": 3, "\u2581a": 4}, "merges": ["\u2581 a"]}}))
seed("tokenizer-json-built", "plain", bytes(40))
seed("tokenizer-json-built", "mixed", bytes(range(1, 255, 2)))
dictionary("tokenizer-json", ["added_tokens", "pre_tokenizer", "post_processor", "Sequence", "Split", "Regex", "Metaspace", "Digits",
                              "prepend_scheme", "ByteFallback", "merges", "vocab", "ignore_merges", "TemplateProcessing", "NFC",
                              "behavior", "MergedWithNext", "\\p{N}{1,3}", "(?i:'s)", "(?!\\S)"])


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def piece(spelling: str, score: float, kind: int) -> bytes:
    return field(1, field(1, spelling.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score) + varint(3 << 3) + varint(kind))


pieces = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3)
pieces += b"".join(piece(f"<0x{byte:02X}>", 0, 6) for byte in range(256))
pieces += b"".join(piece(word, -index, 1) for index, word in enumerate(["\u2581", "a", "b", "ab", "\u2581a"]))
seed("sentencepiece", "bpe", pieces + field(2, varint(3 << 3) + varint(2) + varint(35 << 3) + varint(1)) + field(3, field(1, b"identity")))
dictionary("sentencepiece", ["<unk>", "<0x41>", "\u2581", "nmt_nfkc", "identity"])

# --- What people write

seed("json", "all", '{"a": [1, -2.5e3, true, false, null, "\\u00e9\\ud83d\\ude00\\n"], "b": {}}')
dictionary("json", ["\\ud83d\\ude00", "\\u0000", "1e999", "-0", "null", "9223372036854775808"])
line = lambda type_, **fields: json.dumps({"type": type_} | fields)
sampling = {"temperature": 0.7, "seed": 1, "top_k": 40, "top_p": 0.9, "max_tokens": 200, "overflow": "oldest", "repetition_penalty": 1}
adapter = {"step": 40, "hash": "ab" * 32}
seed("conversation", "short", "\n".join([
    line("conversation", format=1, id="20260101-000000-fuzz", created="2026-01-01T00:00:00Z", program="stitch 0.1.0",
         family={"name": "f", "identity": "cd" * 32, "directory": "/f"}, parent={"id": "20251231-000000-abcd", "turns": 2}),
    line("settings", settings={"system": "Be brief.", "sampling": sampling, "next_seed": 4, "stitch": "large", "auto": 20,
                               "forgotten": 2, "adapter": adapter}),
    line("user", text="Hello\n\nFile a.txt:\n```\nx\n```",
         files=[{"path": "a.txt", "bytes": 2, "tokens": 9, "length": 22, "is_cut": True, "is_estimate": True}]),
    line("reply", stitch="large", adapter=adapter, sampling=sampling), line("text", text="Hi **there**"),
    line("end", finish="stop", stitch="large", tokens=3, tokens_per_second=52.5, context_tokens=40, dropped_messages=1),
    line("user", text="Again"), line("compare", stitches=["small", "large"]),
    line("reply", stitch="small"), line("text", text="a"),
    line("end", finish="length", stitch="small", tokens=1, tokens_per_second=1, context_tokens=50),
    line("reply", stitch="large"), line("text", text="b \u001b[2J"), line("end", finish="stopped"), line("keep", column=1),
    line("user", text="x"), line("drop", keep=4), line("reply", stitch="small", continues=True), line("text", text="more"),
    line("end", finish="failed", text="why"), line("title", text="A title"), line("notice", text="noted", is_warning=True)]) + "\n")
numbers = ["9223372036854775807", "-9223372036854775808", "18446744073709551615", "-1", "1e308"]
dictionary("conversation", ["begin", "settings", "user", "reply", "text", "end", "compare", "keep", "notice", "title", "drop", "finish",
                            "files", "length", "forgotten", "next_seed", "continues", "column", "cancelled", "stopped"] + numbers)
dictionary("adapter", ["rank", "alpha", "scope", "targets", "hasLowRank", "hasScales", "keepsPrefix", "blocks", "side", "kronecker", "parallel",
                       "prefix", "prompt", "reduction", "interval", "factor", "experts", "length", "positions", "step", "importance",
                       "\\\"kronecker\\\":{\\\"experts\\\":2,\\\"factor\\\":4,\\\"rank\\\":2,\\\"scale\\\":1},"] + numbers + ["16777216"])
seed("server", "sizes", json.dumps({"object": "list", "data": [
    {"id": f"f/{name}", "object": "model", "owned_by": "stitch", "context_length": 512,
     "stitch": {"id": name, "route": f"{name}[0..<2]", "parameters": size * 1000, "flops_per_token": size * 2000,
                "weight_bytes": size * 4000, "importance": 0.5, "quality": 0.5 + size / 100, "agreement": 0.7, "loss": 1.5,
                "tokens_per_second": 300.5, "adapter_step": 40, "measured_step": 40}} for name, size in (("small", 3), ("large", 9))]})
    + "\n====\n: hello\n" + "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in [
        {"model": "f/large", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"delta": {"content": "Hi \u001b[2J"}}]}, {"choices": [{"delta": {}, "finish_reason": "length"}]},
        {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}}])
    + "data: [DONE]\n\n")
seed("server", "models", json.dumps({"data": [
    {"id": "a.gguf", "meta": {"n_params": 135000000, "size": 98000000, "n_ctx_train": 2048}}, {"id": "b", "max_model_len": 4096}]})
    + '\n====\ndata: {"choices": [{"message":\ndata: {"content": "x"}}]}\n\ndata: {"error": {"message": "no", "code": "x"}}\n\n')
dictionary("server", ["data: ", "\n====\n", "[DONE]", "\r\n\r\n", "\n\n", "choices", "delta", "content", "finish_reason", "usage",
                      "prompt_tokens", "completion_tokens", "cached_tokens", "error", "message", "stitch", "parameters", "flops_per_token",
                      "weight_bytes", "quality", "agreement", "loss", "tokens_per_second", "adapter_step", "context_length", "n_params",
                      "n_ctx", "size", "\u202e", "\x9b"] + numbers)
seed("script", "all.yaml", "\0" + """family: ../f
adapter: own
seed: 1
stitch: large
set: {temperature: 0, max_tokens: 40}
system: Be brief.
screen: {width: 80, height: 24}
steps:
  - user: What is 12 + 7?
    expect: {contains: "19", regex: ["^1", 'b'], not: [x], max_tokens: 30, finish: stop, stitch: large, max_seconds: 5}
  - stitch: small
  - regen: true
  - train: {data: lesson.jsonl, steps: 200, distill: true}
  - wait: training
  - compare: [small, large]
  - command: /drop 2
    expect:
      screen: {contains: Forgot, not: training}
  - screen: {width: 40, height: 12}
  - pause: 0.5
""")
seed("script", "anchors.yaml", '\0steps:\n  - &a user: "again"\n  - *a\n  - <<: *a\n')
seed("script", "lines.jsonl", "\1" + '{"seed": 3, "set": {"temperature": 0}}\n{"user": "Hello", "expect": {"equals": "Hi"}}\n')
dictionary("script", ["steps:", "- user: ", "expect:", "contains:", "regex:", "train:", "compare:", "screen:", "&a", "*a", "<<:", "!!str",
                      "|\n  ", ">-\n  ", "? ", "---\n", "\r\n", "\ufeff"])
for number, (name, content) in enumerate({
    "messages.jsonl": '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]}\n'
                      '{"prompt": "a", "completion": "b"}\r\n{"instruction": "a", "input": "", "output": "b"}\n{"text": "t"}\n',
    "list.json": '[{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, {"question": "a", "answer": "b"}]',
    "table.csv": 'prompt,completion\n"a ""b"",\nc",d\ne,f\n', "table.tsv": "question\tanswer\r\na\tb\r\n",
    "text.txt": "First paragraph\nhas two lines.\n\nSecond.\r\n\r\nThird.\n", "any": '{"messages": []}',
}.items()):
    seed("data", name, bytes([number]) + content.encode())
seed("data", "tools.jsonl", b"\0" + json.dumps({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}], "messages": [
    {"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "content": "1"}, {"role": "assistant", "content": [{"type": "text", "text": "b"}]}]}).encode() + b"\n")
dictionary("data", ["messages", "role", "assistant", "content", "conversations", "from", "gpt", "value", "prompt", "completion",
                    "instruction", "output", "instances", "text", "weight", "train", "tool_calls", "\r\n", '""', "\ufeff", "kind"])
seed("settings", "all", "family: a\nstitch: large\nauto: 20\nsystem: |\n  Be\n  brief.\nmouse: no\ntheme: dark\ntemperature: 0.5\n"
                        "top_k: 40\nmax_tokens: 200\nseed: 7\ncache: f16\neditor: vi\ntraining_steps: 100\nsave: true\n")
dictionary("settings", ["theme: ", "cache: f16", "temperature: ", "overflow: ", "repetition_penalty: ", "keep_transcript: ", ".inf", ".nan",
                        "0x10", "1e99", "~", "&a", "*a"])

# --- Templates and forms

seed("jinja", "chatml", "{%- for m in messages -%}{{ '<|im_start|>' + m['role'] + '\\n' + m.content|trim + '<|im_end|>\\n' }}{%- endfor -%}"
                        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
seed("jinja", "macro", "{% macro f(x, y=2) %}{{ x ~ y }}{% endmacro %}{% set ns = namespace(n=0) %}{% for i in range(3) %}"
                       "{% set ns.n = ns.n + i %}{{ loop.index0 }}{{ f(i) }}{% else %}-{% endfor %}{{ ns.n|string|length }}"
                       "{{ [1, 'a', {'b': none}]|tojson }}{{ messages[1:]|map(attribute='role')|join(', ') }}{# note #}"
                       "{{ 'x' if tools is defined and tools is not none else 'y' }}{{ 'abc'[::-1].upper().split('B') }}")
dictionary("jinja", ["{%", "%}", "{{", "}}", "{%-", "-%}", "for ", "endfor", " in ", "if ", "elif ", "endif", "macro ", "endmacro", "set ",
                     "namespace(", "loop.index0", "loop.last", "|tojson", "|trim", "|map(attribute=", "|selectattr(", "range(", "raise_exception(",
                     "is defined", "not ", "recursive", "call(", "filter ", "generation", "strftime_now(", ".items()", "**", "//", "~", "|indent(",
                     "|dictsort", "|batch(", "|replace(", ".format(", "%s", "raw", "endraw"])
seed("json-schema", "object", json.dumps({
    "type": "object", "properties": {"a": {"type": "integer", "minimum": -3, "maximum": 120}, "b": {"enum": ["x", 1, None]},
                                     "c": {"type": "array", "items": {"$ref": "#/$defs/d"}, "minItems": 1, "maxItems": 3}},
    "required": ["a"], "additionalProperties": False,
    "$defs": {"d": {"anyOf": [{"type": "string", "pattern": "^[a-c]{2,4}$"}, {"type": "number"}]}}}))
seed("json-schema", "more", json.dumps({"allOf": [{"type": "string", "minLength": 2}, {"maxLength": 5}], "description": "x"}))
dictionary("json-schema", ["$ref", "#/$defs/d", "anyOf", "allOf", "oneOf", "const", "pattern", "minLength", "maxItems", "prefixItems",
                           "additionalProperties", "exclusiveMinimum", "multipleOf", "format", "date-time", "not", "1e308", "10001"])
seed("gbnf", "list", 'root ::= "[" item ("," item){0,3} "]" # note\nitem ::= [0-9]+ | "\\x41" | [^"\\n]{2} | .? | root\n')
dictionary("gbnf", ["root ::= ", "::=", "{2,}", "{10000}", "[^", "\\u00e9", "\\U0001F600", "\\x41", "?", "*", "+", "|", "#", "\\]"])
body = json.dumps({"model": "family/auto", "messages": [{"role": "user", "content": "a"}], "max_tokens": 2, "temperature": 0, "stop": ["b"],
                   "logprobs": True, "top_logprobs": 2, "n": 2, "seed": 1})
seed("http", "chat", f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}")
form = json.dumps({"model": "family/small", "prompt": ["a", [1, 2]], "max_tokens": 2, "stream": True, "stream_options": {"include_usage": True},
                   "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "boolean"}}}})
seed("http", "chunked", "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                        f"{len(form):x};x=1\r\n{form}\r\n0\r\nTrailer: 1\r\n\r\nGET /v1/models HTTP/1.0\r\n\r\n")
seed("http", "get", "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://localhost:1\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n")
dictionary("http", ["GET ", "POST ", "OPTIONS ", "HEAD ", "/v1/models", "/v1/chat/completions", "/v1/completions", "/health", " HTTP/1.1\r\n",
                    "Content-Length: ", "Transfer-Encoding: chunked", "Expect: 100-continue", "Connection: close", "\r\n\r\n", "0\r\n\r\n",
                    "response_format", "json_object", "grammar", "logit_bias", "max_tokens", "stream", "family/auto"])

# --- The screen

seed("keys", "some", bytes([12, 0, 72, 12, 0, 105, 0, 0, 0, 10, 0, 40, 9, 11, 0, 6, 104, 101, 108, 112, 32, 97, 5, 0, 18, 9, 0, 3, 60, 9, 8, 0, 5, 27, 91, 50, 74, 10]) * 3)
seed("keys", "sizes", bytes(range(0, 250, 7)) * 4)
seed("markdown", "all", "\x30\x05# Title\n\nSome **bold** *it* `code` and\u2003wide \u8a9e \U0001f600.\n\n- a\n  - b\n1. c\n\n> quoted\n\n"
                        "| a | b |\n|:--|--:|\n| 1 | `x|y` |\n\n```swift\nlet x = 1\n\x1b[31m\n```\n---\nend \u202e x")
dictionary("markdown", ["**", "__", "`", "```", "~~~", "| ", "|---|", ":--:", "# ", "- ", "1. ", "> ", "---\n", "\u200d", "\u0301", "\u202e", "\x1b[", "\x9b", "\u8a9e"])
seed("paste", "text", "two\nlines\tand \x1b[2J \u202e \u8a9e\U0001f600 e\u0301\r\n")
dictionary("paste", ["\x1b[201~", "\x1b]52;c;", "\r\n", "\u200b", "\u2028", "\x9b", "\u0301"])
names = ["help", "stitch", "auto", "compare", "keep", "train", "distill", "pause", "resume", "save", "stop", "undo", "adapters", "set",
         "system", "clear", "regen", "search", "copy", "edit", "continue", "drop", "file", "chats", "open", "branch", "title", "export",
         "adapter", "mix", "quit"]
seed("commands", "all", "\n".join([
    "/stitch 1", "/stitch small", "/auto 20", "/auto off", "/compare 1 3 -- What?", "/keep 2", "/train a.jsonl 20", "/adapters",
    "/set temperature 0.5", "/set", "/system Be brief.", "/regen", "/search one", "/copy code 1", "/edit 1", "/edit", "/continue",
    "/drop 2", "/file a.txt", "/chats x", "/branch 1", "/title A title", "/export a.md", "Hello"]))
dictionary("commands", [f"/{name} " for name in names] + ["small", "large", " -- ", "off", "code", "undo", "cut", "remove", "temperature",
           "seed", "top_k", "max_tokens", "9223372036854775807", "-9223372036854775808", "1e308", "nan", "0x7f", "~/", "\u202e"])
