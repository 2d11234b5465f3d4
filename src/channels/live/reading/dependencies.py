"""Which tables a query reads, and whether a changed row concerns only itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet, FieldDoesNotExist, FullResultSet
from django.db import router
from django.db.models import Model, QuerySet
from django.db.models.sql.query import Query


class Dependencies(NamedTuple):
    """What rows of a query depend on.

    Attributes:
        tables: all that are read.
        own: those in which a row has the key that it has in the query: the model's table, and its parents'.
        aliases: the databases that are read or, by the project's routers, written for it.
        local: a change in ``own`` concerns the row with that key only; else the whole query is read anew.
    """

    tables: frozenset[str]
    own: frozenset[str]
    aliases: frozenset[str]
    local: bool


def dependencies_of(queryset: QuerySet[Any], paths: Iterable[str], watched: Iterable[Any]) -> Dependencies:
    """Return what the rows of a queryset depend on.

    Args:
        queryset: as it is evaluated.
        paths: dotted, of fields that are read of each row.
        watched: models, or names of tables, that it depends on in ways that cannot be seen.
    """
    query, meta = queryset.query.chain(), queryset.model._meta
    joined = list(_joined(query, queryset.db))
    inner = [table for each in _inner_queries(query) for table in _joined(each, queryset.db)]
    along = [table for path in paths for table in tables_along(queryset.model, path.split("."))]
    lookups: Iterable[Any] = queryset._prefetch_related_lookups  # type: ignore[attr-defined]
    for lookup in lookups:
        path = getattr(lookup, "prefetch_to", lookup)
        along += tables_along(queryset.model, str(path).split("__"))
        if getattr(lookup, "queryset", None) is not None:
            inner += _joined(lookup.queryset.query.chain(), queryset.db)
    further = [each if isinstance(each, str) else each._meta.db_table for each in watched]
    own = frozenset(own_tables(queryset.model))
    again = any(joined.count(table) > 1 or table in inner for table in own)
    elsewhere = own & {*further} or meta.db_table in along
    return Dependencies(
        frozenset((*joined, *inner, *along, *further, *own)),
        own,
        frozenset((queryset.db, router.db_for_write(queryset.model))),
        not again and not elsewhere and _is_plain(query),
    )


def _is_plain(query: Query) -> bool:
    """Whether a row is in the result, and what it holds, whatever other rows there are."""
    return not (
        query.is_sliced
        or query.distinct
        or query.combinator
        or query.group_by is not None
        or query.annotation_select
        or query.extra
    )


def own_tables(model: type[Model]) -> Iterator[str]:
    """Return the tables in which a row of a model has its key."""
    meta = model._meta.concrete_model._meta  # type: ignore[union-attr]
    yield meta.db_table
    for parent, link in meta.parents.items():
        if link is not None and link.primary_key:
            yield from own_tables(parent)


def _joined(query: Query, using: str) -> Iterator[str]:
    """Return the tables that a query itself reads, once for each time."""
    try:
        query.get_compiler(using).as_sql()
    except (EmptyResultSet, FullResultSet):
        query.get_initial_alias()
    for alias, join in query.alias_map.items():
        if query.alias_refcount.get(alias) and isinstance(join.table_name, str):
            yield join.table_name
    for combined in query.combined_queries:
        yield from _joined(combined.chain(), using)


def _inner_queries(query: Query) -> Iterator[Query]:
    """Return the queries within a query: in its filters, annotations and order."""
    pending: list[Any] = [query.where, *query.annotations.values(), *query.order_by]
    while pending:
        each = pending.pop()
        if isinstance(each, Query):
            yield each.chain()
            pending += [each.where, *each.annotations.values()]
        elif hasattr(each, "children"):
            pending += each.children
        elif hasattr(each, "get_source_expressions"):
            pending += [getattr(each, "query", None), getattr(each, "rhs", None)]
            pending += each.get_source_expressions()
        elif hasattr(each, "lhs"):
            pending += [each.lhs, each.rhs]


def tables_along(model: type[Model], parts: list[str]) -> Iterator[str]:
    """Return the tables of the relations along a path."""
    current: Any = model
    for part in parts:
        try:
            field = current._meta.get_field(part)
        except FieldDoesNotExist:
            return  # a property, or a method: nobody knows what it reads
        if field.related_model is None:
            return
        through = getattr(getattr(field, "remote_field", None), "through", None)
        if through is not None:
            yield through._meta.db_table
        current = field.related_model
        yield current._meta.db_table
