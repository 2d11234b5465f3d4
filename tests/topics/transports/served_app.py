"""The application that test_servers.py runs under several ASGI servers."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.topics.transports.served_settings")
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.topics import websocket_urlpatterns  # noqa: E402
from tests.topics import topics_for_tests  # noqa: E402, F401 (found by their patterns)

application = ProtocolTypeRouter(
    {"http": get_asgi_application(), "websocket": URLRouter(websocket_urlpatterns)}
)
