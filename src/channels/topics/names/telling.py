"""Telling the names of topics to which this process publishes, if anybody wants to know them.

A store brings what is published to topics that somebody has subscribed to by name. Who subscribes to a
pattern learns a name when it is told here: after the first publication to it, and with that. What the store
does not keep goes along for as long as a process may take to subscribe, so that none of the first is missed.

Names are in a stream as well, for those who begin later. A process that serves such clients writes them there
even before anybody wants them; others look now and then whether somebody does, and tell nothing until then.
"""

from __future__ import annotations

import math
import time
from typing import Any, Final

import msgspec
from django.core.exceptions import ImproperlyConfigured

from channels import telemetry
from channels.protocols.centrifuge.messages import Publication
from channels.topics.control import Announcement, abroadcast, broadcast, listen
from channels.topics.registry import RESERVED
from channels.topics.stores.base import (
    Append,
    Position,
    Published,
    Retention,
    Store,
    StoreUnavailable,
    StreamPage,
)
from channels.topics.stores.manager import BESIDE_LAYER, get_store
from channels.topics.stores.records import encode_publication
from channels.topics.stores.values import KeepsValues

#: The stream of names, and one that has something as soon as somebody wants them; no topic has these.
NAMES: Final = f"{RESERVED}names"
ASKED: Final = f"{RESERVED}names.asked"
#: Names that are kept, and for how long; a name that two processes tell within an hour is there once.
KEPT: Final = Retention(size=20_000, ttl=2 * 86400.0, idempotency_ttl=3600.0)
#: Seconds after which a process tells a name again: much less than it is kept.
AGAIN: Final = 6 * 3600.0
#: Seconds for which publications that no store keeps go along with their topic's name, and bytes of each.
ALONG: Final = 5.0
LARGEST: Final = 262_144
#: Seconds between two looks whether anybody wants names.
LOOK: Final = 1.0
#: Under these names processes announce that a topic is new, and that they want to know.
FIRST: Final = "topics.first"
WANTED: Final = "topics.names_wanted"


class First(msgspec.Struct, array_like=True, frozen=True):
    """One of the first publications to a topic.

    Attributes:
        topic: the name.
        time: when it was published, in milliseconds since 1970.
        offset: where it is in the topic's history; 0 if it is not there, or not yet.
        record: the publication, if it is not kept, and goes along.
    """

    topic: str
    time: int
    offset: int = 0
    record: bytes = b""


class _State:
    """What this process has told through one store.

    Attributes:
        keeper: the store that has the stream of names; None if there is none.
        noting: names go into their stream, as this process serves those who may want them.
        wanted: somebody wants them.
        told: by name, when it was told.
    """

    __slots__ = ("keeper", "next_look", "noting", "store", "told", "wanted")

    def __init__(self, store: Store | None) -> None:
        self.store = store
        self.keeper = None if store is None else _keeper(store)
        self.noting = self.wanted = False
        self.next_look = math.inf if self.keeper is None else 0.0
        self.told: dict[str, float] = {}

    def begin(self, topic: str) -> bool:
        """Note that a name is told; returns whether it is time to tell the name itself."""
        now = time.monotonic()
        if now - self.told.get(topic, -AGAIN) < AGAIN:
            return False
        self.told.pop(topic, None)
        if len(self.told) >= KEPT.size:
            self.told.pop(next(iter(self.told)), None)
        self.told[topic] = now
        return True

    def to_tell(
        self, append: Append, published: Published, along: bool
    ) -> tuple[Append | None, Announcement | None]:
        """Return what is to be written to the stream of names, and what all processes are to hear."""
        if not (self.wanted or self.noting) or not published.accepted:
            return None, None
        name = _named(NAMES, append.topic) if self.begin(append.topic) else None
        first = _first(append, published, along) if self.wanted else None
        told = None if first is None else Announcement(FIRST, msgspec.msgpack.encode(first))
        return name, told

    def looks(self) -> bool:
        """Whether to look now if anybody wants names."""
        if self.wanted or time.monotonic() < self.next_look:
            return False
        self.next_look = time.monotonic() + LOOK
        return True

    def want(self) -> None:
        """Tell all names from now on, those that were only noted as well."""
        global quiet_until
        if not self.wanted:
            self.wanted, quiet_until = True, 0.0
            self.told.clear()


