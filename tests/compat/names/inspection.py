"""What modules and classes have, found by looking: the same for the originals and for this project.

    python -m tests.compat.names.inspection > tests/compat/names/names.json

was run where channels 4.3.2, channels_redis 4.3.0, daphne 4.2.3, cryptography and Django 5.2 are installed,
and this project is not.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import threading
from typing import Any

MODULES = """
channels channels.apps channels.auth channels.consumer channels.db channels.exceptions channels.generic.http
channels.generic.websocket channels.layers channels.management.commands.runworker channels.middleware
channels.routing channels.security.websocket channels.sessions channels.testing channels.testing.application
channels.testing.http channels.testing.live channels.testing.websocket channels.utils channels.worker
channels_redis channels_redis.core channels_redis.pubsub channels_redis.serializers channels_redis.utils
daphne daphne.access daphne.apps daphne.checks daphne.cli daphne.endpoints daphne.http_protocol
daphne.management.commands.runserver daphne.server daphne.testing daphne.utils daphne.ws_protocol
""".split()  # noqa: SIM905

#: Every class that users subclass, but for layers and serializers.
CLASSES = """
channels.consumer.AsyncConsumer channels.consumer.SyncConsumer channels.generic.websocket.WebsocketConsumer
channels.generic.websocket.JsonWebsocketConsumer channels.generic.websocket.AsyncWebsocketConsumer
channels.generic.websocket.AsyncJsonWebsocketConsumer channels.generic.http.AsyncHttpConsumer
channels.middleware.BaseMiddleware channels.sessions.CookieMiddleware channels.sessions.SessionMiddleware
channels.sessions.InstanceSessionWrapper channels.auth.AuthMiddleware channels.auth.UserLazyObject
channels.layers.ChannelLayerManager channels.routing.ProtocolTypeRouter
channels.routing.URLRouter channels.routing.ChannelNameRouter channels.security.websocket.OriginValidator
channels.security.websocket.WebsocketDenier channels.testing.ApplicationCommunicator
channels.testing.HttpCommunicator channels.testing.WebsocketCommunicator
channels.testing.ChannelsLiveServerTestCase channels.worker.Worker channels.db.DatabaseSyncToAsync
channels.management.commands.runworker.Command daphne.access.AccessLogGenerator
daphne.cli.CommandLineInterface daphne.management.commands.runserver.Command daphne.server.Server
daphne.testing.BaseDaphneTestingInstance daphne.testing.DaphneTestingInstance daphne.testing.TestApplication
daphne.testing.DaphneProcess
""".split()  # noqa: SIM905


def find(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def names_of(module: str) -> list[str]:
    """The names that can be imported from a module."""
    return sorted(name for name in vars(importlib.import_module(module)) if not name.startswith("__"))


def attributes_of(cls: type, *instances: Any) -> set[str]:
    """The attributes of a class and of instances of it that were in use."""
    return {name for name in dir(cls) if not _is_dunder(name)}.union(*map(vars, instances))


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


async def used() -> dict[str, Any]:
    """An instance of each class of which one is easily had, after it was used."""
    found = await _used_consumers()
    worker = find("channels.worker.Worker")
    found["channels.worker.Worker"] = worker(None, ["a"], object())
    wrapper = find("channels.sessions.InstanceSessionWrapper")({"cookies": {}}, None)
    await wrapper.resolve_session()
    found["channels.sessions.InstanceSessionWrapper"] = wrapper
    router = find("channels.routing.URLRouter")([])
    found["channels.routing.URLRouter"] = router
    found["channels.layers.ChannelLayerManager"] = find("channels.layers.ChannelLayerManager")()
    found["channels.db.DatabaseSyncToAsync"] = find("channels.db.DatabaseSyncToAsync")(len)
    found["daphne.server.Server"] = find("daphne.server.Server")(None, ["tcp:port=0"])
    found["daphne.cli.CommandLineInterface"] = find("daphne.cli.CommandLineInterface")()
    runserver = "daphne.management.commands.runserver.Command"
    found[runserver] = find(runserver)()
    found["daphne.testing.DaphneTestingInstance"] = find("daphne.testing.DaphneTestingInstance")()
    found["daphne.testing.TestApplication"] = find("daphne.testing.TestApplication")(threading.Lock())
    found["daphne.testing.DaphneProcess"] = find("daphne.testing.DaphneProcess")("localhost", len)
    return found


async def _used_consumers() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for dotted in CLASSES:
        if not dotted.startswith("channels.generic."):
            continue
        made: list[Any] = []
        base = find(dotted)

        class Own(base):  # type: ignore[misc, valid-type]
            def __init__(self) -> None:
                super().__init__()
                made.append(self)  # noqa: B023

            async def handle(self, body: bytes) -> None:
                await self.send_response(200, body)

        await (_request if dotted.endswith("HttpConsumer") else _connect)(Own.as_asgi(), found)
        found[dotted] = made[0]
    return found


async def _request(application: Any, found: dict[str, Any]) -> None:
    communicator = find("channels.testing.HttpCommunicator")(application, "GET", "/")
    await communicator.get_response(timeout=20)
    found["channels.testing.HttpCommunicator"] = communicator


async def _connect(application: Any, found: dict[str, Any]) -> None:
    communicator = find("channels.testing.WebsocketCommunicator")(application, "/")
    await communicator.connect(timeout=20)
    await communicator.disconnect(timeout=20)
    found["channels.testing.WebsocketCommunicator"] = communicator


def inspect_all() -> dict[str, Any]:
    """The table: the names of modules, and the attributes of classes."""
    instances = asyncio.run(used())
    return {
        "modules": {module: names_of(module) for module in MODULES},
        "classes": {
            dotted: sorted(attributes_of(find(dotted), *([instances[dotted]] if dotted in instances else [])))
            for dotted in CLASSES
        },
    }


def main() -> None:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="x",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "channels"],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    )
    django.setup()
    for what, table in inspect_all().items():
        lines = [f" {json.dumps(name)}: {json.dumps(found)}" for name, found in table.items()]
        opens, ends = ("{", ",") if what == "modules" else ("", "}")
        sys.stdout.write(f"{opens}{json.dumps(what)}: {{\n" + ",\n".join(lines) + f"\n}}{ends}\n")


if __name__ == "__main__":
    main()
