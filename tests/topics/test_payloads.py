"""What is published is JSON, or the publisher hears of it; nobody else does."""

from typing import Any

import msgspec
import pytest

from channels.topics import InvalidData
from channels.topics.payloads import encode
from tests.topics.topics_for_tests import Room

NO_JSON = [
    msgspec.Raw(b"{"),
    msgspec.Raw(b""),
    msgspec.Raw(b"1 2"),
    msgspec.Raw(b'"\xff"'),
    [msgspec.Raw(b"{")],
    {"nested": msgspec.Raw(b"1,2]")},
    "\ud800",
]


@pytest.mark.parametrize("data", NO_JSON, ids=range(len(NO_JSON)))
def test_what_is_no_json_is_not_published(data: Any) -> None:
    with pytest.raises(InvalidData):
        Room(name="lobby").publish(data)
    with pytest.raises(InvalidData):
        encode(data)


def test_json_that_is_written_already_goes_on_one_line() -> None:
    assert encode(msgspec.Raw(b'{\n "a": [1,\r\n 2]}')) == b'{ "a": [1, 2]}'
    assert encode({"a": msgspec.Raw(b'"\xc3\xbc"')}) == '{"a":"ü"}'.encode()


@pytest.mark.parametrize("tags", [{"a": 1}, {1: "a"}, {"a": "\ud800"}, {"\ud800": "a"}], ids=repr)
def test_tags_are_texts(tags: Any) -> None:
    with pytest.raises(InvalidData, match="ag"):
        Room(name="lobby").publish(1, tags=tags)
