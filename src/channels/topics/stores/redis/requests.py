"""What is asked of Redis, and what its answers mean: the same with a loop and without one."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from channels.layers.redis.connect.scripts import Script
from channels.protocols.centrifuge.messages import ClientInfo, Join, Leave
from channels.topics.stores.base import (
    Append,
    Event,
    Position,
    PresenceStats,
    Published,
    Retention,
    StreamPage,
)
from channels.topics.stores.records import (
    decode_client,
    decode_publication,
    encode_client,
    encode_publication,
)
from channels.topics.stores.redis.keys import TopicKeys
from channels.topics.stores.redis.scripts import (
    COUNT,
    JOIN,
    LAPSED,
    LEAVE,
    NOTE,
    PUBLISH,
    PUT,
    READ,
    RENEW,
    WHO,
)
from channels.topics.stores.values import Value

_T = TypeVar("_T")

#: Publications read in one step: a longer one would keep Redis from others.
PAGE: Final = 1000
#: Clients renewed in one step.
RENEWALS: Final = 500
_LAST: Final = 2**64 - 1


class Request(NamedTuple, Generic[_T]):
    """One step in Redis.

    Attributes:
        topic: whose it is; decides the shard.
        command: returns the command, told by which one is published, and whether by the script's text.
        answer: returns what the reply means.
        key: decides the server of a cluster.
        tries: how often it may be written if the connection is lost before the reply.
    """

    topic: str
    command: Callable[[str, bool], tuple[Any, ...]]
    answer: Callable[[Any], _T]
    key: bytes
    tries: int = 2


class Requests:
    """The requests of one store.

    Args:
        keys: of topics.
        lease: seconds that a presence entry lives.
    """

    def __init__(self, keys: TopicKeys, lease: float) -> None:
        self._keys = keys
        self._lease = _milliseconds(lease)

    def publish(self, append: Append) -> Request[Published]:
        """Append a publication and carry it."""
        retention, record = append.retention, encode_publication(append.publication, append.beside)
        key = append.idempotency_key
        if not append.changes_stream:
            return self._carry(append.topic, record)
        keys = self._keys.idempotent(append.topic, key) if key else self._keys.stream(append.topic)
        args = [record, new_epoch(), *_of_retention(retention)]
        more: tuple[Any, ...] = ()
        if key or append.version:
            version = f"{append.version:019d}" if append.version else ""
            more = (_milliseconds(retention.idempotency_ttl), version, append.version_epoch.encode())

        def command(verb: str, by_text: bool) -> tuple[Any, ...]:
            run = PUBLISH.by_text if by_text else PUBLISH.by_name
            return run(keys, *args, verb, *more)

        return Request(append.topic, command, published, keys[0], 2 if key else 1)

    def _carry(self, topic: str, record: bytes) -> Request[Published]:
        """Carry a publication that is not stored."""
        channel = self._keys.channel(topic).key
        return Request(
            topic,
            lambda verb, by_text: (verb, channel, b"P0  " + record),
            lambda reply: Published(Position(0, "")),
            channel,
            tries=1,
        )

    def read(self, topic: str, since: int | None, limit: int, reverse: bool) -> Request[StreamPage]:
        """Read at most ``limit`` publications, the position of the end included."""
        keys = self._keys.stream(topic)
        args = (new_epoch(), _NEW_POSITION_TTL, *_range(since, reverse), limit)
        return self._script(topic, READ, keys, args, page)

    def remove(self, topic: str) -> Request[None]:
        """Remove a stream; its facts stay."""
        stream, _ = self._keys.stream(topic)
        return Request(topic, lambda verb, by_text: ("UNLINK", stream), _nothing, stream)

    def join(self, topic: str, info: ClientInfo, announce: bool) -> Request[bool]:
        """Note who is present; whether nobody was before."""
        return self._presence(topic, JOIN, (info.client.encode(), _entry(info, announce)), bool, tries=1)

    def leave(self, topic: str, info: ClientInfo, announce: bool) -> Request[bool]:
        """Forget who is present; whether nobody is any more."""
        return self._presence(topic, LEAVE, (info.client.encode(), int(announce)), bool, tries=1)

    def renew(self, topic: str, present: Sequence[tuple[ClientInfo, bool]]) -> Request[None]:
        """Renew leases; each client with whether it is announced."""
        args = [each for info, told in present for each in (info.client.encode(), _entry(info, told))]
        return self._presence(topic, RENEW, tuple(args), _nothing)

    def presence(self, topic: str) -> Request[dict[str, ClientInfo]]:
        """Read who is present."""
        return self._presence(topic, WHO, (), who)

    def presence_stats(self, topic: str) -> Request[PresenceStats]:
        """Count who is present."""
        return self._presence(topic, COUNT, (), lambda reply: PresenceStats(*map(int, reply)))

    def note(self, topics: Sequence[str]) -> Request[None]:
        """Note that presence entries of topics are made or renewed."""
        names = [topic.encode() for topic in topics]
        keys = (self._keys.leases,)
        return self._script(_LEASES, NOTE, keys, (self._lease, *names), _nothing)

    def lapsed(self) -> Request[list[str]]:
        """Read in which topics none was for a lease."""
        return self._script(_LEASES, LAPSED, (self._keys.leases,), (self._lease,), _names)

    def get(self, name: str) -> Request[Value | None]:
        """Read a value."""
        key = self._keys.value(name)
        return Request(name, lambda verb, by_text: ("HMGET", key, "v", "d"), _value, key)

    def put(self, name: str, value: Value, ttl: float) -> Request[bool]:
        """Write a value, if what is there has a lower version."""
        keys = (self._keys.value(name),)
        args = (f"{value.version:019d}", value.data, _milliseconds(ttl))

        def command(verb: str, by_text: bool) -> tuple[Any, ...]:
            return (PUT.by_text if by_text else PUT.by_name)(keys, *args)

        return Request(name, command, bool, keys[0], tries=1)

    def broadcast(self, message: bytes) -> Request[None]:
        """Tell every process."""
        control = self._keys.control
        return Request(
            control.name,
            lambda verb, by_text: (verb, control.key, message),
            _nothing,
            control.key,
            tries=1,
        )

    def _presence(
        self,
        topic: str,
        script: Script,
        args: tuple[Any, ...],
        answer: Callable[[Any], _T],
        tries: int = 2,
    ) -> Request[_T]:
        keys, lease = self._keys.presence(topic), self._lease

        def command(verb: str, by_text: bool) -> tuple[Any, ...]:
            return (script.by_text if by_text else script.by_name)(keys, verb, lease, *args)

        return Request(topic, command, answer, keys[0], tries)

    def _script(
        self,
        topic: str,
        script: Script,
        keys: tuple[bytes, ...],
        args: tuple[Any, ...],
        answer: Callable[[Any], _T],
    ) -> Request[_T]:
        def command(verb: str, by_text: bool) -> tuple[Any, ...]:
            return (script.by_text if by_text else script.by_name)(keys, *args)

        return Request(topic, command, answer, keys[0])


def new_epoch() -> str:
    """Return a name for a stream, should it need one: random, and anew in each forked process."""
    return format(random.getrandbits(32), "08x")  # it tells streams apart, and guards nothing


def published(reply: bytes) -> Published:
    """Return what became of a publication."""
    return Published(position(reply[1:]), False) if reply[0] == 33 else Published(position(reply))


def position(text: bytes) -> Position:
    """Return a position from ``offset epoch``."""
    offset, epoch = text.split(b" ", 1)
    return Position(int(offset), epoch.decode())


def page(reply: list[bytes]) -> StreamPage:
    """Return a piece of a stream."""
    end = position(reply[0])
    return StreamPage(
        [
            decode_publication(record, int(ident.partition(b"-")[0]), end.epoch)
            for ident, record in zip(reply[1::2], reply[2::2], strict=True)
        ],
        end,
    )


def who(reply: Any) -> dict[str, ClientInfo]:
    """Return who is present: RESP2's list, or the dict that a client makes of it."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return {client.decode(): decode_client(entry[7 + int(entry[1:7]) :]) for client, entry in pairs}


