"""Functions of the project that decide about clients, by their keys in ``CHANNELS_TOPICS``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from channels.db import database_sync_to_async

Hook: TypeAlias = Callable[..., Any]


def find_hook(key: str) -> Hook | None:
    """Return the function that a key of ``CHANNELS_TOPICS`` names; None if it is not set.

    Args:
        key: its value is a function, or the dotted path of one.

    Raises:
        ImproperlyConfigured: it is neither.
    """
    chosen: Hook | str | None = option(key, None)
    if isinstance(chosen, str):
        try:
            chosen = import_string(chosen)
        except ImportError as error:
            raise ImproperlyConfigured(f"CHANNELS_TOPICS[{key!r}]: {error}.") from error
    if chosen is None or callable(chosen):
        return chosen
    raise ImproperlyConfigured(
        f"CHANNELS_TOPICS[{key!r}] is {chosen!r}; it is a function or the dotted path of one."
    )


async def call_hook(hook: Hook, *args: Any) -> Any:
    """Return what a function returns; a sync one is called in a thread, where it may use the database."""
    result = hook(*args) if iscoroutinefunction(hook) else await database_sync_to_async(hook)(*args)
    return await result if inspect.isawaitable(result) else result


def option(key: str, default: Any) -> Any:
    """Return the value of a key of ``CHANNELS_TOPICS``."""
    return (getattr(settings, "CHANNELS_TOPICS", None) or {}).get(key, default)
