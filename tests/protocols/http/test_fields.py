"""The fields of responses: what may be sent, in no version's form."""

import pytest

from channels.core.bounded_cache import BoundedCache
from channels.protocols.http.fields import (
    MAX_NAMES,
    ResponseFields,
    check_value,
    checked_lowercase,
    kinds_of,
    lowercase,
)


def test_few_names_are_remembered():
    assert lowercase.bound == MAX_NAMES
    names = BoundedCache("test.names", MAX_NAMES, checked_lowercase, replace=False)
    for number in range(MAX_NAMES + 10):
        assert names[b"X-%d" % number] == b"x-%d" % number
    assert len(names) == MAX_NAMES


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"\xe4", b"a\r"])
def test_what_is_no_name(name):
    with pytest.raises(ValueError, match="is no header name"):
        lowercase[name]


@pytest.mark.parametrize("value", [b"a\r", b"\n", b"a\0b"])
def test_a_value_that_would_end_the_field(value):
    with pytest.raises(ValueError, match="The value of header b'x' cannot be sent") as raised:
        check_value(b"x", value)
    assert repr(value) not in str(raised.value)


def test_types_are_told_and_no_values():
    assert kinds_of("text") == "str"
    assert kinds_of([b"ab"]) == "bytes among them"
    assert kinds_of([(b"cookie", "secret")]) == "(bytes, str) for b'cookie'"
    assert kinds_of([(b"a", b"b")]) == "these"


def test_fields_without_some():
    fields = ResponseFields(((b"Date", b"1"), (b"Server", b"x")), 3)
    left = fields.without({b"date"})
    assert (left.headers, left.length) == (((b"Server", b"x"),), 3)


def test_a_value_that_can_be_sent():
    check_value(b"x", b"a\tb \xe9")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [("text", TypeError, "text"), (b"a b", ValueError, "is no header name"), (b"", ValueError, "")],
)
def test_names_that_are_none(name, error, message):
    with pytest.raises(error, match=message):
        checked_lowercase(name)
    assert checked_lowercase(b"X-Own") == b"x-own"
