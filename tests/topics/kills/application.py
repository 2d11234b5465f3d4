"""What the processes that are killed serve."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.topics.kills.settings")
django.setup()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.topics import History, Topic, websocket_urlpatterns  # noqa: E402
from channels.topics.session import announcing  # noqa: E402
from channels.topics.signals import topic_occupied, topic_vacated  # noqa: E402


class Numbers(Topic):
    """0, 1, 2 ... and then "end"."""

    pattern = "numbers"
    history = History(size=10_000, ttl=600)

    async def may_subscribe(self, user: Any) -> bool:
        return True


class Crowd(Topic):
    pattern = "crowd"
    presence = True

    async def may_subscribe(self, user: Any) -> bool:
        return True


def occupied(topic: Topic, **facts: Any) -> None:
    print(f"occupied {topic}", flush=True)


def vacated(topic: Topic, **facts: Any) -> None:
    print(f"vacated {topic}", flush=True)


announcing.GRACE = 0.2  # type: ignore[misc]  # the tests wait for it
topic_occupied.connect(occupied, sender=Crowd)
topic_vacated.connect(vacated, sender=Crowd)
application = ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})