def event(data: bytes) -> Event:
    """Return what was published to a topic.

    Raises:
        ValueError: these bytes are none of ours; NotARecord is one.
    """
    kind = data[:1]
    if kind == b"P":
        offset, epoch, record = data[1:].split(b" ", 2)
        return decode_publication(record, int(offset), epoch.decode())
    if kind == b"J":
        return Join(info=decode_client(data[1:]))
    if kind == b"L":
        return Leave(info=decode_client(data[1:]))
    raise ValueError(f"no event begins with {kind!r}")


def _entry(info: ClientInfo, announce: bool) -> bytes:
    user = info.user.encode()
    return b"%d%06d" % (announce, len(user)) + user + encode_client(info)


def _range(since: int | None, reverse: bool) -> tuple[str, str, str]:
    """Return the command for a piece of a stream, and its first and last id."""
    if reverse:
        first = "+" if since is None else f"{max(since - 1, 0)}-{_LAST}"
        return "XREVRANGE", first, "-"
    return "XRANGE", "-" if since is None else f"{since + 1}-0", "+"


@functools.lru_cache(maxsize=256)  # a Topic class has one; 1 µs of 20 for a publication
def _of_retention(retention: Retention) -> tuple[int, int, int]:
    ttl = _milliseconds(retention.ttl)
    return retention.size, ttl, max(ttl, _milliseconds(retention.position_ttl))


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _nothing(reply: object) -> None:
    return None


def _value(reply: list[bytes | None]) -> Value | None:
    version, data = reply
    return None if version is None or data is None else Value(int(version), data)


def _names(reply: list[bytes]) -> list[str]:
    return [name.decode() for name in reply]


#: In the place of a topic, for what is about all of them: it decides the shard.
_LEASES: Final = "channels.leases"


_NEW_POSITION_TTL: Final = _milliseconds(Retention().position_ttl)