def _keeper(store: Store) -> Store | None:
    """Return where names are kept: a database is not asked for our sake, but what carries for it."""
    if getattr(store, "using", None) is not None:
        try:
            store = get_store(BESIDE_LAYER)
        except ImproperlyConfigured:
            return None
    return store if isinstance(store, KeepsValues) else None


_state = _State(None)
#: No publication before this time (milliseconds since 1970) is due: most processes only compare.
quiet_until = 0.0


def _current() -> _State:
    global _state, quiet_until
    store = get_store()
    if _state.store is not store:
        _state, quiet_until = _State(store), 0.0
    return _state


def is_due(append: Append) -> bool:
    """Whether something is to be told of a publication, or looked up for that."""
    global quiet_until
    try:
        state, now = _current(), time.monotonic()
    except ImproperlyConfigured:  # a project whose topics all have other stores
        return False
    if state.wanted or state.noting:
        age = now - state.told.get(append.topic, -AGAIN)
        if age >= AGAIN or (age < ALONG and state.wanted and not append.retention.size):
            return True
    else:
        quiet_until = append.publication.time + LOOK * 1000
    return now >= state.next_look and not state.wanted


def tell(append: Append, published: Published, *, along: bool = True) -> None:
    """Tell what :func:`is_due` has found, from sync code; that it cannot be told is counted.

    Args:
        append: what was published, or will be.
        published: what became of it.
        along: whether it may go along.
    """
    state = _current()
    store = state.keeper
    try:
        if store is not None and state.looks():
            page = store.sync.read(ASKED, limit=0)
            if page.position.offset:
                state.want()
        name, first = state.to_tell(append, published, along)
        if name is not None and store is not None:
            store.sync.publish(name)
        if first is not None:
            broadcast(first)
    except StoreUnavailable as error:
        _untold(append, str(error))


async def atell(append: Append, published: Published, *, along: bool = True) -> None:
    """Tell what :func:`is_due` has found, from async code; see :func:`tell`."""
    state = _current()
    store = state.keeper
    try:
        if store is not None and state.looks():
            page = await store.read(ASKED, limit=0)
            if page.position.offset:
                state.want()
        name, first = state.to_tell(append, published, along)
        if name is not None and store is not None:
            await store.publish(name)
        if first is not None:
            await abroadcast(first)
    except StoreUnavailable as error:
        _untold(append, str(error))


def _untold(append: Append, error: str) -> None:
    _current().told.pop(append.topic, None)  # it is told with the next publication
    telemetry.count("topics.name_not_told", topic=append.topic, error=error)


def _first(append: Append, published: Published, along: bool) -> First | None:
    publication = append.publication
    if append.retention.size or not along:
        return First(append.topic, publication.time, published.position.offset)
    record = encode_publication(publication, append.beside)
    if len(record) > LARGEST:
        telemetry.count("topics.name_not_told", topic=append.topic, error="too large")
        return None
    return First(append.topic, publication.time, record=record)


def _named(stream: str, topic: str) -> Append:
    publication = Publication(data=msgspec.Raw(topic.encode()), time=round(time.time() * 1000))
    return Append(stream, publication, KEPT, idempotency_key=topic)


def note_names() -> None:
    """Have this process note the names of topics to which it publishes, for whoever wants them later."""
    global quiet_until
    _current().noting, quiet_until = True, 0.0


async def want_names() -> list[str]:
    """Have all processes tell names from now on; returns those that were told before.

    Whoever calls this listens to :data:`FIRST` already.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    state = _current()
    store = state.keeper
    state.want()
    if store is not None:
        await store.publish(_named(ASKED, "names"))
    await abroadcast(Announcement(WANTED, b""))
    page = StreamPage([], Position(0, "")) if store is None else await store.read(NAMES)
    return [bytes(each.data).decode() for each in page.publications]


def _wanted(hub: Any, data: bytes) -> None:
    _current().want()


listen(WANTED, _wanted)
