"""Two topics for each device, for MQTT and for pages, and one that tells pages what somebody has switched."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied
from django.db import transaction

from channels.topics import History, RPCError, Topic, publish_many, rpc
from fleet.models import Device


class State(msgspec.Struct):
    """What a device says of itself; the broker says for it that it is not online, when it is lost."""

    online: bool
    on: bool = False
    watts: float = 0.0


class DeviceState(Topic):
    """What a device does. It publishes here itself, and nobody else may."""

    pattern = "devices/<slug:name>/state"
    message = State
    history = History(size=1, ttl=timedelta(days=1))
    cache = True  # retained: who subscribes, or comes back, has the newest at once
    slow_clients = "latest"
    name: str

    async def may_subscribe(self, user: Any) -> bool:
        return True

    async def may_publish(self, user: Any, data: Any) -> bool:
        return isinstance(user, Device) and user.name == self.name


class DeviceWanted(Topic):
    """Whether a device is to be on. The device subscribes; only the server publishes."""

    pattern = "devices/<slug:name>/wanted"
    message = bool
    history = History(size=1, ttl=timedelta(days=365))
    cache = True  # retained: a device that was away hears it when it is back
    store = "database"  # leaves with the commit, and outlives all processes
    name: str

    async def may_subscribe(self, user: Any) -> bool:
        return isinstance(user, Device) and user.name == self.name


class Switched(msgspec.Struct):
    """Somebody wants these devices on, or off."""

    names: list[str]
    on: bool


class Fleet(Topic):
    """What people want of the devices: pages show what waits for its device, whoever has asked for it."""

    pattern = "fleet"
    message = Switched
    history = History(size=200, ttl=timedelta(hours=1))
    store = "database"

    async def may_subscribe(self, user: Any) -> bool:
        return True

    @rpc
    def switch(self, user: Any, names: list[str], on: bool) -> int:
        """Switch devices on or off, as far as there are such; returns how many that changes."""
        if not user.is_authenticated:
            raise PermissionDenied
        if names and not Device.objects.filter(name__in=names).exists():
            raise RPCError(404, "There is no such device.")
        return switch(names, on)


def switch(names: Iterable[str], on: bool) -> int:
    """Want devices to be on or off: note it, and tell them and the pages in the same transaction.

    Returns:
        How many that changes.
    """
    with transaction.atomic():
        found = Device.objects.filter(name__in=names).exclude(wanted=on)  # those with no wish yet as well
        changed = list(found.values_list("name", flat=True))
        if changed:
            Device.objects.filter(name__in=changed).update(wanted=on)
            publish_many([DeviceWanted(name=name) for name in changed], on)
            Fleet().publish(Switched(changed, on))
    return len(changed)
