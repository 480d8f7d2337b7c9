#!/usr/bin/env python3
"""Checks `stitch serve` with OpenAI's own Python client, on weights/tiny.

The client is installed in an environment of its own in the user's cache directory, once. Exit code 0: all holds; 1: a check
did not hold; 2: could not run.
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

import environment

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ["openai==2.*"]
failures = []


def give_up(reason):
    print(f"{pathlib.Path(sys.argv[0]).stem}: {reason}", file=sys.stderr)
    sys.exit(2)


def check(what, holds, detail=""):
    print(f"{'ok  ' if holds else 'FAIL'} {what}{'' if holds else f': {detail}'}")
    if not holds:
        failures.append(what)


class Server:
    """`stitch serve` on a free port."""

    def __init__(self, *options, model=None):
        stitch = ROOT / ".build" / "release" / "stitch"
        if not stitch.with_name("stitch-serve").exists():
            give_up("stitch-serve is not built; `make test-peers` builds it")
        served = ["--model", model] if model else ["--family", ROOT / "weights" / "tiny"]
        self.process = subprocess.Popen([stitch, "serve", *served, "--port", "0", *options], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"http://\S+?/v1", line)
        if not found:
            give_up(f"the server does not start: {line.strip()}")
        self.url = found[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)


def text(reply):
    return reply.choices[0].message.content


def ask(content):
    return [{"role": "user", "content": content}]


def check_replies(openai, client):
    names = [model.id for model in client.models.list()]
    check("models are listed", "tiny/large" in names and "tiny" in names, names)
    check("one model", client.models.retrieve("tiny/large").owned_by == "stitch")
    reply = client.chat.completions.create(model="tiny/large", messages=ask("what is 12 + 7?"))
    check("a reply", "19" in text(reply), text(reply))
    check("usage", reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens)
    options = dict(model="tiny/large", messages=ask("tell me a story"), max_tokens=40, temperature=1.0, seed=3)
    whole = client.chat.completions.create(**options)
    stream = list(client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    joined = "".join(piece.choices[0].delta.content or "" for piece in stream if piece.choices)
    check("streamed and whole are the same", joined == text(whole), f"{joined!r} {text(whole)!r}")
    check("usage of a stream", stream[-1].usage.completion_tokens == whole.usage.completion_tokens)
    reply = client.chat.completions.create(**options, n=3)
    check("three choices", len(reply.choices) == 3 and text(reply) == text(whole))
    word = text(whole).split()[3]
    reply = client.chat.completions.create(**options, stop=[word])
    check("stop", text(reply) == text(whole).split(word)[0] and reply.choices[0].finish_reason == "stop", text(reply))
    reply = client.chat.completions.create(**options, logprobs=True, top_logprobs=3)
    tokens = reply.choices[0].logprobs.content
    check("logprobs", all(len(token.top_logprobs) == 3 and token.logprob <= 0 for token in tokens))
    reply = client.completions.create(model="tiny@50", prompt=["one two", "hello"], max_tokens=5)
    check("completions", len(reply.choices) == 2)

    def expect(what, kind, code, **changes):
        try:
            client.chat.completions.create(**{**options, **changes})
            check(what, False, "no error")
        except kind as error:
            check(what, code is None or error.code == code, error)

    expect("an unknown model", openai.NotFoundError, "model_not_found", model="gpt-9")
    expect("a prompt beyond the context", openai.BadRequestError, "context_length_exceeded", messages=ask("word " * 5000))
    expect("a bad option", openai.BadRequestError, None, temperature=9)


def check_many(client):
    def one(index):
        return text(
            client.chat.completions.create(
                model=["tiny/small", "tiny/medium", "tiny/large"][index % 3], messages=ask(f"count from {index} to {index + 5}"),
                max_tokens=30, temperature=0.8, seed=index))

    alone = [one(index) for index in range(24)]
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        check("24 at once are what they are alone", list(pool.map(one, range(24))) == alone)


def check_embeddings(openai, client):
    texts = ["hello there", "hello you there", "3 + 4 = 7"]
    # What the client asks for by itself is base64.
    packed = client.embeddings.create(model="tiny/large", input=texts)
    floats = client.embeddings.create(model="tiny/large", input=texts, encoding_format="float")
    pairs = [(one.embedding, other.embedding) for one, other in zip(packed.data, floats.data)]
    check("embeddings", len(pairs) == 3 and all(len(one) == 192 for one, _ in pairs), [len(one) for one, _ in pairs])
    check("base64 and floats are the same", all(abs(a - b) < 1e-7 for one, other in pairs for a, b in zip(one, other)))
    near, far = (sum(a * b for a, b in zip(pairs[0][0], pairs[index][0])) for index in (1, 2))
    check("what is alike is nearer", near > far, f"{near} {far}")
    check("usage of embeddings", packed.usage.total_tokens == packed.usage.prompt_tokens > 6)
    try:
        client.embeddings.create(model="tiny/large", input="x", dimensions=8)
        check("other dimensions", False, "no error")
    except openai.BadRequestError as error:
        check("other dimensions", error.code == "unsupported_parameter", error)


def main():
    environment.enter("openai-client", PACKAGES)
    import openai

    with Server("--embeddings") as server:
        client = openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)
        check_replies(openai, client)
        check_many(client)
        check_embeddings(openai, client)
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write("a-key-of-mine\n")
        keys.flush()
        with Server("--key-file", keys.name) as server:
            client = openai.OpenAI(base_url=server.url, api_key="a-key-of-mine", max_retries=0)
            check("with a key", len(list(client.models.list())) > 0)
            try:
                openai.OpenAI(base_url=server.url, api_key="another", max_retries=0).models.list()
                check("without the key", False, "no error")
            except openai.AuthenticationError as error:
                check("without the key", error.code == "invalid_api_key", error)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
