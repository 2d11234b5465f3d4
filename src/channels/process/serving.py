"""Whether this process serves, for what is to run in each process that does and needs no event loop.

The server, workers and Django's handlers say so when they begin. A management command that does something
and ends never does, and a test that calls an application without a server neither.
"""

from __future__ import annotations

from collections.abc import Callable

from channels.process.platforms import after_fork_in_child

_watchers: list[tuple[Callable[[], object], Callable[[], object]]] = []
#: Whether this process serves; read it before :func:`announce` where each connection would call that.
announced = False


def when_serving(start: Callable[[], object], stop: Callable[[], object]) -> None:
    """Have something run while this process serves.

    Args:
        start: called once, in any thread; must not wait. At once if the process serves already.
        stop: called at :func:`end`, and not in a process that just ends; may wait for a moment.
    """
    _watchers.append((start, stop))
    if announced:
        start()


def announce() -> None:
    """Say that this process serves; what is said twice counts once."""
    global announced
    if not announced:
        announced = True
        for start, _ in tuple(_watchers):
            start()


def end() -> None:
    """Say that this process does not serve any more, as after the last server of a test."""
    global announced
    if announced:
        announced = False
        for _, stop in tuple(_watchers):
            stop()


def _forget() -> None:
    global announced
    announced = False


after_fork_in_child(_forget)
