"""LiveQuery: a topic whose subscribers have the rows of a query, as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final, NoReturn, Unpack

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet

from channels.live.capture.watched import expect_queries
from channels.live.reading.encoding import check_encoding
from channels.topics import History, Topic
from channels.topics.delivery.snapshots import give_snapshots
from channels.topics.patterns import TopicPattern
from channels.topics.topic import Options


class LiveQuery(Topic):
    """A family of queries whose rows clients have, as they are in the database.

    A subscriber gets all rows, and then what is inserted, changed and deleted: see
    ``docs/howto/live-queries.md``. Subclasses stand in ``topics.py`` of an installed app, as other topics.

    Attributes:
        fields: what of a row clients get: names of fields, properties and methods without parameters, with
            dots along relations to one row: ``["id", "customer.name"]``.
        serializer: instead of ``fields``: a serializer class of Django REST framework, a pydantic model, a
            msgspec Struct, a dataclass, or a function of the row.
        watch: models, or names of tables, on which rows depend in ways that the query does not show: what a
            serializer or a property reads, or raw SQL within it.
        max_rows: rows at most; with more nobody can subscribe.
        interval: seconds between two evaluations at least; what changes meanwhile goes into one.
    """

    history: ClassVar[History | None] = History(size=500, ttl=timedelta(hours=1))
    fields: ClassVar[Sequence[str]] = ()
    serializer: ClassVar[Any] = None
    watch: ClassVar[Sequence[Any]] = ()
    max_rows: ClassVar[int] = 10_000
    interval: ClassVar[float] = 0.05

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if cls.pattern:
            _check(cls)
            expect_queries()
        super().__init_subclass__(**kwargs)

    def publish(
        self, data: Any, *, now: bool = False, using: str | None = None, **options: Unpack[Options]
    ) -> NoReturn:
        """Raise TypeError: what is published are the changes of rows, and nothing else."""
        raise TypeError(
            f"{self} is a live query; change rows in the database, and its subscribers hear of it."
        )

    async def apublish(self, data: Any, **options: Unpack[Options]) -> NoReturn:
        """Raise TypeError; see :meth:`publish`."""
        self.publish(data)

    def queryset(self) -> QuerySet[Any]:
        """Return the query; it is called in a thread, each time that it is evaluated."""
        raise NotImplementedError(f"{type(self).__qualname__} needs a queryset(self).")

    def visible_to(self, user: Any, row: Any) -> bool:
        """Return whether ``user`` may have a row; if it is overridden, it is asked for each user and row.

        It is called in the event loop, so that it may not touch the database.

        Args:
            user: Django's, maybe anonymous.
            row: what clients get of the row, decoded: ``row["customer"]["name"]``.
        """
        return True


def has_views(cls: type[Any]) -> bool:
    """Whether users of a class may have different rows."""
    return bool(cls.visible_to is not LiveQuery.visible_to)


def _not_installed(topic: Any, live: Any, hub: Any) -> NoReturn:
    raise ImproperlyConfigured(
        f"{type(topic).__module__}.{type(topic).__qualname__} is a live query, but 'channels.live' is not in "
        "INSTALLED_APPS. Add it, beside 'channels.topics'."
    )


# The app puts in its place what serves them.
give_snapshots(LiveQuery, _not_installed, has_views)
_RESERVED: Final = frozenset(name for name in vars(LiveQuery) if not name.startswith("__"))


def _check(cls: type[LiveQuery]) -> None:
    """See that what a class asks for fits together; raises ImproperlyConfigured."""
    try:
        check_encoding(cls.fields, cls.serializer)
    except ImproperlyConfigured as error:
        raise ImproperlyConfigured(f"{cls.__module__}.{cls.__qualname__}: {error}") from None
    mistakes = {
        "a live query needs a history, by which clients that come back catch up.": cls.history is None,
        "a live query gives snapshots, so that cache = True has no use.": cls.cache,
        "delta = True does not fit changes of rows.": cls.delta,
        "message stays None: what is published are changes of rows.": cls.message is not None,
        'slow_clients stays "disconnect": each change counts.': cls.slow_clients != "disconnect",
        "tags_filter does not fit: changes of rows have no tags.": cls.tags_filter,
        "max_rows is at least 1, and interval not below zero.": cls.max_rows < 1 or cls.interval < 0,
    }
    for mistake, made in mistakes.items():
        if made:
            raise ImproperlyConfigured(f"{cls.__module__}.{cls.__qualname__}: {mistake}")
    for name in TopicPattern(cls.pattern).parameters:
        if name in _RESERVED:
            raise ImproperlyConfigured(
                f"{cls.__module__}.{cls.__qualname__}: the parameter {name!r} of its pattern would hide "
                f"LiveQuery.{name}; call it otherwise."
            )
