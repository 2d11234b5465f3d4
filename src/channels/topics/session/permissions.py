"""Asking a topic what a user may do, whether its methods are sync or async."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction

from channels.core.bounded_cache import BoundedCache
from channels.db import database_sync_to_async
from channels.topics.topic import Topic

logger = logging.getLogger("channels.topics")

#: Methods that say no to everybody; nobody needs a thread to hear it.
_REFUSALS = (Topic.may_subscribe, Topic.may_publish)
#: Classes and methods of which the log has said so: once for each.
_said: set[tuple[type, str]] = set()


async def may_subscribe(topic: Topic, user: Any) -> bool:
    """Whether ``user`` may subscribe to ``topic``."""
    return await _ask(topic.may_subscribe, user)


async def may_publish(topic: Topic, user: Any, data: Any) -> bool:
    """Whether ``user`` may publish ``data`` to ``topic``."""
    return await _ask(topic.may_publish, user, data)


async def may_publish_ephemeral(topic: Topic, user: Any, data: Any) -> bool:
    """Whether ``user``, a subscriber, may publish ``data`` for nobody to keep."""
    if type(topic).may_publish_ephemeral is Topic.may_publish_ephemeral:
        return True
    return await _ask(topic.may_publish_ephemeral, user, data)


async def _ask(method: Callable[..., Any], *args: Any) -> bool:
    if getattr(method, "__func__", None) in _REFUSALS:
        _say_why(method.__self__, method.__name__)  # type: ignore[attr-defined]  # a bound method
        return False
    if _is_async(method):
        return bool(await method(*args))
    return bool(await database_sync_to_async(method)(*args))


def _is_async(method: Callable[..., Any]) -> bool:
    """Whether a method is async; of one that a class has it is looked up once."""
    function = getattr(method, "__func__", None)
    return iscoroutinefunction(method) if function is None else _async_ones[function]


#: By function: asked for each publication of a client (row "mqtt-publish-50").
_async_ones: BoundedCache[Callable[..., Any], bool] = BoundedCache(
    "topics.async_permissions", 1024, iscoroutinefunction
)


def _say_why(topic: Topic, method: str) -> None:
    cls = type(topic)
    if (cls, method) not in _said:
        _said.add((cls, method))
        text = "%s was refused, as it is to everybody: %s.%s has no %s()."
        logger.warning(text, topic, cls.__module__, cls.__qualname__, method)
