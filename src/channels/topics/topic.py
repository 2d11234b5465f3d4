"""Topic: the class that says what a family of named streams is, and who may do what with it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, TypedDict, Unpack

import msgspec
from django.core.exceptions import ImproperlyConfigured
from django.template.loader import render_to_string

from channels.core.bounded_cache import BoundedCache
from channels.core.private import PrivateField
from channels.protocols.centrifuge.messages import ClientInfo, Publication
from channels.topics.control import Recheck, abroadcast, broadcast
from channels.topics.patterns import TopicPattern
from channels.topics.payloads import decode, encode, require_tags
from channels.topics.publishing import apublish_now, publish_now, publish_on_commit
from channels.topics.registry import pattern_of, register, require_topic
from channels.topics.stores.base import Append, Published, Retention
from channels.topics.stores.manager import DEFAULT_STORE


@dataclass(frozen=True, slots=True)
class History:
    """How much of a topic is kept, for recovery and for ``history()``.

    Args:
        size: publications, at least 1.
        ttl: how long each is kept, a timedelta or seconds, above zero.

    Raises:
        ImproperlyConfigured: one of them is out of range.
    """

    size: int
    ttl: timedelta | float

    def __post_init__(self) -> None:
        if self.size < 1 or self.seconds <= 0:
            raise ImproperlyConfigured(f"{self!r}: size is at least 1, and ttl above zero.")

    @property
    def seconds(self) -> float:
        """``ttl`` in seconds."""
        return self.ttl.total_seconds() if isinstance(self.ttl, timedelta) else float(self.ttl)


@dataclass(frozen=True, slots=True)
class Entry:
    """One publication of a topic's history.

    Attributes:
        data: of the topic's type.
        offset: its place in the stream; 0 if none is kept.
        time: when it was published, aware, in UTC.
        tags: what filters look at.
        info: of the client that published it; None if the server did.
    """

    data: Any
    offset: int
    time: datetime
    tags: dict[str, str]
    info: ClientInfo | None


class Options(TypedDict, total=False):
    """How something is published; see :func:`append_for`."""

    tags: Mapping[str, str] | None
    idempotency_key: str
    version: int
    version_epoch: str


if TYPE_CHECKING:
    from typing_extensions import TypeVar

    _M = TypeVar("_M", default=Any)

    class _Typed(Generic[_M]):
        """What type checkers know of a topic: the type of its publications."""

else:
    _M = None

    class _Typed:
        """Lets ``Topic[Note]`` be written; that is for type checkers, ``message`` says it to clients."""

        __slots__ = ()

        def __class_getitem__(cls, message):
            return cls


class Topic(_Typed[_M]):
    """A family of named streams that clients subscribe to and server code publishes to.

    Subclasses stand in ``topics.py`` of an installed app. An instance is one topic: the parameters of the
    pattern are its attributes, and ``str()`` is its name.

    Attributes:
        pattern: of the names, with Django's path converters: ``"room:<slug:name>"``.
        history: what is kept; None: nothing, so a client that was away gets nothing of what it missed.
        presence: whether it is known who is subscribed.
        join_leave: whether subscribers are told who comes and goes; needs ``presence``.
        message: the type of publications, a msgspec Struct, dataclass, TypedDict, pydantic model or
            ``bytes``; None: any JSON.
        cache: a new subscriber gets the newest publication at once; needs ``history``.
        delta: publications leave as differences to clients that ask for it; needs ``history``.
        tags_filter: clients may ask for publications with certain tags only.
        ephemeral: the type of what subscribers tell each other and nobody keeps (typing, cursors); None: they
            may not; ``typing.Any``: any JSON.
        event: the name of its events in plain event streams; "": none, as htmx swaps in only those.
        template: of Django, for publications in plain event streams, by :meth:`render`; "": JSON.
        ephemeral_interval: seconds between two of these from one client; of more, the latest counts.
        slow_clients: what becomes of publications that a client does not read: "disconnect" it (3008) when
            its queue is full; "latest": only the newest waits; "oldest": the oldest are left out. The last
            two are for topics without history, or with ``cache``, and without ``join_leave`` and ``delta``.
        store: the alias of the store that keeps it.
    """

    pattern: ClassVar[str] = ""
    history: ClassVar[History | None] = None
    presence: ClassVar[bool] = False
    join_leave: ClassVar[bool] = False
    message: ClassVar[Any] = None
    cache: ClassVar[bool] = False
    delta: ClassVar[bool] = False
    tags_filter: ClassVar[bool] = False
    ephemeral: ClassVar[Any] = None
    ephemeral_interval: ClassVar[float] = 0.1
    event: ClassVar[str] = ""
    template: ClassVar[str] = ""
    slow_clients: ClassVar[Literal["disconnect", "latest", "oldest"]] = "disconnect"
    store: ClassVar[str] = DEFAULT_STORE

    def __init__(self, **parameters: Any) -> None:
        _names.set(self, pattern_of(type(self)).reverse(parameters))
        self.__dict__.update(parameters)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.pattern:
            check_class(cls)
            register(cls)

    def __str__(self) -> str:
        return _names.get(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {_names.get(self)}>"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))

    @classmethod
    def server_side(cls, user: Any) -> Iterable[Topic]:
        """Return the topics of this class to which the server subscribes each client of ``user`` itself.

        It is called in the event loop, so that it may not touch the database.
        """
        return ()

    def may_subscribe(self, user: Any) -> Any:
        """Return whether ``user`` may subscribe, and so read. Sync or async; False until overridden."""
        return False

    def may_publish(self, user: Any, data: _M) -> Any:
        """Return whether ``user`` may publish ``data``. Sync or async; False until overridden.

        Args:
            user: Django's, maybe anonymous.
            data: the publication, of the type ``message`` if there is one.
        """
        return False

    def may_publish_ephemeral(self, user: Any, data: Any) -> Any:
        """Return whether a subscriber may publish ``data`` for nobody to keep. Sync or async; True.

        Args:
            user: Django's, maybe anonymous.
            data: of the type ``ephemeral``.
        """
        return True

    def render(self, publication: Entry, user: Any, request: Any) -> Any:
        """Return the text that plain event streams send for a publication. Sync or async; by the template.

        It is called once for all clients that have the same language, in that language; if it has used
        ``user`` or ``request``, for each of the others too. Sync code runs in a thread, and may use the
        database.

        Args:
            publication: what was published.
            user: Django's, maybe anonymous.
            request: with which the stream was opened.

        Returns:
            The text; None sends nothing to this client.
        """
        context = {"topic": self, "publication": publication, "data": publication.data}
        return render_to_string(type(self).template, {**context, "user": user, "request": request})

    def publish(
        self, data: _M, *, now: bool = False, using: str | None = None, **options: Unpack[Options]
    ) -> Published | None:
        """Publish ``data``; within ``transaction.atomic()`` when that is committed, and never if it is not.

        Args:
            data: of the type ``message``, or whatever JSON can say.
            now: do not wait for a commit.
            using: the database whose transaction counts; None: each that is open in this thread.
            options: ``tags``, ``idempotency_key``, ``version``, ``version_epoch``: see :func:`append_for`.

        Returns:
            Where it is in the stream; None if it waits for a commit.

        Raises:
            InvalidData: data are not of the type ``message``; the error names the field.
            StoreUnavailable: the store does not answer.
        """
        append = append_for(self, data, **options)
        if now:
            return publish_now(type(self).store, append)
        return publish_on_commit(type(self).store, append, using)

    def recheck(self) -> None:
        """Ask :meth:`may_subscribe` again for each subscriber, on every node; unsubscribe who may not."""
        broadcast(Recheck(str(self)))

    async def arecheck(self) -> None:
        """See :meth:`recheck`."""
        await abroadcast(Recheck(str(self)))

    async def apublish(self, data: _M, **options: Unpack[Options]) -> Published:
        """Publish ``data`` now, from async code; see :meth:`publish` for what it takes and raises."""
        return await apublish_now(type(self).store, append_for(self, data, **options))


#: What tells ephemeral publications from others.
EPHEMERAL_TAGS: Final = {"ephemeral": "true"}
_names: Final[PrivateField[str]] = PrivateField("topic name", "")
#: What a parameter of a pattern may not be called: it would hide what a topic has.
_RESERVED: Final = frozenset(name for name in vars(Topic) if not name.startswith("__"))


def topic_of(topic: Topic | str) -> Topic:
    """Return a topic, itself or by its name; raises UnknownTopic, with the patterns there are."""
    found: Topic = topic if isinstance(topic, Topic) else require_topic(topic)
    return found


def append_for(
    topic: Topic,
    data: Any,
    *,
    tags: Mapping[str, str] | None = None,
    idempotency_key: str = "",
    version: int = 0,
    version_epoch: str = "",
    info: ClientInfo | None = None,
) -> Append:
    """Return ``data`` as a publication for the store of a topic.

    Args:
        topic: where to.
        data: see :meth:`Topic.publish`.
        tags: what filters look at; texts.
        idempotency_key: a second publication with this key, within five minutes, is left out.
        version: leave it out if it is not above that of the last publication with a version.
        version_epoch: versions of another epoch are not compared.
        info: of the client that publishes it.
    """
    payload = msgspec.Raw(encode(data, type(topic).message))
    publication = Publication(
        data=payload, info=info, tags=require_tags(tags or {}), time=time.time_ns() // 1_000_000
    )
    return Append(str(topic), publication, retention_of(type(topic)), idempotency_key, version, version_epoch)


def append_ephemeral(topic: Topic, data: Any, info: ClientInfo) -> Append:
    """Return what a subscriber says, for a store to carry and not to keep."""
    payload = msgspec.Raw(encode(data))
    now = time.time_ns() // 1_000_000
    return Append(str(topic), Publication(data=payload, info=info, tags=EPHEMERAL_TAGS, time=now))


def entry_of(topic: Topic, publication: Publication) -> Entry:
    """Return a publication with its data of the topic's type; raises InvalidData if they are not."""
    return Entry(
        decode(bytes(publication.data), type(topic).message),
        publication.offset,
        datetime.fromtimestamp(publication.time / 1000, UTC),
        dict(publication.tags),
        publication.info,
    )


