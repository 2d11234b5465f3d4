"""A server, and tokens for it."""

from collections.abc import Iterator
from typing import Any

import pytest

import tests.topics.topics_for_tests  # noqa: F401  # the topics exist
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import websocket_urlpatterns
from tests.topics.tokens.signing import SECRET


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server of topics."""
    with ServerThread(ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})) as server:
        yield server.port


@pytest.fixture
def options(settings: Any) -> dict[str, object]:
    """The setting CHANNELS_TOPICS; tests add to it before they connect."""
    options: dict[str, object] = {"TOKENS": {"SECRET": SECRET}, "EXPIRY_GRACE": 0.2}
    settings.CHANNELS_TOPICS = options
    return options
