"""How a command may end without a result."""

from __future__ import annotations

from channels.exceptions import ChannelsError
from channels.protocols.centrifuge.codes import DisconnectCode, ErrorCode
from channels.protocols.centrifuge.messages import Error


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
