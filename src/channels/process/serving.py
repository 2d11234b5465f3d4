"""Whether this process serves, or works, for what is to run in each that does and needs no event loop.

The server, workers of channels and Django's handlers say that they serve when they begin; workers of tasks,
and processes of a project's own that stay, say that they work. Whoever serves works as well. A management
command that does something and ends says neither, nor does a test that calls an application without a server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from channels.process.platforms import after_fork_in_child

_Watchers: TypeAlias = list[tuple[Callable[[], object], Callable[[], object]]]

_watchers: _Watchers = []
_watchers_of_work: _Watchers = []
#: Whether this process serves; read it before :func:`announce` where each connection would call that.
announced = False
_works = False


def when_serving(start: Callable[[], object], stop: Callable[[], object]) -> None:
    """Have something run while this process serves.

    Args:
        start: called once, in any thread; must not wait. At once if the process serves already.
        stop: called at :func:`end`, and not in a process that just ends; may wait for a moment.
    """
    _watchers.append((start, stop))
    if announced:
        start()


def when_working(start: Callable[[], object], stop: Callable[[], object]) -> None:
    """Have something run while this process serves or works; see :func:`when_serving`."""
    _watchers_of_work.append((start, stop))
    if _works:
        start()


def announce_work() -> None:
    """Say that this process works on what others have left for it, and serves nobody; twice counts once."""
    global _works
    if not _works:
        _works = True
        for start, _ in tuple(_watchers_of_work):
            start()


def announce() -> None:
    """Say that this process serves; what is said twice counts once."""
    global announced
    announce_work()
    if not announced:
        announced = True
        for start, _ in tuple(_watchers):
            start()


def end() -> None:
    """Say that this process neither serves nor works any more, as after the last server of a test."""
    global announced, _works
    ended = [*(_watchers if announced else ()), *(_watchers_of_work if _works else ())]
    announced = _works = False
    for _, stop in ended:
        stop()


def _forget() -> None:
    global announced, _works
    announced = _works = False


after_fork_in_child(_forget)
