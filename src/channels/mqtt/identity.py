"""Who a client of MQTT is: by user name and password, by a token, or as the project's own function says."""

from __future__ import annotations

from typing import Any

from asgiref.sync import iscoroutinefunction
from django.contrib.auth import authenticate

from channels.db import database_sync_to_async
from channels.protocols.centrifuge.messages import ConnectRequest
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import Connect
from channels.topics.session.errors import CommandFailed, Disconnected
from channels.topics.session.identity import identify
from channels.typing import Scope


class Refused(Exception):  # it is no mistake of ours
    """A client may not connect.

    Args:
        reason: what CONNACK says.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name)
        self.reason = reason


async def default_authenticate(scope: Scope, connect: Connect) -> Any:
    """Return the user of a client.

    A user name with a password is asked of Django's authentication backends; a password alone is a
    connection token of ``channels.topics.tokens``; without either it is the user of the scope, or nobody.

    Raises:
        Refused: they are wrong, or clients that nobody knows may not connect.
    """
    if connect.username:
        user = await _by_password(connect.username, connect.password)
        if user is None:
            raise Refused(Reason.BAD_USER_NAME_OR_PASSWORD)
        return user
    try:
        token = (connect.password or b"").decode()
    except UnicodeDecodeError:
        raise Refused(Reason.BAD_USER_NAME_OR_PASSWORD) from None
    try:
        return (await identify(scope, ConnectRequest(token=token))).user
    except (CommandFailed, Disconnected):
        raise Refused(Reason.BAD_USER_NAME_OR_PASSWORD if token else Reason.NOT_AUTHORIZED) from None


async def _by_password(username: str, password: bytes | None) -> Any:
    try:
        text = (password or b"").decode()
    except UnicodeDecodeError:
        return None
    return await database_sync_to_async(authenticate)(username=username, password=text)


async def user_of(function: Any, scope: Scope, connect: Connect) -> Any:
    """Return whom a function (of the project, sync or async) finds; raises Refused if that is nobody."""
    call = function if iscoroutinefunction(function) else database_sync_to_async(function)
    user = await call(scope, connect)
    if user is None:
        raise Refused(Reason.NOT_AUTHORIZED)
    return user
