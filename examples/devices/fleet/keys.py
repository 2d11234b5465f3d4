"""Who connects to the broker: a device with its key, or a person as anywhere else."""

from typing import Any

from django.utils.crypto import constant_time_compare, salted_hmac

from channels.mqtt.identity import default_authenticate
from channels.protocols.mqtt.packets import Connect
from channels.typing import Scope
from fleet.models import Device


def key_of(name: str) -> str:
    """Return the key of a device. The secret of the project makes it, so that no table keeps it."""
    return salted_hmac("fleet.device", name, algorithm="sha256").hexdigest()


async def authenticate(scope: Scope, connect: Connect) -> Any:
    """Return the device with this name, if its key is right; people have the names of Django's users."""
    device = await Device.objects.filter(name=connect.username or "").afirst()
    if device is None:
        return await default_authenticate(scope, connect)
    key = (connect.password or b"").decode("ascii", "replace")
    return device if device.is_active and constant_time_compare(key, key_of(device.name)) else None