def retention_of(cls: type[Topic]) -> Retention:
    """Return how much of the topics of a class is kept."""
    return _retentions[cls.history]


def _retention(history: History | None) -> Retention:
    return Retention() if history is None else Retention(history.size, history.seconds)


#: Asked for with each publication (row "mqtt-publish-50").
_retentions: Final[BoundedCache[History | None, Retention]] = BoundedCache(
    "topics.retentions", 256, _retention
)


def check_class(cls: type[Topic]) -> None:
    """See that what a Topic class asks for fits together.

    Raises:
        ImproperlyConfigured: it does not.
    """
    for error in _mistakes(cls):
        raise ImproperlyConfigured(f"{cls.__module__}.{cls.__qualname__}: {error}")


def _mistakes(cls: type[Topic]) -> Iterator[str]:
    if cls.history is not None and not isinstance(cls.history, History):
        yield f"history is {cls.history!r}; write History(size=..., ttl=...)."
    for name in ("cache", "delta"):
        if getattr(cls, name) and cls.history is None:
            yield f"{name} = True needs a history."
    if cls.slow_clients not in ("disconnect", "latest", "oldest"):
        yield f'slow_clients is {cls.slow_clients!r}; it is "disconnect", "latest" or "oldest".'
    elif cls.slow_clients != "disconnect" and (
        (cls.history is not None and not cls.cache) or cls.join_leave or cls.delta
    ):
        yield (
            f"slow_clients = {cls.slow_clients!r} leaves publications out, which clients of a topic with "
            "history (but without cache = True), join_leave or delta could not make up for."
        )
    if cls.join_leave and not cls.presence:
        yield "join_leave = True needs presence = True."
    for name in TopicPattern(cls.pattern).parameters:
        if name in _RESERVED:
            yield f"the parameter {name!r} of its pattern would hide Topic.{name}; call it otherwise."
