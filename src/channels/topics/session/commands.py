"""The commands of the protocol: which there are, and who answers them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from django.core.exceptions import PermissionDenied

from channels import telemetry
from channels.exceptions import ChannelFull
from channels.protocols.centrifuge.codec import ProtocolError
from channels.protocols.centrifuge.codes import DisconnectCode, ErrorCode
from channels.protocols.centrifuge.messages import Command, Reply
from channels.topics.payloads import InvalidData
from channels.topics.session import connecting, publishing, reading, subscribing
from channels.topics.session.errors import CommandFailed, Disconnected
from channels.topics.session.session import Session
from channels.topics.stores.base import StoreUnavailable

logger = logging.getLogger("channels.topics")

Handler = Callable[[Session, Any], Awaitable[Any]]

#: In the order in which the protocol looks for them: a command is the first that it holds.
HANDLERS: Final[dict[str, Handler]] = {
    "connect": connecting.connect,
    "subscribe": subscribing.subscribe,
    "unsubscribe": subscribing.unsubscribe,
    "publish": publishing.publish,
    "presence": reading.presence,
    "presence_stats": reading.presence_stats,
    "history": reading.history,
    "rpc": publishing.call,
    "send": publishing.send,
    "refresh": connecting.refresh,
    "sub_refresh": subscribing.refresh,
}


async def handle_frame(session: Session, frame: bytes | str) -> None:
    """Carry out the commands of a frame in order, each after the one before; nothing is raised."""
    session.busy(True)
    try:
        for command in session.outbox.framing.codec.decode_commands(frame):
            if session.closed:
                break
            await handle_command(session, command)
    except ProtocolError as error:
        telemetry.count("topics.bad_frame", error=str(error))
        session.end(DisconnectCode.BAD_REQUEST)
    except Disconnected as error:
        session.disconnect(error.code, error.reason)
    finally:
        session.busy(False)


async def handle_command(session: Session, command: Command) -> None:
    """Carry out one command and reply.

    Raises:
        Disconnected: the connection is to end.
    """
    name = next((each for each in HANDLERS if getattr(command, each) is not None), None)
    if command.id == 0 and name != "send":
        session.pong_received()
        return
    if name is None or (name == "connect") is not (session.identity is None):
        raise Disconnected(DisconnectCode.BAD_REQUEST)
    if session.keeps_pace():
        result = await _result(session, command, name)
    else:
        telemetry.count("topics.too_many_commands", command=name)
        result = Reply(id=command.id, error=ErrorCode.TOO_MANY_REQUESTS.error()) if command.id else None
    if result is not None and not session.closed:
        session.reply(result)


async def _result(session: Session, command: Command, name: str) -> Reply | None:
    """Return the reply; None to ``send``, which has none."""
    try:
        result = await HANDLERS[name](session, getattr(command, name))
    except CommandFailed as failed:
        return Reply(id=command.id, error=failed.error)
    except InvalidData as error:
        return Reply(id=command.id, error=ErrorCode.BAD_REQUEST.error(str(error)))
    except PermissionDenied:
        return Reply(id=command.id, error=ErrorCode.PERMISSION_DENIED.error())
    except Disconnected:
        raise
    except ChannelFull:  # the layer counts it, and tells it in the log once per interval
        telemetry.count("topics.channel_full", command=name)
        return Reply(id=command.id, error=ErrorCode.TOO_MANY_REQUESTS.error())
    except StoreUnavailable as error:
        logger.warning("Command %s failed, as the store does not answer: %s", name, error)
    except Exception:
        logger.exception("Command %s of a client failed.", name)
    else:
        return None if result is None else Reply(id=command.id, **{name: result})
    telemetry.count("topics.command_failed", command=name)
    return Reply(id=command.id, error=ErrorCode.INTERNAL_SERVER_ERROR.error())
