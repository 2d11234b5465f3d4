"""Publications as text of a template: once for all clients of a language, unless it asks who they are."""

from __future__ import annotations

import asyncio
import base64
import logging
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from asgiref.sync import iscoroutinefunction
from django.utils import translation
from django.utils.functional import SimpleLazyObject

from channels import telemetry
from channels.core.bounded_cache import BoundedCache
from channels.db import database_sync_to_async
from channels.protocols.centrifuge.messages import Publication
from channels.sync.context import SyncContext
from channels.topics.delivery.hub import Hub
from channels.topics.topic import Entry, Topic, entry_of

logger = logging.getLogger("channels.topics")

#: Renderings kept per event loop, for streams that get to them a little later.
KEPT: Final = 128


class Viewer(NamedTuple):
    """For whom something is rendered.

    Attributes:
        user: Django's.
        request: that of the stream.
        language: the code, as Django knows it.
    """

    user: Any
    request: Any
    language: str


class Rendering(NamedTuple):
    """What was rendered.

    Attributes:
        text: None if there is nothing for this client.
        personal: it was asked for whom.
        viewer: for whom it was.
    """

    text: str | None
    personal: bool
    viewer: Viewer


def is_rendered(cls: type[Topic]) -> bool:
    """Whether publications of a class leave as text of its own, not as JSON."""
    return bool(cls.template) or cls.render is not Topic.render


async def rendered(hub: Hub, topic: Topic, publication: bytes, viewer: Viewer) -> str | None:
    """Return a publication as its topic renders it; None if there is nothing for this client.

    Args:
        hub: of the running loop.
        topic: whose publication it is.
        publication: in JSON.
        viewer: the client.
    """
    cache = _cache_of(hub)
    key = (str(topic), viewer.language, publication)
    task = cache.get(key)
    if task is None:
        task = asyncio.create_task(_render(topic, publication, viewer))
        cache.keep(key, task)
    rendering = await asyncio.shield(task)
    if rendering.personal and rendering.viewer is not viewer:
        rendering = await asyncio.create_task(_render(topic, publication, viewer))
    return rendering.text


async def _render(topic: Topic, publication: bytes, viewer: Viewer) -> Rendering:
    """Render, in a context of its own: the stream that asks for it first may end before."""
    context, asked = SyncContext(), Asked()
    context.enter()
    try:
        entry = entry_of(topic, _read(topic, publication))
        args = (entry, asked.on_use(viewer.user), asked.on_use(viewer.request))
        text = await _call(topic, args, viewer.language)
        return Rendering(None if text is None else str(text), asked.whom, viewer)
    except Exception:
        logger.exception("A publication to %s could not be rendered.", topic)
        telemetry.count("topics.render_failed", topic=str(topic))
        return Rendering(None, False, viewer)
    finally:
        context.end()


async def _call(topic: Topic, args: tuple[Entry, Any, Any], language: str) -> Any:
    if iscoroutinefunction(topic.render):
        with translation.override(language):
            return await topic.render(*args)
    return await database_sync_to_async(_in_language)(language, partial(topic.render, *args))


def _in_language(language: str, render: Callable[[], Any]) -> Any:
    with translation.override(language):
        return render()


class Asked:
    """Notes whether it was asked for whom something is rendered.

    Attributes:
        whom: it was.
    """

    def __init__(self) -> None:
        self.whom = False

    def on_use(self, value: Any) -> Any:
        """Return what stands for ``value``, until it is used."""
        return SimpleLazyObject(partial(self._give, value))

    def _give(self, value: Any) -> Any:
        self.whom = True
        return value


def _read(topic: Topic, publication: bytes) -> Publication:
    found = _publication(publication)
    if type(topic).message is bytes:  # which JSON carries in Base64
        return msgspec.structs.replace(found, data=msgspec.Raw(base64.b64decode(bytes(found.data)[1:-1])))
    return found


_publication: Final = msgspec.json.Decoder(Publication).decode
_Cache = BoundedCache[tuple[str, str, bytes], "asyncio.Task[Rendering]"]
_caches: weakref.WeakKeyDictionary[Hub, _Cache] = weakref.WeakKeyDictionary()


def _cache_of(hub: Hub) -> _Cache:
    cache = _caches.get(hub)
    if cache is None:
        cache = _caches[hub] = BoundedCache("topics.renderings", KEPT)
    return cache
