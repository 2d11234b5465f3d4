"""Which users each example has."""

from __future__ import annotations

from benchmarks.examples.devices import DeviceUsers
from benchmarks.examples.users import (
    ChatUsers,
    EditorUsers,
    GameUsers,
    NotificationUsers,
    TickerUsers,
    Users,
)

USERS: dict[str, type[Users]] = {
    "chat": ChatUsers,
    "notifications": NotificationUsers,
    "editor": EditorUsers,
    "game": GameUsers,
    "devices": DeviceUsers,
    "ticker": TickerUsers,
}
