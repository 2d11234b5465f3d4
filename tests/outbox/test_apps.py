from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.test.client import AsyncClientHandler, ClientHandler

from channels.outbox.apps import OutboxConfig
from channels.outbox.relay import relays
from channels.process import serving
from channels.routing import ProtocolTypeRouter


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The app, as if it were made ready in a process that does not serve."""
    monkeypatch.setattr(serving, "announced", False)
    monkeypatch.setattr(serving, "_watchers", [])
    config = apps.get_app_config("channels_outbox")
    config.ready()
    return config


@pytest.mark.parametrize(
    ("handler", "serves"),
    [(WSGIHandler, True), (ASGIHandler, True), (ClientHandler, False), (AsyncClientHandler, False)],
)
def test_a_process_serves_when_a_server_calls_django(
    config: OutboxConfig, handler: Any, serves: bool
) -> None:
    assert relays.start_relays in serving._watchers[0]
    request_started.send(sender=handler)
    assert serving.announced is serves
    request_started.send(sender=handler)
    assert serving.announced is serves


@pytest.mark.parametrize(("scope", "serves"), [({"asgi": {"version": "3.0"}}, True), ({}, False)])
async def test_a_process_serves_when_any_server_calls_a_router(
    config: OutboxConfig, scope: Any, serves
) -> None:
    """A server's scopes say which ASGI it speaks, those of communicators do not."""

    async def application(*_: Any) -> None: ...

    await ProtocolTypeRouter({"websocket": application})({"type": "websocket", **scope}, _receive, _send)
    assert serving.announced is serves


async def _receive() -> Any: ...


async def _send(message: Any) -> None: ...
