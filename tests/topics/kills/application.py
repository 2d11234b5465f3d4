"""What the processes that are killed serve."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.topics.kills.settings")
django.setup()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.topics import History, Topic, websocket_urlpatterns  # noqa: E402


class Numbers(Topic):
    """0, 1, 2 ... and then "end"."""

    pattern = "numbers"
    history = History(size=10_000, ttl=600)

    async def may_subscribe(self, user: Any) -> bool:
        return True


application = ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})
