"""Reading the rows of a live query: in a thread, all or those with some keys."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet

from channels import telemetry
from channels.exceptions import ChannelsError
from channels.live.query import LiveQuery
from channels.live.reading.dependencies import Dependencies, dependencies_of
from channels.live.reading.encoding import Encoder, encoder_for, key_of, relations_of
from channels.live.rows import Key, Reading

logger = logging.getLogger("channels.live")

#: Keys that are looked for one by one; if more have changed, all rows are read.
MANY: int = 500


class TooManyRows(ChannelsError):
    """A live query has more rows than it may have."""


class Order(NamedTuple):
    """How rows are sorted.

    Attributes:
        counts: the query has an order.
        attributes: of a row by which it is sorted; None: by something else than its own columns.
    """

    counts: bool
    attributes: tuple[str, ...] | None


class Reader:
    """Reads the rows of one live query.

    Args:
        topic: the query.
    """

    def __init__(self, topic: LiveQuery) -> None:
        self._topic: Any = topic
        cls = type(topic)
        self._encode: Encoder = encoder_for(cls.fields, cls.serializer)
        self._sorted_by: dict[Key, tuple[Any, ...]] = {}

    def dependencies(self) -> Dependencies:
        """Return what the rows depend on."""
        cls = type(self._topic)
        return dependencies_of(self._queryset(), cls.fields, cls.watch)

    def is_ordered(self) -> bool:
        """Return whether the order of the rows counts."""
        return order_of(self._queryset()).counts

    def read(self, pks: Collection[Any] | None) -> Reading:
        """Return the rows as they are now.

        Args:
            pks: only those with these keys; None: all.

        Raises:
            TooManyRows: they are more than ``max_rows``.
        """
        queryset = self._queryset()
        order = order_of(queryset)
        if pks is None:
            return Reading(self._rows(self._limited(queryset), order, whole=True))
        meta = queryset.model._meta
        wanted = [meta.pk.to_python(pk) for pk in pks]
        before = {key: self._sorted_by.get(key) for key in map(key_of, wanted)}
        rows = self._rows(queryset.filter(pk__in=wanted), order)
        for key in before.keys() - rows.keys():
            self._sorted_by.pop(key, None)
        moved = order.counts and any(
            order.attributes is None or before[key] is None or before[key] != self._sorted_by[key]
            for key in rows
        )
        keys = self._keys(queryset) if moved else None
        return Reading(rows, frozenset(before), keys)

    def _queryset(self) -> QuerySet[Any]:
        queryset: QuerySet[Any] = self._topic.queryset()
        if not isinstance(queryset, QuerySet) or queryset._fields is not None:  # type: ignore[attr-defined]
            raise ImproperlyConfigured(
                f"{type(self._topic).__qualname__}.queryset() has returned {_kind(queryset)}. Return a "
                "QuerySet of a model, without values() and values_list(): `fields` say what clients get."
            )
        related = relations_of(queryset.model, type(self._topic).fields)
        if related and not queryset.query.select_related and queryset.query.combinator is None:
            queryset = queryset.select_related(*related)
        return queryset

    def _limited(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if queryset.query.is_sliced else queryset[: type(self._topic).max_rows + 1]

    def _rows(self, queryset: QuerySet[Any], order: Order, whole: bool = False) -> dict[Key, bytes]:
        rows: dict[Key, bytes] = {}
        found = list(queryset)
        self.require_few(len(found))
        if whole:
            self._sorted_by.clear()
        for row in found:
            key = key_of(row.pk)
            try:
                rows[key] = self._encode(row)
            except Exception:
                telemetry.count("live.row_failed", topic=str(self._topic))
                logger.exception("Row %s of live query %s cannot be written.", key, self._topic)
            else:
                if order.attributes:
                    self._sorted_by[key] = tuple(getattr(row, each) for each in order.attributes)
        return rows

    def _keys(self, queryset: QuerySet[Any]) -> Sequence[Key]:
        keys = [key_of(pk) for pk in self._limited(queryset).values_list("pk", flat=True)]
        self.require_few(len(keys))
        return keys

    def require_few(self, amount: int) -> None:
        """Raise TooManyRows if there are more than ``max_rows``."""
        most = type(self._topic).max_rows
        if amount > most:
            raise TooManyRows(
                f"Live query {self._topic} has more than {most} rows. Filter or slice its queryset, or raise "
                f"{type(self._topic).__qualname__}.max_rows if clients are to have that many."
            )


def _kind(found: Any) -> str:
    """Describe what is no query of rows."""
    return "values() of a QuerySet" if isinstance(found, QuerySet) else f"a {type(found).__qualname__}"


def order_of(queryset: QuerySet[Any]) -> Order:
    """Return how the rows of a queryset are sorted."""
    query, meta = queryset.query, queryset.model._meta
    if not queryset.ordered or "?" in query.order_by:
        return Order(False, ())
    names = query.order_by or (meta.ordering if query.default_ordering else ())
    known = {field.name: field.attname for field in meta.concrete_fields if not field.is_relation}
    known["pk"] = meta.pk.attname
    attributes = [known.get(name.lstrip("-+")) if isinstance(name, str) else None for name in names]
    if not names or query.extra_order_by or None in attributes:
        return Order(True, None)
    return Order(True, tuple(each for each in attributes if each is not None))


_readers: dict[type, type[Reader]] = {}


def read_by(cls: type[LiveQuery], reader: type[Reader]) -> None:
    """Have queries of a class, and of its subclasses, read in another way than by their queryset."""
    _readers[cls] = reader


def reader_of(topic: LiveQuery) -> Reader:
    """Return what reads the rows of a query."""
    found = next((_readers[each] for each in type(topic).__mro__ if each in _readers), Reader)
    return found(topic)
