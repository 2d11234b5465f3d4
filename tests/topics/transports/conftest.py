"""A project with topics behind our server, and what the tests ask it for."""

from collections.abc import Iterator

import pytest
from django.core.asgi import get_asgi_application
from django.test import override_settings

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import websocket_urlpatterns


@pytest.fixture
def address() -> Iterator[str]:
    """``http://host:port`` of a project that serves topics only."""
    with override_settings(ROOT_URLCONF="tests.topics.urls"):
        app = ProtocolTypeRouter(
            {"http": get_asgi_application(), "websocket": URLRouter(websocket_urlpatterns)}
        )
        with ServerThread(app) as server:
            yield f"http://127.0.0.1:{server.port}"
