#!/usr/bin/env python3
"""Writes Tests/JinjaTests/expressions.jsonl: small templates and what Python's jinja2 makes of them.

Needs jinja2 3.1. The environment is set up as transformers sets it up for chat templates.
"""
import json
import pathlib

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

TARGET = pathlib.Path(__file__).resolve().parent.parent / "Tests/JinjaTests/expressions.jsonl"
CONTEXT = {
    "messages": [
        {"role": "system", "content": "  Be brief. "},
        {"role": "user", "content": "What's 1 < 2 & \"3\"?"},
        {"role": "assistant", "content": "<think>hm</think>\n\nYes.\n"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "look", "description": "Looks é日", "parameters": {"x": [1, 2.5, None, True]}}}
    ],
    "n": 7, "x": 2.5, "s": "Hello wide world", "empty": "", "items": [3, 1, 2], "d": {"b": 1, "a": 2, "C": 3}, "none": None,
    "flag": True,
}
EXPRESSIONS = """
1 + 2 * 3 | 7 // 2 | -7 // 2 | -7 % 3 | 7 % -3 | 2 ** 10 | 7 / 2 | 1e3 | 1.0 | 0.1 + 0.2 | 1_000 | 10 ** -2 | n / 7
'a' ~ 1 ~ none ~ true | 'a' 'b' | 'ab' * 3 | [1] + [2, 3] | (1, 2) | (1,) | {'a': 1, 'b': [none, true]} | ['x', "it's"] | 'a\\nb'
not true | 1 < 2 < 3 | 1 < 2 > 5 | 1 == 1.0 | 'a' in 'abc' | 'z' not in s | 2 in items | 'b' in d | none == none | 'a' < 'b'
true and 5 | 0 or 'x' | 'yes' if flag else 'no' | 'only' if false | missing | missing is defined | none is none | n is odd
n is even | n is number | x is float | n is integer | s is string | d is mapping | items is sequence | items is iterable | n is divisibleby 7
true is true | flag is boolean | s is lower | 'A' is upper | 1 is in items | n is eq 7 | n is not none | loop is undefined | n is gt 3
s[0] | s[-1] | s[1:4] | s[::-1] | s[6:] | s[:-6] | items[1:] | items[::-1] | items[5] is defined | d['a'] | d.a | d.zzz is defined
messages[0].content | messages[-1]['role'] | messages[1:]|length | messages|length | d.items()|list | d.keys()|list | d.values()|list
d.get('a') | d.get('q') | d.get('q', 5) | s.upper() | s.lower() | s.title() | s.capitalize() | s.split() | s.split(' ', 1) | s.split('o')
s.rsplit(' ', 1) | s.replace('l', 'L') | s.replace('l', 'L', 1) | s.startswith('He') | s.startswith(('x', 'H')) | s.endswith('ld')
s.find('w') | s.find('zz') | s.count('l') | s.strip('Hd') | '  x '.strip() | '  x '.lstrip() | '  x '.rstrip() | 'a,b'.partition(',')
'-'.join(['a', 'b']) | 'abc'.isalpha() | '12'.isdigit() | 'a b\\nc'.splitlines() | '%s is %d' % ('x', 3) | '{} {}'.format(1, 'b')
'7'.zfill(3) | 'x'.center(5, '*') | 'x'.ljust(3) ~ '|' | 'prefix-x'.removeprefix('prefix-') | 'éß'.upper() | 'İ'.lower()
items|sort | items|sort(reverse=true) | items|first | items|last | items|sum | items|min | items|max | items|join(', ') | items|reverse|list
items|list | items|length | s|length | d|length | d|dictsort | d|items|list | s|upper | s|title | s|capitalize | s|replace('l', '1')
s|trim | '  x '|trim | s|default('z') | missing|default('z') | empty|default('z') | empty|default('z', true) | none|default('q')
'3'|int | 'x'|int | '3.7'|float | 3.7|int | 3.7|round | 3.14159|round(2) | 3.2|round(method='ceil') | -3|abs | 5|string | [1, 'a']|string
tools|tojson | tools|tojson(indent=2) | d|tojson | s|tojson | none|tojson | x|tojson | d|tojson(sort_keys=true) | items|tojson(separators=(',', ':'))
messages|map(attribute='role')|list | messages|map(attribute='role')|join(',') | items|map('string')|list | items|select('odd')|list
items|reject('odd')|list | messages|selectattr('role', 'equalto', 'user')|list|length | messages|rejectattr('role', 'eq', 'user')|map(attribute='role')|list
messages|selectattr('content')|list|length | [1, 2, 1, 3]|unique|list | ['b', 'A', 'c']|sort | ['b', 'A', 'c']|sort(case_sensitive=true)
'a\\nb'|indent(2) | 'a\\nb'|indent(2, true) | 'one two three'|wordcount | '<a>'|escape | '<a>'|e | '<a>'|safe | '%s-%s'|format('a', 'b')
range(3)|list | range(1, 10, 3)|list | range(3, 0, -1)|list | dict(a=1, b=2) | namespace(a=1).a | '\\u00e9' | 'x\\ty' | "a'b" | 'a"b'
messages[2].content.split('</think>')[-1].strip() | messages[2].content.split('</think>')[0].split('<think>')[-1] | (s ~ '!')|upper
'a' if not none else 'b' | [1, 2, 3][1] | {'x': {'y': 2}}.x.y | (1 + 2)|string ~ 'z' | not (1 in [2]) | -n | +n | - 2 ** 2 | 2 - -2
"""
STATEMENTS = [
    "{% for m in messages %}{{ loop.index }}/{{ loop.length }} {{ m.role }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for a, b in d.items() %}{{ a }}={{ b }};{% endfor %}",
    "{% for i in items if i > 1 %}{{ loop.index0 }}:{{ i }} {% else %}none{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}",
    "{% set a = 1 %}{% for i in items %}{% set a = a + i %}{% endfor %}{{ a }}",
    "{% set ns = namespace(a=1) %}{% for i in items %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a %}x{{ n }}y{% endset %}{{ a|upper }}",
    "{% macro f(a, b='z') %}[{{ a }}{{ b }}]{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(b=3, a=4) }}",
    "{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}in{% endcall %}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
    "{% if n > 9 %}a{% elif n > 5 %}b{% else %}c{% endif %}",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a  {%- if true -%}  b  {%- endif -%}  c",
    "{{- 'x' -}}   y",
    "{# a comment #}x{#- another -#}  y",
    "{% raw %}{{ x }}{% endraw %}",
    "{% filter upper %}abc{{ s }}{% endfilter %}",
    "{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% with a = 3 %}{{ a }}{% endwith %}{{ a is defined }}",
    "{% for i in items %}{{ loop.cycle('a', 'b') }}{{ loop.first }}{{ loop.revindex }}{% endfor %}",
    "{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{% endfor %}",
    "{% for i in items %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}",
    "{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ rest|length }}",
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '</s>\\n' }}{% endfor %}",
    "{%- for m in messages %}\n  {{- m.role }}\n{%- endfor %}\n",
    "{% for r in [[1, 2], [3]] recursive %}{{ r if r is number else loop(r) }},{% endfor %}",
    "{% set x = [1, 2] %}{% set x = x + [3] %}{{ x }}",
    "  {%+ if true %}x{% endif %}",
    "{{ messages }}",
]


def main() -> None:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment.filters["tojson"] = tojson
    templates = list(STATEMENTS)
    for line in EXPRESSIONS.strip().splitlines():
        templates += ["{{ " + part + " }}" for part in line.split(" | ")]
    lines = [json.dumps({"context": CONTEXT}, ensure_ascii=False)]
    for template in templates:
        try:
            text = environment.from_string(template).render(**CONTEXT)
            lines.append(json.dumps({"template": template, "text": text}, ensure_ascii=False))
        except Exception as error:  # whatever it is, ours must fail, too
            lines.append(json.dumps({"template": template, "fails": type(error).__name__}, ensure_ascii=False))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(templates)} templates, {sum('fails' in line for line in lines)} of which fail")


if __name__ == "__main__":
    main()
