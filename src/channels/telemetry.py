"""Facts about what happens, for whoever wants to know.

Code that has something to say calls :func:`emit` (or :func:`count`, which also keeps a
running total). Logs, metrics and traces are subscribers that were put in place with
:func:`attach`. When nobody listens, a fact costs one check of an attribute::

    if telemetry.listeners:
        telemetry.emit("layer.redis_connected", address=address)
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

Listener: TypeAlias = Callable[[str, dict[str, Any]], None]

#: Given whoever handles messages and its way to handle one, returns what is to be called in its place.
HandlerWrapper: TypeAlias = Callable[[Any, Callable[[Any], Any]], Callable[[Any], Any]]

#: Given where a message goes to and the message, returns the message with what travels beside it.
Carrier: TypeAlias = Callable[[str, Any], Any]

#: Given an operation ("send"; "create" within a transaction), of what ("topic", "task"), where to and the id
#: of what is sent, returns what travels beside it: where its trace goes on.
ContextCreator: TypeAlias = Callable[[str, str, str, str], dict[str, str]]

listeners: tuple[Listener, ...] = ()
#: Put around what handles the messages of each connection from now on, the first one innermost.
handler_wrappers: tuple[HandlerWrapper, ...] = ()
#: What channel layers do with each message that they are to send; None: nothing.
carry: Carrier | None = None
#: What topics and tasks ask for each publication and each task; None: nothing travels beside these.
create_context: ContextCreator | None = None
#: Whether servers count each message and each byte; read when a server starts.
metered = False
counters: Counter[str] = Counter()
#: What can say how it is, by what it is: replaced as a whole, so that any thread may read it.
_registered: dict[str, tuple[weakref.ref[Any], ...]] = {}


def attach(listener: Listener) -> Callable[[], None]:
    """Call ``listener(event, facts)`` for every fact from now on.

    Args:
        listener: called in the thread that emits; it must not block and must not raise.

    Returns:
        A function that detaches the listener again; calling it twice is harmless.
    """
    global listeners
    listeners = (*listeners, listener)

    def detach() -> None:
        global listeners
        listeners = tuple(other for other in listeners if other is not listener)

    return detach


def wrap_handlers(wrapper: HandlerWrapper) -> Callable[[], None]:
    """Have ``wrapper(consumer, handle)`` return what handles the messages of each new connection.

    Returns:
        A function that takes it back, for connections to come; calling it twice is harmless.
    """
    global handler_wrappers
    handler_wrappers = (*handler_wrappers, wrapper)

    def unwrap() -> None:
        global handler_wrappers
        handler_wrappers = tuple(other for other in handler_wrappers if other is not wrapper)

    return unwrap


def emit(event: str, **facts: Any) -> None:
    """Tell every listener that ``event`` (dotted, past tense) happened."""
    for listener in listeners:
        listener(event, facts)


def count(event: str, amount: int = 1, **facts: Any) -> None:
    """Add ``amount`` to ``counters[event]`` and tell the listeners."""
    counters[event] += amount
    if listeners:
        emit(event, amount=amount, **facts)


def register(kind: str, source: object) -> None:
    """Let whoever looks at this process find ``source`` for as long as it lives.

    Args:
        kind: what it is: ``"server"`` for what connections of one event loop share.
        source: what says how it is, by whatever its class has for that; kept by a weak reference.
    """
    alive = tuple(reference for reference in _registered.get(kind, ()) if reference() is not None)
    _registered[kind] = (*alive, weakref.ref(source))


def registered(kind: str) -> list[Any]:
    """Return what was registered as ``kind`` and lives; in any thread."""
    return [found for reference in _registered.get(kind, ()) if (found := reference()) is not None]
