"""Topics of devices."""

from __future__ import annotations

from typing import Any

from channels.topics import History, Topic


class DeviceState(Topic):
    pattern = "devices/<str:id>/state"
    history = History(size=100, ttl=3600)
    cache = True

    def may_subscribe(self, user: Any) -> bool:
        return True

    async def may_publish(self, user: Any, data: Any) -> bool:
        return True


class DeviceBytes(Topic):
    pattern = "devices/<str:id>/bytes"
    message = bytes

    async def may_subscribe(self, user: Any) -> bool:
        return True

    async def may_publish(self, user: Any, data: Any) -> bool:
        return True


class Retained(Topic):
    pattern = "kept/<str:id>"
    message = bytes
    history = History(size=1, ttl=3600)
    cache = True

    async def may_subscribe(self, user: Any) -> bool:
        return True

    async def may_publish(self, user: Any, data: Any) -> bool:
        return True


class Private(Topic):
    name: str
    pattern = "private/<str:name>"
    history = History(size=10, ttl=3600)
    cache = True

    async def may_subscribe(self, user: Any) -> bool:
        return bool(user.get_username() == self.name)

    async def may_publish(self, user: Any, data: Any) -> bool:
        return bool(user.get_username() == self.name)


class DeviceLog(DeviceBytes):
    pattern = "devices/<str:id>/bytes1"
    history = History(size=30_000, ttl=3600)
