"""A project whose API is on, served by two event loops that share a store."""

from collections.abc import Iterator

import pytest
from django.core.asgi import get_asgi_application
from django.test import override_settings

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import websocket_urlpatterns
from tests.topics import topics_for_tests  # noqa: F401 (topics to ask for)

KEYS = ["the-first-key-of-two", "the-second-key-of-two"]


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Where the two listen."""
    with override_settings(ROOT_URLCONF="tests.topics.urls", CHANNELS_TOPICS={"API_KEY": KEYS}):
        app = ProtocolTypeRouter(
            {"http": get_asgi_application(), "websocket": URLRouter(websocket_urlpatterns)}
        )
        with ServerThread(app) as first, ServerThread(app) as second:
            yield first.port, second.port
