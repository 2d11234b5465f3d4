"""What keeps this process from answering, for whoever is asked how it is.

The server answers health requests and knows nothing of Django, threads or layers. They say here
how to find out, and the server asks when it is asked.
"""

from __future__ import annotations

from collections.abc import Callable

_checks: dict[str, Callable[[], str]] = {}


def register(name: str, check: Callable[[], str]) -> Callable[[], None]:
    """Have ``check`` asked by :func:`obstacle` from now on.

    Args:
        name: what it is about; the last check of a name replaces the one before.
        check: called in an event loop, so it must not block; returns what keeps this process from
            answering, one line without secrets, or "" for nothing.

    Returns:
        A function that takes the check back.
    """
    _checks[name] = check

    def unregister() -> None:
        if _checks.get(name) is check:
            del _checks[name]

    return unregister


def obstacle() -> str:
    """Return what keeps this process from answering, with the name of its check before it; "" for nothing."""
    for name, check in tuple(_checks.items()):
        reason = check()
        if reason:
            return f"{name}: {reason}"
    return ""
