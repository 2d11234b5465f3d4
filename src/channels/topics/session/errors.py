"""How a command may end without a result."""

from __future__ import annotations

import time

from channels.exceptions import ChannelsError
from channels.protocols.centrifuge.codes import DisconnectCode, ErrorCode
from channels.protocols.centrifuge.messages import Error
from channels.topics.tokens.errors import TokenError, TokenExpired, TokenKeysUnavailable


class CommandFailed(ChannelsError):
    """The reply is an error; the connection lives.

    Args:
        code: of the protocol, or 400 to 1999 of the application.
        message: for people; the usual one of the code if empty.
        temporary: of an application's code: the client may try again.
    """

    def __init__(self, code: ErrorCode | int, message: str = "", temporary: bool = False) -> None:
        super().__init__(message or f"error {code}")
        known = code if isinstance(code, ErrorCode) else None
        self.error = known.error(message) if known is not None else Error(code, message, temporary)


class Disconnected(ChannelsError):
    """The connection ends.

    Args:
        code: of the protocol, or 4000 to 4999 of the application.
        reason: short, for people; the usual one of the code if empty.
    """

    def __init__(self, code: DisconnectCode | int, reason: str = "") -> None:
        self.code = int(code)
        self.reason = reason or (code.reason if isinstance(code, DisconnectCode) else "")
        super().__init__(f"{self.code} {self.reason}")


def token_refusal(error: TokenError, invalid: CommandFailed | Disconnected) -> CommandFailed | Disconnected:
    """Return how a command ends whose token is refused.

    Args:
        error: what is wrong with the token.
        invalid: the end if it is worth nothing, and another attempt would be of no use.
    """
    if isinstance(error, TokenExpired):
        return CommandFailed(ErrorCode.TOKEN_EXPIRED)
    if isinstance(error, TokenKeysUnavailable):
        return CommandFailed(ErrorCode.INTERNAL_SERVER_ERROR)
    return invalid


def require_future(end: float) -> None:
    """Raise CommandFailed (110) if something that is to begin now has ended: seconds since 1970, 0: never."""
    if end and end <= time.time():
        raise CommandFailed(ErrorCode.EXPIRED)
