"""Lets code in any thread use the connections on which the test has a transaction open.

``TestCase`` and pytest-django's ``db`` open a transaction in one thread, fill it with rows
nobody else can see, and roll it back. The application under test runs its sync code where
it likes: in the test's thread, in asgiref's single thread, in a thread per connection.
:func:`lend_connections` makes ``django.db.connections`` give the test's connection to all
of them, unless setting ``CHANNELS_TEST_DATABASE`` is "own". A loan lasts as long as the
transaction it was made for, so that what the test reads after its application has ended comes
from the same connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic

from channels import conf, db
from channels.core.database import opened_anywhere, opened_by
from channels.sync import context as strands

_handler: Any = connections  # django-stubs know nothing of its storage
_lock = threading.RLock()


class _Loan:
    """One connection, lent while ``lasts()`` is true."""

    def __init__(self, connection: BaseDatabaseWrapper, lasts: Callable[[], bool]) -> None:
        self.connection: Any = connection
        self.lasts = lasts

    def begin(self) -> None:
        """Let other threads use the connection, and keep it open: its transaction is the test's.

        Django closes connections that are in a transaction when a request starts and ends.
        """
        self.connection.inc_thread_sharing()
        self.connection.close_if_unusable_or_obsolete = self._close_if_unusable_or_obsolete

    def end(self) -> None:
        """Undo ``begin()``."""
        self.connection.dec_thread_sharing()
        del self.connection.close_if_unusable_or_obsolete

    def _close_if_unusable_or_obsolete(self) -> None:
        if not self.lasts():
            type(self.connection).close_if_unusable_or_obsolete(self.connection)


class _Lender:
    """Stands before the storage of ``django.db.connections``: one value per thread and alias.

    A lent alias has the same value in every thread; all else is the storage's own.
    """

    def __init__(self, own: Any, loans: dict[str, _Loan]) -> None:
        object.__setattr__(self, "_own", own)
        object.__setattr__(self, "_loans", loans)

    def __getattr__(self, alias: str) -> Any:
        loan = self._loans.get(alias)
        if loan is not None:
            if loan.lasts():
                return loan.connection
            _end(loan)
        return getattr(self._own, alias)

    def __setattr__(self, alias: str, connection: Any) -> None:
        setattr(self._own, alias, connection)

    def __delattr__(self, alias: str) -> None:
        delattr(self._own, alias)


_loans: dict[str, _Loan] = {}


def lend_connections() -> None:
    """Lend the test's connections that are inside a transaction, until that is over.

    The test's connections are those of the calling thread, those of the thread in which
    sync code of this context runs, and those on which a ``TestCase`` opened its
    transaction in whichever thread. Must be called in a running event loop. Without
    Django's settings, without such a connection, or where setting ``CHANNELS_TEST_DATABASE``
    is "own", it does nothing.
    """
    if not settings.configured or conf.database_in_tests() == "own":
        return
    with _lock:
        for loan in [loan for loan in _loans.values() if not loan.lasts()]:
            _end(loan)
        for connection, block in _open_transactions():
            if connection.alias not in _loans:
                _begin(_Loan(connection, partial(_is_open, connection, block)))


@contextmanager
def lent(to_lend: Iterable[BaseDatabaseWrapper]) -> Iterator[None]:
    """Lend connections to every thread for the time of a ``with`` block, transaction or not.

    Args:
        to_lend: connections of the calling thread, at most one per alias.
    """
    loans = [_Loan(connection, lambda: True) for connection in to_lend]
    with _lock:
        for loan in loans:
            _begin(loan)
    try:
        yield
    finally:
        for loan in loans:
            _end(loan)


def _begin(loan: _Loan) -> None:
    alias = loan.connection.alias
    if alias in _loans:
        _end(_loans[alias])
    loan.begin()
    strands.suspend()
    _loans[alias] = loan
    if not isinstance(_handler._connections, _Lender):
        _handler._connections = _Lender(_handler._connections, _loans)


def _end(loan: _Loan) -> None:
    alias = loan.connection.alias
    with _lock:
        if _loans.get(alias) is not loan:
            return
        del _loans[alias]
        loan.end()
        strands.resume()
        if not _loans:
            _handler._connections = _handler._connections._own


def _open_transactions() -> Iterator[tuple[BaseDatabaseWrapper, Atomic]]:
    """Find the connections to lend, each with the block of the test that is open on it."""
    ours = [threading.current_thread(), *db.sync_threads()]
    for connection in chain.from_iterable(opened_by(thread) for thread in ours):
        if connection.atomic_blocks:
            yield connection, _block_of_a_testcase(connection) or connection.atomic_blocks[0]
    for connection in opened_anywhere():
        block = _block_of_a_testcase(connection)
        if block is not None:
            yield connection, block


def _block_of_a_testcase(connection: BaseDatabaseWrapper) -> Atomic | None:
    """Return the innermost block opened by a TestCase: the test's own, not its class's."""
    blocks = [block for block in connection.atomic_blocks if getattr(block, "_from_testcase", False)]
    return blocks[-1] if blocks else None


def _is_open(connection: BaseDatabaseWrapper, block: Atomic) -> bool:
    return any(other is block for other in connection.atomic_blocks)
