#!/usr/bin/env python3
"""Checks replies that are to keep a form, with the validator of Python's jsonschema, and what keeping it costs.

`stitch serve` is asked for documents by schemas of many kinds, drawn at random; each must be one that its schema allows.
Then the time of a token in a reply that keeps a form and in one that does not, in turns, after a first reply of each; it is
written to docs/measurements/forms.json. The packages are installed in an environment of its own in the user's cache
directory, once. Exit code 0: all hold; 1: a document did not; 2: could not run.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time
import urllib.request

import documents
import environment

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ["jsonschema[format-nongpl]==4.*"]
MOST_TOKENS = 400

STRING = {"type": "string", "maxLength": 24}
SCHEMAS = {
    "flat": {"type": "object", "properties": {"name": STRING, "age": {"type": "integer", "minimum": 0, "maximum": 130},
             "happy": {"type": "boolean"}}, "required": ["name", "age", "happy"], "additionalProperties": False},
    "optional": {"type": "object", "properties": {"a": {"type": "null"}, "b": {"enum": ["x", "y", 3, None]}, "c": STRING},
                 "additionalProperties": False},
    "list": {"type": "array", "items": {"type": "object", "properties": {"word": STRING, "count": {"type": "integer", "minimum": 1}},
             "required": ["word", "count"]}, "minItems": 1, "maxItems": 4},
    "tuple": {"type": "array", "prefixItems": [{"type": "number", "minimum": -5, "maximum": 5}, STRING], "items": False},
    "tree": {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"leaf": {"type": "integer"},
             "left": {"$ref": "#/$defs/tree"}, "right": {"$ref": "#/$defs/tree"}}, "required": ["leaf"], "additionalProperties": False}}},
    "either": {"anyOf": [{"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer", "minimum": 1, "maximum": 9}},
               "required": ["kind", "lives"]}, {"type": "object", "properties": {"kind": {"const": "dog"}, "name": STRING},
               "required": ["kind", "name"]}]},
    "formats": {"type": "object", "properties": {"day": {"type": "string", "format": "date"}, "at": {"type": "string", "format": "date-time"},
                "id": {"type": "string", "format": "uuid"}, "host": {"type": "string", "format": "ipv4"}},
                "required": ["day", "at", "id", "host"]},
    "pattern": {"type": "object", "properties": {"code": {"type": "string", "pattern": "^[A-Z]{2,3}-\\d{1,4}$"},
                "path": {"type": "string", "pattern": "^(/[a-z]{1,6}){1,4}$"}}, "required": ["code", "path"]},
    "map": {"type": "object", "properties": {"total": {"type": "number", "exclusiveMinimum": 0, "maximum": 100}}, "required": ["total"]},
    "all": {"allOf": [{"type": "object", "properties": {"x": {"type": "integer", "exclusiveMaximum": 10, "minimum": -10}}, "required": ["x"]},
            {"properties": {"y": {"type": ["string", "null"], "maxLength": 5}}, "required": ["y"]}]},
}

parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
parser.add_argument("--family", default=ROOT / "weights" / "smollm2")
parser.add_argument("--replies", type=int, default=20, help="for each schema")
parser.add_argument("--rounds", type=int, default=9, help="of the measurement of time; 0: none")
parser.add_argument("--dry", action="store_true", help="write nothing")
arguments = parser.parse_args()


def give_up(reason):
    print(f"forms_peer: {reason}", file=sys.stderr)
    sys.exit(2)


def start_server():
    command = [ROOT / ".build" / "release" / "stitch", "serve", "--family", arguments.family, "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = server.stderr.readline()
    found = re.search(r"(http://\S+?)/v1, models ([^,\s]+)", line)
    if not found:
        give_up(f"the server does not start: {line.strip()}")
    return server, found[1], found[2]


def chat(url, **members):
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(members).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def form(schema):
    return {"type": "json_schema", "json_schema": {"name": "document", "schema": schema}}


def check(url, model, validators):
    failures = documents_made = 0
    for name, schema in SCHEMAS.items():
        whole = cut = 0
        for seed in range(arguments.replies):
            reply = chat(url, model=model, temperature=1.2, seed=seed, max_tokens=MOST_TOKENS, response_format=form(schema),
                         messages=[{"role": "user", "content": f"Write a JSON document by this schema: {json.dumps(schema)}"}])
            choice = reply["choices"][0]
            if choice["finish_reason"] == "length":
                cut += 1
                continue
            try:
                validators[name].validate(json.loads(choice["message"]["content"]))
                whole += 1
            except Exception as error:
                failures += 1
                print(f"FAIL {name}, seed {seed}: {choice['message']['content']!r}: {str(error).splitlines()[0]}")
        print(f"ok   {name}: {whole} documents allowed, {cut} cut off at {MOST_TOKENS} tokens", flush=True)
        documents_made += whole
        if whole == 0:
            failures += 1
            print(f"FAIL {name}: no whole document")
    return {"whole": documents_made, "failed": failures}


def measure(url, model):
    """Seconds a token of a long string in a form, by those of a reply of as many tokens without one."""
    schema = {"type": "object", "properties": {"text": {"type": "string", "minLength": 600, "maxLength": 601}}, "required": ["text"]}
    ask = dict(model=model, temperature=0, max_tokens=120, messages=[{"role": "user", "content": "Tell a long story about the sea."}])

    def seconds(**more):
        start = time.perf_counter()
        reply = chat(url, **ask, **more)
        return (time.perf_counter() - start) / reply["usage"]["completion_tokens"]

    ratios, times = [], []
    for round in range(arguments.rounds + 1):
        free, kept = seconds(), seconds(response_format=form(schema))
        if round > 0:
            ratios.append(kept / free)
            times.append(kept)
    return {"ratio": statistics.median(ratios), "ratios": ratios, "milliseconds": 1000 * statistics.median(times), "tokens": 120}


def main():
    environment.enter("jsonschema", PACKAGES)
    import jsonschema

    validators = {
        name: jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
        for name, schema in SCHEMAS.items()
    }
    server, url, model = start_server()
    try:
        counts = check(url, model, validators)
        failures = counts["failed"]
        if arguments.rounds:
            result = measure(url, model) | counts | {"family": pathlib.Path(arguments.family).name, "model": model}
            print(f"a token in a form takes {result['ratio']:.3f} × one without ({result['milliseconds']:.2f} ms)")
            if not arguments.dry:
                (ROOT / "docs/measurements/forms.json").write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
                documents.fill(ROOT / "docs/forms.md", {"forms": (
                    f"{counts['whole']} documents by {len(SCHEMAS)} schemas, each as its schema wants it. A token of the family "
                    f"`{result['family']}`, size `{model}`, takes {result['ratio']:.2f} times as long in a form as without one, after a "
                    f"first reply of each (median of {len(result['ratios'])} rounds in turns; [forms.json](measurements/forms.json)).")})
    finally:
        server.terminate()
        server.wait(10)
    sys.exit(1 if failures else 0)


main()
