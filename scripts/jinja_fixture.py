#!/usr/bin/env python3
"""Writes Tests/JinjaTests/expressions.jsonl: small templates and what Python's jinja2 makes of them.

Needs transformers 5.23 and jinja2 3.1: templates run as transformers runs them.
"""
import json
import pathlib

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
    "flag": True, "odd": "a\u0007\u0085\u00a0\u00ad\u200b\u2028é日😀\U000e0001'\"\\\n<|x|>", "spec": {"items": [1], "keys": "k", "title": "t", "größe": {"it's": "x"}},
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
odd | [odd] | {'k': odd} | {odd: 1} | (odd,) | [odd]|string | odd|tojson | odd|tojson(ensure_ascii=true) | [odd, 1.0, none]|tojson(ensure_ascii=true)
spec | spec|tojson | spec|tojson(true) | spec|tojson(true, 2) | spec|tojson(indent=0) | spec|tojson(indent='--') | spec|tojson(separators=(';', '=')) | '%s' % [odd]
spec|tojson(indent=4, separators=(',', ': ')) | spec|tojson(indent=2, sort_keys=true) | [[], {}, [[]]]|tojson | [[], {}, [[]]]|tojson(indent=2) | d|tojson(indent=none)
{1: 2, none: 3, true: 4, 2.5: 5}|tojson | {(1, 2): 3}|tojson | items|map('string')|tojson | range(3)|tojson | missing|tojson | [missing]|tojson | (1, 2)|tojson
'{}'.format([odd]) | [1e16, 1e-5, 1e22, 123456789.125, 0.1, -0.0, 1e300, 3.0]|tojson | [1e16, 1e-5, 1e22, 5e-324]|string | 'é'|tojson ~ '' | ['é', "'"]
none|map('upper')|list | 0|select|list | ''|selectattr('x')|list | none|rejectattr('x')|list | none|reject|list | none|list | none|sort | none|unique|list | none|join
none|first | none|length | none|sum | none|max | none|items|list | none|reverse|list | missing|map('upper')|list | missing|items|list | missing|list | missing|sum
missing|max is defined | missing|upper | missing|trim | missing|int | missing|float | missing|abs | missing|round | missing|dictsort | missing|first is defined | missing|join
missing|length | missing|string | missing.x is defined | missing ~ 'x' | missing + 'x' | 'x' in missing | missing == none | missing|default | missing is iterable | missing is sequence
'<a>'|safe + '<b>' | '<b>' + '<a>'|safe | ['<a>'|safe] | ('<a>'|safe)|upper + '<' | ('<a>'|safe).join(['<', '>']) | '<%s>'|safe % '<' | ('<{}>'|safe).format('<')
'<a>'|safe|replace('a', '<') + '<' | ('<a>'|safe)[1:] + '<' | '<'|e + '<' | '<a>'|safe|trim|e | '<a>'|safe|title|e | '<'|safe|string|e | '<'|safe ~ '<'
('<'|safe ~ '<')|e | ('<'|safe) * 2 + '<' | ('<'|safe)|indent + '<' | '<a,b'|safe|list | '<a'|safe|first|e | ('<a b'|safe).split() | ('<'|safe)|capitalize|e
'<%s'|safe|format('<') | '<%s'|format('<'|safe) | ['<', '>'|safe]|join('<')|e | '<'|e|e | '<'|e|forceescape | '<'|safe|tojson | '<&>"\''|e
'10'|int(base=0) | '0x1f'|int(base=0) | '0b11'|int(base=0) | '0o17'|int(0, 0) | '012'|int(base=0) | '00'|int(base=0) | '0x1f'|int(base=16) | '1f'|int(base=16)
'7'|int(base=1) | '7'|int(base=37) | '-7'|int(base=-3) | 'zz'|int(base=36) | '-0x1f'|int(base=0) | '+-5'|int | '0x1f'|int | '0x1p3'|float | 'nan'|int | 'inf'|int
'%d' % 9223372036854775807 | '%d' % 2.9 | '%d' % -2.9 | '%d' % true | '%5.3d' % 7 | '%-+5d|' % 7 | '%5-d' % 3 | '%.1.2f' % 3 | '%s %%' % 1 | '%d' % 'x'
42|round | 42|round(1) | 17|round(-1) | 1234.5|round(-2) | 42|round(method='floor') | 7|abs | -7.5|abs | 0 ** -1 | (-1) ** 101 | 2 ** 62 | 9223372036854775806 < 9223372036854775807
'ab'.center(5, '*') | 'a'.center(4, '*') | 'abc'.center(8) ~ '|' | '-5'.zfill(4) | '+5'.zfill(4) | 'x'.ljust(4, 'ab') | 'x'.rjust(4, '') | 'x'.rjust(3, '.') | 'xyz'.zfill(2) | ''.zfill(2)
'{'.format() | '}'.format() | '{{}}'.format() | 'a{0}{0}'.format(1) | 'banana'.count('an') | 'aaaa'.count('aa') | ''.count('') | 'abc'.count('') | 'a  b c'|wordcount | ' '|wordcount
range(-5, 5, 4)|list | range(5, -5, -4)|list | range(9223372036854775806, 9223372036854775807)|list | range(0, 9223372036854775807, 9223372036854775807)|list | range(5)[-1] | range(5)[9] is defined
range(5)[1:3]|list | 'abcdef'[::-9223372036854775807] | 'abcdef'[1:9223372036854775807:9223372036854775807] | 'abc'[-9223372036854775807:] | 'abc'|first | 'abc'|last | ''|first is defined
d.items() == d.items() | d.keys() == d.keys() | d == {'C': 3, 'a': 2, 'b': 1} | {9007199254740993: 'a', 9007199254740992: 'b'} | {1: 'a', 1.0: 'b', true: 'c'} | d.items() | [d.values()] | [range(3)]
d.items() | d.keys() | d.values() | range(3) | range(1, 5, 2) | range(3)[1] | range(5)[1:3]|list | d.items()|length | {}.items() is sequence | range(2) is sequence
1 if range(0) else 2 | 1 if {}.items() else 2 | 1 if []|select else 2 | 1 if [1]|reverse else 2 | [1]|map('string')|length | [1, 2]|map('string')|first | d.keys() == d.keys()
[1, 2]|map('string') + ['x'] | ([1, 2]|map('string'))[0] is defined | [[1, 2], [3]]|sum(start=[]) | 1 in [1, 2]|map('int') | d.items()|tojson | d.items()|list|tojson
d|items|first | items|reverse|first | items|map('int')|last | items|select|join('-') | d.values()|sum | d.values()|max | d.keys()|join(',') | dict(d.items())|length
spec.items is defined | spec.items|string is string | spec['items'] | spec.keys is string | spec['keys'] | spec.title | spec.größe | spec.get('items') | spec['get'] is callable | spec.pop is defined
spec|attr('title') is defined | [spec]|map(attribute='items')|first | [spec]|map(attribute='größe.it\'s')|first | s.title is callable | s.title() | items.index is callable | items.index(1)
spec.zzz is defined | spec.items() is iterable | spec.update({'a': 1}) | items.append(1) | s.format is callable | '%s' % (odd,) | dict(a=1, **d) | namespace(d).a | namespace(a=1)['a'] | dict([('a', 1)])
('aab' * 30 + 'c') in ('aab' * 200 + 'c') | ('aab' * 30 + 'd') in ('aab' * 200 + 'c') | ('ab' * 20 ~ 'x' ~ 'ab' * 25).split('ab' * 10) | ('ab' * 20 ~ 'x' ~ 'ab' * 25).rsplit('ab' * 10, 2)
('x' ~ 'ab' * 25).rfind('ab' * 10) | ('ab' * 25).find('ba' * 10) | 'aaa'.rsplit('aa') | 'a,b,c'.rsplit(',', 1) | 'abcabc'.rfind('abc') | 'abcabc'.replace('abc', 'x' * 20)
s.isupper() | 'ABC'.isupper() | 'abc1'.islower() | '  '.isspace() | 'a1'.isalnum() | s.rfind('l') | s.rpartition(' ') | s.index('w') | s.index('zz') | s.swapcase() | s.casefold() | 'a\tb'.expandtabs(4)
"""
STATEMENTS = [
    "{% set ns = namespace(a=1) %}{% set ns.b = [ns] %}{{ ns }}",
    "{% set ns = namespace(a=1) %}{% set other = namespace(b=ns) %}{% set ns.c = other %}{{ [ns, other] }}",
    "{% set ns = namespace(a=1) %}{% set ns.b = {'x': ns}.items() %}{{ ns }}",
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
    "{% set g = items|map('string') %}{{ g|list }}{{ g|list }}",
    "{% set g = items|select('odd') %}{% for i in g %}{{ i }}{% endfor %}{% for i in g %}{{ i }}{% else %}gone{% endfor %}",
    "{% set v = d.items() %}{{ v|list }}{{ v|list }}",
    "{% set r = items|reverse %}{{ r|list }}{{ r|list }}",
    "{% if messages|selectattr('role', 'equalto', 'nobody') %}yes{% else %}no{% endif %}",
    "{% set tools = none %}{% set found = tools|selectattr('type', 'equalto', 'x')|list|length > 0 %}{{ found }}",
    "{% macro kind(spec) %}{% if spec.type is iterable %}I{% for t in spec.type %}{{ t }}{% endfor %}{% endif %}{% endmacro %}{{ kind(spec.items) }}",
    "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, b=odd) }}",
    "{% for k, v in spec|dictsort %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in spec|items %}{{ k }}={{ v|tojson }};{% endfor %}",
    "{% set ns = namespace(x=[]) %}{% for m in messages %}{% set ns.x = ns.x + [m.role] %}{% endfor %}{{ ns.x|join('/') }}",
    "{% generation %}{{ s }}{% endgeneration %}!",
    "{% for m in messages if m.role != 'system' %}{% generation %}\n{{ m.content }}{% endgeneration %}{% endfor %}",
    "{{ raise_exception('no') }}",
    "{% set x %}<{{ s }}>{% endset %}{{ x|e }}{{ x + '<' }}",
    "{% macro f() %}<b>{% endmacro %}{{ f() + '<' }}{{ f()|e }}",
    "{%- for i in range(3) -%}\n  {{- i -}}\n  {%- if not loop.last %}, {% endif -%}\n{%- endfor -%}\n",
    "{% for i in range(3) %}\n  {% if i %}\n    {{ i }}\n  {% endif %}\n{% endfor %}\n",
    "{% set ns = namespace() %}{% set ns._x = 1 %}{{ ns._x }}",
    "{{ ''.__class__ }}|{{ d.__len__ }}|{{ s._x is defined }}",
    "{{ s.__class__.__mro__ }}",
    "{{ range(100001)|length }}",
    "{{ dict.fromkeys([1, 2], 'a') }}",
    "{{ namespace(_a=1) }}",
]


def main() -> None:
    from transformers.utils.chat_template_utils import _compile_jinja_template

    templates = list(STATEMENTS)
    for line in EXPRESSIONS.strip().splitlines():
        templates += ["{{ " + part + " }}" for part in line.split(" | ")]
    lines = [json.dumps({"context": CONTEXT}, ensure_ascii=False)]
    for template in templates:
        try:
            text = _compile_jinja_template(template).render(**CONTEXT)
            lines.append(json.dumps({"template": template, "text": text}, ensure_ascii=False))
        except Exception as error:  # whatever it is, ours must fail, too
            lines.append(json.dumps({"template": template, "fails": type(error).__name__}, ensure_ascii=False))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(templates)} templates, {sum('fails' in line for line in lines)} of which fail")


if __name__ == "__main__":
    main()
