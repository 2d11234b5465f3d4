"""Which class makes the connections to a host: the one that was given, for every connection."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

import redis.connection
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

#: Our own choice, by what a host says besides; naming one of them is no more than saying that.
_STANDARD: Final = (Connection, SSLConnection, UnixDomainSocketConnection)


def settle_classes(options: dict[str, Any], where: str) -> None:
    """Check ``connection_class`` and ``sync_connection_class``, and note whether they speak TLS.

    Afterwards ``tls`` says whether it is TLS, and a ``connection_class`` that is left is somebody's own.

    Raises:
        ValueError: it is no such class, or would speak plain text where TLS is asked for.
    """
    classes = {}
    for name, blocking in (("connection_class", False), ("sync_connection_class", True)):
        if (cls := options.pop(name, None)) is not None:
            _require_class(cls, name, blocking, where)
            classes[name] = cls
    tls = is_true(options.pop("ssl", False)) or options.pop("tls", False)
    if tls or any(_speaks_tls(cls) for cls in classes.values()):
        options["tls"] = True
        for name, cls in classes.items():
            _require_tls(cls, name, where)
    if classes.get("connection_class") in _STANDARD:
        del classes["connection_class"]
    options.update(classes)


def is_true(value: Any) -> bool:
    """Return what an option says that is a bool in a dict, and text in a URL."""
    return value.lower() not in ("", "0", "f", "false", "n", "no") if isinstance(value, str) else bool(value)


def _speaks_tls(cls: type[Any]) -> bool:
    return issubclass(cls, SSLConnection | redis.connection.SSLConnection)


def _require_tls(cls: type[Any], name: str, where: str) -> None:
    if not _speaks_tls(cls):
        raise ValueError(
            f"{where} asks for TLS, and {cls.__qualname__} in its `{name}` is no subclass of SSLConnection: "
            "it would speak plain text. Derive it from SSLConnection, or ask for none (redis://, no `ssl`)."
        )


def _require_class(cls: Any, name: str, blocking: bool, where: str) -> None:
    connect = getattr(cls, "connect", None)
    if isinstance(cls, type) and callable(connect) and inspect.iscoroutinefunction(connect) is not blocking:
        return
    kind = "a blocking class, of redis.connection" if blocking else "a class of redis.asyncio.connection"
    got = cls.__qualname__ if isinstance(cls, type) else type(cls).__name__
    raise ValueError(f"{where} needs in `{name}` {kind}, or one derived from that; got {got}.")


def connection_class(options: Mapping[str, Any]) -> type[Any]:
    """Return the class of asynchronous connections."""
    given: type[Any] | None = options.get("connection_class")
    if given is not None:
        return given
    if "path" in options:
        return UnixDomainSocketConnection
    return SSLConnection if options.get("tls") else Connection
