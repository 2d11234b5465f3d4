"""What Django's compilers execute: every INSERT, UPDATE and DELETE of the ORM comes by here.

Managers and querysets may be anybody's, and ``bulk_create``, ``update`` and fast deletes send no signals; but
all of them end in these three compilers, which belong to Django. Signals are left alone: a receiver of
``post_delete`` or ``m2m_changed`` would have Django fetch each row before it is deleted or related.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.db.models.lookups import Exact, In
from django.db.models.sql.compiler import SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler
from django.db.models.sql.where import AND

from channels.live.capture.transactions import note
from channels.live.capture.watched import anybody_may_care

#: What may execute a statement; not every release of Django has both.
_METHODS: Final = ("execute_sql", "execute_returning_sql")
#: What this thread executes.
_executing: Final = threading.local()
_MARK: Final = "_channels_live_notes"


def watch_statements() -> None:
    """Have what compilers execute noted; harmless if it is already."""
    for compiler, keys_of in (
        (SQLInsertCompiler, _inserted),
        (SQLUpdateCompiler, _updated),
        (SQLDeleteCompiler, _deleted),
    ):
        for name in _METHODS:
            method = getattr(compiler, name, None)
            if method is not None and not hasattr(method, _MARK):
                setattr(compiler, name, _noting(method, keys_of))


def _noting(method: Callable[..., Any], keys_of: Callable[..., Iterable[Any] | None]) -> Callable[..., Any]:
    @functools.wraps(method)
    def execute(compiler: Any, *args: Any, **kwargs: Any) -> Any:
        outer = getattr(_executing, "compiler", None)
        if outer is compiler:  # one of its methods calls the other, from Django 6.1 on
            return method(compiler, *args, **kwargs)
        _executing.compiler = compiler
        try:
            result = method(compiler, *args, **kwargs)
        finally:
            _executing.compiler = outer
        if anybody_may_care() and not _changed_nothing(result, keys_of):
            table = compiler.query.get_meta().db_table
            note(compiler.using, table, keys_of(compiler, result))
        return result

    setattr(execute, _MARK, True)
    return execute


def _changed_nothing(result: Any, keys_of: Callable[..., Any]) -> bool:
    """Whether a statement has told that it found no row, by a number or by the rows that it returned."""
    return result == 0 if isinstance(result, int) else result == [] and keys_of is _updated


def _inserted(compiler: Any, result: Any) -> list[Any] | None:
    """Return the keys of inserted rows, from the objects or from what the database returned."""
    pk, returned = compiler.query.get_meta().pk, list(getattr(compiler, "returning_fields", None) or ())
    objects = compiler.query.objs
    rows = list(result or ())
    if pk in returned and len(rows) == len(objects):
        return _plain(row[returned.index(pk)] for row in rows)
    return _plain(getattr(each, pk.attname, None) for each in objects)


def _updated(compiler: Any, result: Any) -> list[Any] | None:
    if any(getattr(field, "primary_key", False) for field, _, _ in compiler.query.values):
        return None
    return _keys_in(compiler.query)


def _deleted(compiler: Any, result: Any) -> list[Any] | None:
    return _keys_in(compiler.query)


def _keys_in(query: Any) -> list[Any] | None:
    """Return the keys to which a filter limits a statement; None if it does not say them."""
    where, pk = query.where, query.get_meta().pk
    if where.connector != AND or where.negated:
        return None
    for lookup in where.children:
        if getattr(getattr(lookup, "lhs", None), "target", None) is not pk:
            continue
        if lookup.lookup_name == Exact.lookup_name:
            return _plain([lookup.rhs])
        if lookup.lookup_name == In.lookup_name and isinstance(lookup.rhs, list | tuple | set | frozenset):
            return _plain(lookup.rhs)
    return None


def _plain(keys: Iterable[Any]) -> list[Any] | None:
    """Return keys that can be told; None if one of them is none, or an expression."""
    found = list(keys)
    told = all(
        each is not None and not hasattr(each, "resolve_expression") and not isinstance(each, tuple | list)
        for each in found
    )
    return found if told else None
