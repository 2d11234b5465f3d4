from __future__ import annotations

import datetime
import decimal
import enum
import json
import uuid
from zoneinfo import ZoneInfo

import msgspec
import pytest
from cryptography.fernet import Fernet, InvalidToken

from channels.exceptions import InvalidMessageError, MessageTooLarge
from channels.layers.serializers import (
    BaseMessageSerializer,
    JSONSerializer,
    LimitedSerializer,
    MsgPackSerializer,
    SerializerDoesNotExist,
    SerializersRegistry,
    registry,
)
from channels.testing.contracts import VALUES

FORMATS = [MsgPackSerializer, JSONSerializer]


class Text(str):
    pass


class Colour(enum.IntEnum):
    RED = 3


class Letter(enum.Enum):
    A = 1


@pytest.mark.parametrize("serializer_class", FORMATS)
def test_the_values_of_the_contract_come_back(serializer_class):
    serializer = serializer_class()
    message = {
        "type": "test",
        **VALUES,
        "nested": {"again": VALUES, "keys": {1: 2, (1, 2): {frozenset({3})}, None: 4}},
    }
    back = serializer.deserialize(serializer.serialize(message))
    assert back == message
    for key, value in VALUES.items():
        assert type(back[key]) is type(value)


@pytest.mark.parametrize("serializer_class", FORMATS)
def test_subclasses_come_back_as_what_they_are_a_subclass_of(serializer_class):
    serializer = serializer_class()
    when = datetime.datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    message = {
        "text": Text("safe"),
        "number": Colour.RED,
        "bytes": bytearray(b"x"),
        "view": memoryview(b"y"),
        "frozen": frozenset({1}),
        "float": type("F", (float,), {})(1.5),
        "when": when,
        Text("key"): 1,
        "nan": float("nan"),
    }
    back = serializer.deserialize(serializer.serialize(message))
    assert back.pop("nan") != message.pop("nan")
    expected = {**message, "bytes": b"x", "view": b"y", "frozen": {1}}
    assert back == expected
    assert type(back["text"]) is str and type(back["number"]) is int
    assert back["when"].utcoffset() == when.utcoffset()


def test_plain_values_are_plain_msgpack_for_other_libraries():
    data = MsgPackSerializer().serialize({"type": "a", "l": [1, {"x": None}], "b": b"\x00"})
    assert data == msgspec.msgpack.encode({"type": "a", "l": [1, {"x": None}], "b": b"\x00"})
    assert MsgPackSerializer().serialize({"type": "a"}) == b"\x81\xa4type\xa1a"
    assert MsgPackSerializer().deserialize(b"\x81\xa1a\xd4\x63\x01") == {
        "a": msgspec.msgpack.Ext(0x63, b"\x01")
    }


def test_plain_values_are_plain_json():
    assert JSONSerializer().serialize({"type": "a", "t": [1, 2]}) == b'{"type": "a", "t": [1, 2]}'
    assert JSONSerializer().deserialize(b'{"a":{"__type__":99}}') == {"a": {"__type__": 99}}


def test_dicts_that_look_like_ours_survive_json():
    message = {"type": "a", "odd": {"__type__": 1, "value": "not a date"}}
    assert JSONSerializer().deserialize(JSONSerializer().serialize(message)) == message


@pytest.mark.parametrize("serializer_class", FORMATS)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"outer": [1, {"culprit": object()}]}, r"object at message\['outer\[1\].culprit'\]"),
        ({"big": 2**70}, r"message\['big'\] has more than 64 bits"),
        ({"type": "a", "set": {1, Letter.A}}, r"message\['set\[\d\]'\]"),
    ],
)
def test_what_cannot_travel_is_named(serializer_class, value, text):
    with pytest.raises(TypeError, match=text):
        serializer_class().deserialize(serializer_class().serialize(value))


def test_text_that_is_no_unicode_is_named():
    with pytest.raises(TypeError, match=r"message\['bad'\] cannot be sent"):
        MsgPackSerializer().serialize({"type": "a", "bad": ["\ud800"]})
    with pytest.raises(TypeError, match="A key of the message"):
        MsgPackSerializer().serialize({"type": "a", "\ud800": 1})


