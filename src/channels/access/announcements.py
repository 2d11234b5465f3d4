"""What has changed about sessions, users and permissions: said once, heard in every process.

An announcement only says where to look; what has changed is looked up by whoever hears of it. The end of a
session is the exception: it is announced by who ends it, before it is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from channels import telemetry

logger = logging.getLogger("channels.security")


class Change(NamedTuple):
    """Something that may have taken a right away.

    Attributes:
        user: the primary key, as text, of the user it is about; "" for all, unless there is a session.
        session: the digest of a session that has ended; "" for none.
        permissions: of the user, or of all, may have changed.
    """

    user: str = ""
    session: str = ""
    permissions: bool = False


Listener = Callable[[Change], object]
Carrier = Callable[[Change], object]

_listeners: list[Listener] = []
_carriers: list[Carrier] = []
_receivers: list[Callable[[], object]] = []


def announce(change: Change) -> None:
    """Tell everybody in this process, and through the carriers those in the others. From sync code."""
    hear(change)
    for carrier in list(_carriers):
        try:
            carrier(change)
        except Exception as error:  # whoever logs out has done so; the regular checks will find it
            telemetry.count("security.access_unannounced", error=repr(error))
            logger.warning("Other processes could not be told at once what changed about users: %s", error)


def hear(change: Change) -> None:
    """Tell everybody in this process; called by what carries announcements, too."""
    for listener in list(_listeners):
        listener(change)


def listen(listener: Listener) -> None:
    """Have ``listener`` called with each change, in any thread."""
    _listeners.append(listener)


def carry(carrier: Carrier, receive: Callable[[], object]) -> None:
    """Have something carry announcements between processes.

    Args:
        carrier: brings what is announced here to the other processes.
        receive: called in each event loop that watches connections, to have announcements of other
            processes come in: :func:`hear` is to be called with them.
    """
    if carrier not in _carriers:
        _carriers.append(carrier)
        _receivers.append(receive)


def receive_announcements() -> None:
    """Have what is announced in other processes heard here; called in an event loop."""
    for receive in list(_receivers):
        receive()
