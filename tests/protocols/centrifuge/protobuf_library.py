"""The same messages in Google's library, by descriptors that are made of our table."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from msgspec import Raw

from channels.protocols.centrifuge.messages import Scalar, WireMessage
from channels.protocols.centrifuge.schema import fields_of

_F = descriptor_pb2.FieldDescriptorProto
TYPES: dict[Any, int] = {str: _F.TYPE_STRING, bool: _F.TYPE_BOOL, Raw: _F.TYPE_BYTES} | {
    scalar: getattr(_F, f"TYPE_{scalar.name}") for scalar in Scalar
}


def _describe(kind: type[WireMessage], described: Any) -> None:
    described.name = kind.__name__
    for field in fields_of(kind):
        label = _F.LABEL_REPEATED if field.many else _F.LABEL_OPTIONAL
        added = described.field.add(name=field.name, number=field.number, label=label)
        if field.mapped:
            entry = described.nested_type.add(name=field.name.title().replace("_", "") + "Entry")
            entry.options.map_entry = True
            _type(entry.field.add(name="key", number=1, label=_F.LABEL_OPTIONAL), str)
            _type(entry.field.add(name="value", number=2, label=_F.LABEL_OPTIONAL), field.kind)
            added.type, added.type_name = _F.TYPE_MESSAGE, f".wire.{kind.__name__}.{entry.name}"
        else:
            _type(added, field.kind)


def _type(added: Any, kind: Any) -> None:
    if kind in TYPES:
        added.type = TYPES[kind]
    else:
        added.type, added.type_name = _F.TYPE_MESSAGE, f".wire.{kind.__name__}"


def _classes() -> dict[type[WireMessage], Any]:
    file = descriptor_pb2.FileDescriptorProto(name="wire.proto", package="wire", syntax="proto3")
    for kind in WireMessage.__subclasses__():
        _describe(kind, file.message_type.add())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        kind: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"wire.{kind.__name__}"))
        for kind in WireMessage.__subclasses__()
    }


CLASSES = _classes()


def read(kind: type[WireMessage], data: bytes) -> WireMessage:
    """What the library reads, as one of our messages; its DecodeError if it refuses."""
    return _ours(kind, CLASSES[kind].FromString(data))


def _ours(kind: type[WireMessage], message: Any) -> WireMessage:
    set_fields = {descriptor.name: value for descriptor, value in message.ListFields()}
    values: dict[str, Any] = {}
    for field in fields_of(kind):
        value = set_fields.get(field.name)
        if value is None:
            values[field.name] = field.absent()
        elif field.mapped:
            values[field.name] = {key: _one(field.kind, value[key]) for key in value}
        elif field.repeated:
            values[field.name] = [_one(field.kind, item) for item in value]
        else:
            values[field.name] = _one(field.kind, value)
    return kind(**values)


def _one(kind: Any, value: Any) -> Any:
    if kind is Raw:
        return Raw(value)
    return value if kind in TYPES else _ours(kind, value)