@pytest.mark.parametrize("serializer_class", FORMATS)
def test_encryption_with_rotation(serializer_class):
    old = serializer_class(symmetric_encryption_keys=["old"])
    new = serializer_class(symmetric_encryption_keys=["new", b"old"])
    assert new.deserialize(old.serialize({"a": 1})) == {"a": 1}
    assert b"visible" not in new.serialize({"a": "visible"})
    with pytest.raises(InvalidToken):
        old.deserialize(new.serialize({"a": 1}))
    with pytest.raises(InvalidToken):
        old.deserialize(b"rubbish")


def test_a_key_encrypts_as_in_4_3():
    token = (
        b"gAAAAABrAwYq8jbL-VXlJbyPw3sViHU15wNu3xAfjNy5selDIXRJNKJ5OmjE"
        b"72O7DbnjEKpq9sMvmfRVtOXoDDMvQy2N61GFdw=="
    )
    assert MsgPackSerializer(symmetric_encryption_keys=["abc"]).deserialize(token) == {"type": "a"}


def test_old_messages_are_refused():
    serializer = JSONSerializer(symmetric_encryption_keys=["k"], expiry=5)
    fernet: Fernet = serializer.make_fernet("k")
    assert serializer.deserialize(fernet.encrypt(b'{"a": 1}')) == {"a": 1}
    with pytest.raises(InvalidToken):
        serializer.deserialize(fernet.encrypt_at_time(b'{"a": 1}', 1_000_000))


def test_the_random_prefix():
    serializer = MsgPackSerializer(random_prefix_length=12)
    first, second = serializer.serialize({"a": 1}), serializer.serialize({"a": 1})
    assert first != second and first[12:] == second[12:]
    assert serializer.deserialize(first) == {"a": 1}


def test_keys_must_be_a_list():
    with pytest.raises(ValueError, match="must be a list of possible keys"):
        MsgPackSerializer(symmetric_encryption_keys="abc")


def test_a_serializer_of_ones_own():
    class Upper(BaseMessageSerializer):
        def as_bytes(self, message, *args, **kwargs):
            return json.dumps(message).upper().encode()

        def from_bytes(self, message, *args, **kwargs):
            return json.loads(message.lower())

    own = SerializersRegistry()
    own.register_serializer("upper", Upper)
    serializer = own.get_serializer("upper", random_prefix_length=1)
    assert serializer.deserialize(serializer.serialize({"a": "b"})) == {"a": "b"}
    assert serializer.serialize({"a": "b"})[1:] == b'{"A": "B"}'


def test_the_registry_refuses():
    with pytest.raises(SerializerDoesNotExist, match="json.*msgpack") as caught:
        registry.get_serializer("xml")
    assert isinstance(caught.value, KeyError)
    with pytest.raises(AssertionError, match="implements `serialize` and `deserialize`"):
        registry.register_serializer("bad", uuid.UUID)
    assert isinstance(registry.get_serializer("json"), JSONSerializer)


def test_decimals_keep_their_digits():
    serializer = MsgPackSerializer()
    back = serializer.deserialize(serializer.serialize({"d": decimal.Decimal("1.500")}))
    assert str(back["d"]) == "1.500"


@pytest.mark.parametrize("serializer", FORMATS)
def test_what_contains_itself_is_named(serializer):
    endless: dict[str, object] = {}
    endless["again"] = endless
    with pytest.raises(TypeError, match="message\\['ring'\\] contains itself"):
        serializer().serialize({"type": "a", "fine": [1], "ring": endless})


def test_limited_messages_come_back_each_time_anew():
    serializer = LimitedSerializer(1000, "the layer")
    data = serializer.as_bytes({"type": "test", "items": [1]})
    first, second = serializer.from_bytes(data), serializer.from_bytes(data)
    assert first == second == {"type": "test", "items": [1]}
    assert first["items"] is not second["items"]


def test_a_message_over_the_limit_says_both_sizes_and_the_setting():
    with pytest.raises(
        MessageTooLarge, match=r"'test' has \d\d\d\d bytes, the layer carries 1000 .*max_message_size"
    ):
        LimitedSerializer(1000, "the layer").as_bytes({"type": "test", "text": "x" * 1000})


def test_what_a_limited_serializer_refuses():
    with pytest.raises(TypeError, match="outer.culprit"):
        LimitedSerializer(1000, "the layer").as_bytes({"type": "test", "outer": {"culprit": object()}})
    with pytest.raises(InvalidMessageError, match="not a dict but str"):
        LimitedSerializer(1000, "the layer").as_bytes("text")
