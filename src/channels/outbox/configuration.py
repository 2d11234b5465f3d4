"""The one reader of the setting ``CHANNELS_OUTBOX``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import DEFAULT_DB_ALIAS


@dataclass(frozen=True, slots=True)
class OutboxConfiguration:
    """How the outbox works.

    Attributes:
        databases: aliases whose outbox is relayed by processes that serve.
        poll_interval: seconds between two looks for what no wake-up told.
        max_attempts: how often a message is tried that its layer refuses; a hook may say another number.
        hook_threads: hooks that run at once, for each process and database.
        keep_dead: seconds that dead letters are kept; None: for ever.
        max_size: bytes that a message, or the arguments of a hook, may have.
    """

    databases: tuple[str, ...] = (DEFAULT_DB_ALIAS,)
    poll_interval: float = 3.0
    max_attempts: int = 10
    hook_threads: int = 4
    keep_dead: float | None = 30 * 86400.0
    max_size: int = 1024 * 1024


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_whole(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int)


def _are_aliases(value: Any) -> bool:
    known = settings.DATABASES
    return isinstance(value, list | tuple) and bool(value) and all(alias in known for alias in value)


#: Each option: whether a value will do, and what to write instead.
_OPTIONS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "DATABASES": (_are_aliases, "a list of aliases of DATABASES"),
    "POLL_INTERVAL": (_is_number, "a number of seconds above zero"),
    "MAX_ATTEMPTS": (_is_whole, "a whole number above zero"),
    "HOOK_THREADS": (_is_whole, "a whole number above zero"),
    "KEEP_DEAD": (lambda value: value is None or _is_number(value), "a number of seconds, or None for ever"),
    "MAX_SIZE": (_is_whole, "a number of bytes above zero"),
}


@cache
def outbox_configuration() -> OutboxConfiguration:
    """Return what the setting says; read once, and again when a test changes it.

    Raises:
        ImproperlyConfigured: an option is unknown, or its value is of no use.
    """
    options = getattr(settings, "CHANNELS_OUTBOX", None) or {}
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise ImproperlyConfigured(
            f"CHANNELS_OUTBOX has {', '.join(map(repr, unknown))}. It knows {', '.join(_OPTIONS)}."
        )
    for name, value in options.items():
        will_do, kind = _OPTIONS[name]
        if not will_do(value):
            raise ImproperlyConfigured(f"CHANNELS_OUTBOX[{name!r}] is {value!r}. Set it to {kind}.")
    values = {name.lower(): value for name, value in options.items()}
    if "databases" in values:
        values["databases"] = tuple(values["databases"])
    assert set(values) <= {field.name for field in fields(OutboxConfiguration)}
    return OutboxConfiguration(**values)


def _forget(setting: str, **kwargs: Any) -> None:
    if setting in ("CHANNELS_OUTBOX", "DATABASES"):
        outbox_configuration.cache_clear()


setting_changed.connect(_forget, dispatch_uid="channels.outbox.configuration")
