"""The rules of the grammar, with what each takes and refuses."""

import re

import pytest

from channels.protocols.http import abnf

CASES = {
    abnf.TOKEN: (
        [b"GET", b"x-y", b"!#$%&'*+-.^_`|~09Az"],
        [b"", b"a b", b"a:", b'"a"', b"(", b"\xe4", b"a\n"],
    ),
    abnf.LOWERCASE_NAME: ([b"x-y", b"a_1"], [b"", b"X", b":path", b"a b"]),
    abnf.FIELD_VALUE: ([b"", b"a", b"a\tb", b"\xe4"], [b"a ", b"a\t", b"a\rb", b"\0", b"\x7f"]),
    abnf.FIELD_LINE: (
        [b"A:\r\n", b"a: b \t\r\n"],
        [b"a : b\r\n", b" a: b\r\n", b"a: b\n", b"a: b", b": b\r\n"],
    ),
    abnf.CHUNK_LINE: (
        [b"0\r\n", b"fF;a=b\r\n", b"0" * 16 + b"\r\n"],
        [b"\r\n", b"1 \r\n", b"0x1\r\n", b"-1\r\n", b"0" * 17 + b"\r\n", b"1;\0\r\n", b"1\n"],
    ),
    abnf.REQUEST_LINE: (
        [b"GET / HTTP/1.1\r\n", b"M * HTTP/9.9\r\n"],
        [b"GET  / HTTP/1.1\r\n", b"GET / HTTP/1\r\n", b"G(T / HTTP/1.1\r\n", b"GET / HTTP/1.1\n"],
    ),
    abnf.HOST: (
        [b"", b"a.b:80", b"[::1]:443", b"a%20"],
        [b"a b", b"a/b", b"a:x", b"[a", b"a:123456", b"a@b"],
    ),
    abnf.LENGTH: ([b"0", b"9" * 18], [b"", b"+1", b"-1", b"1 ", b"9" * 19, b"1,1"]),
}


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, (good, _) in CASES.items() for text in good]
)
def test_a_rule_takes(rule, text):
    assert re.fullmatch(rule, text)


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, (_, bad) in CASES.items() for text in bad])
def test_a_rule_refuses(rule, text):
    assert not re.fullmatch(rule, text)


def test_each_rule_has_cases():
    assert set(CASES) | {abnf.TCHAR, abnf.OWS} == {
        rule for name, rule in vars(abnf).items() if name.isupper() and isinstance(rule, bytes)
    }


def test_empty_elements_of_a_list_are_ignored():
    assert abnf.list_elements(b" a, ,b\t,,c d") == [b"a", b"b", b"c d"]
    assert abnf.list_elements(b" ,\t") == []
