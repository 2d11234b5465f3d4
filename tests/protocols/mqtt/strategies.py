"""Packets at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from channels.protocols.mqtt import packets as p
from channels.protocols.mqtt import properties as table
from channels.protocols.mqtt.decoding import (
    _AUTH_REASONS,
    _CONNECT_REASONS,
    _DISCONNECT_REASONS,
    _PUBLISH_REASONS,
    _RELEASE_REASONS,
    _SUBSCRIBE_REASONS,
    _UNSUBSCRIBE_REASONS,
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
topics = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=8)
filters = (
    st.lists(st.sampled_from(["a", "b", "", "+", "$x"]), min_size=1, max_size=3).map("/".join).filter(bool)
)
binary = st.binary(max_size=8)
ids = st.integers(1, 65535)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    table.BIT: st.integers(0, 1),
    table.U16: st.integers(0, 65535),
    table.U32: st.integers(0, 2**32 - 1),
    table.U16_POSITIVE: ids,
    table.U32_POSITIVE: st.integers(1, 2**32 - 1),
    table.VARINT_POSITIVE: st.integers(1, 268_435_455),
    table.ALIAS: ids,
    table.TEXT: texts,
    table.TOPIC: topics,
    table.BINARY: binary,
    table.PAIR: st.tuples(texts, texts),
}


def properties(packet: str, version: int) -> st.SearchStrategy[Any]:
    if version != p.V5:
        return st.just({})
    known = {each.name: each for each in table.PROPERTIES.values() if packet in each.packets}

    def value(name: str) -> st.SearchStrategy[Any]:
        one = VALUES[known[name].type]
        return st.lists(one, min_size=1, max_size=3) if table._repeats(name, packet) else one

    def valid(found: dict[str, Any]) -> bool:
        return "authentication_data" not in found or "authentication_method" in found

    return st.fixed_dictionaries({}, optional={name: value(name) for name in known}).filter(valid)


def reasons(allowed: frozenset[int]) -> st.SearchStrategy[int]:
    return st.sampled_from(sorted(allowed))


def wills(version: int) -> st.SearchStrategy[Any]:
    return st.builds(p.Will, topics, binary, st.integers(0, 2), st.booleans(), properties("WILL", version))


@st.composite
def publishes(draw: Any, version: int) -> p.Publish:
    qos = draw(st.integers(0, 2))
    dup, packet_id = (draw(st.booleans()), draw(ids)) if qos else (False, 0)
    more = draw(properties("PUBLISH", version))
    return p.Publish(draw(topics), draw(binary), qos, draw(st.booleans()), dup, packet_id, more)


@st.composite
def connects(draw: Any, version: int) -> p.Connect:
    username = draw(st.none() | texts)
    password = draw(st.none() | binary) if username is not None or version == p.V5 else None
    will, more = draw(st.none() | wills(version)), draw(properties("CONNECT", version))
    keep_alive = draw(st.integers(0, 65535))
    return p.Connect(draw(texts), version, draw(st.booleans()), keep_alive, username, password, will, more)


def subscriptions(version: int) -> st.SearchStrategy[Any]:
    if version == p.V5:
        flags = (st.booleans(), st.booleans(), st.integers(0, 2))
        return st.builds(p.Subscription, filters, st.integers(0, 2), *flags)
    return st.builds(p.Subscription, filters, st.integers(0, 2))


def acknowledgements(kind: Any, allowed: frozenset[int], version: int) -> st.SearchStrategy[Any]:
    if version != p.V5:
        return st.builds(kind, ids)
    return st.builds(kind, ids, reasons(allowed), properties(kind.__name__.upper(), version))


def from_clients(version: int) -> st.SearchStrategy[Any]:
    """What a client may send behind its CONNECT."""
    kinds = [
        publishes(version),
        acknowledgements(p.PubAck, _PUBLISH_REASONS, version),
        acknowledgements(p.PubRec, _PUBLISH_REASONS, version),
        acknowledgements(p.PubRel, _RELEASE_REASONS, version),
        acknowledgements(p.PubComp, _RELEASE_REASONS, version),
        st.builds(
            p.Subscribe,
            ids,
            st.lists(subscriptions(version), min_size=1, max_size=3),
            properties("SUBSCRIBE", version),
        ),
        st.builds(
            p.Unsubscribe, ids, st.lists(filters, min_size=1, max_size=3), properties("UNSUBSCRIBE", version)
        ),
        st.builds(p.PingReq),
    ]
    if version == p.V5:
        kinds.append(st.builds(p.Disconnect, reasons(_DISCONNECT_REASONS), properties("DISCONNECT", version)))
        kinds.append(st.builds(p.Auth, reasons(_AUTH_REASONS), properties("AUTH", version)))
    return st.one_of(kinds)


def from_servers(version: int) -> st.SearchStrategy[Any]:
    """What only a server sends."""
    if version != p.V5:
        connack = st.builds(p.ConnAck, st.sampled_from([0, 0x84, 0x85, 0x86, 0x87, 0x88]), st.booleans())
        subacks = st.lists(st.sampled_from([0, 1, 2, 0x80]), min_size=1, max_size=3)
        return st.one_of(
            connack, st.builds(p.SubAck, ids, subacks), st.builds(p.UnsubAck, ids), st.builds(p.PingResp)
        )
    return st.one_of(
        st.builds(p.ConnAck, reasons(_CONNECT_REASONS), st.booleans(), properties("CONNACK", version)),
        st.builds(
            p.SubAck, ids, st.lists(reasons(_SUBSCRIBE_REASONS), max_size=3), properties("SUBACK", version)
        ),
        st.builds(
            p.UnsubAck,
            ids,
            st.lists(reasons(_UNSUBSCRIBE_REASONS), max_size=3),
            properties("UNSUBACK", version),
        ),
        st.builds(p.PingResp),
    )
