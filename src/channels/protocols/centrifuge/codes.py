"""The codes of the protocol: errors, ends of subscriptions and of connections, and what a client does then.

Each member is its code, an integer, and carries what goes with it. Applications have codes of their own:
400 to 1999 for errors, 4000 to 4499 for ends of connections after which clients come back, 4500 to 4999 for
those after which they do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Self

from channels.protocols.centrifuge.messages import Disconnect, Error, Unsubscribe

#: The codes that an application may give to its errors.
APPLICATION_ERRORS: Final = range(400, 2000)
#: The codes that may end a subscription.
UNSUBSCRIBE_CODES: Final = range(2000, 3000)
#: The codes that an application may give to the end of a connection.
APPLICATION_DISCONNECTS: Final = range(4000, 5000)

_MESSAGE_TOO_BIG = 1009  # of RFC 6455


class ErrorCode(IntEnum):
    """Why a command failed. The connection lives on; it is of no use, however, after an error to ``connect``.

    Attributes:
        message: for people.
        temporary: the client may try again; without it a client that wanted to connect stops for good.
    """

    message: str
    temporary: bool

    INTERNAL_SERVER_ERROR = 100, "internal server error", True
    UNAUTHORIZED = 101, "unauthorized"
    UNKNOWN_CHANNEL = 102, "unknown channel"
    PERMISSION_DENIED = 103, "permission denied"
    METHOD_NOT_FOUND = 104, "method not found"
    ALREADY_SUBSCRIBED = 105, "already subscribed"
    LIMIT_EXCEEDED = 106, "limit exceeded"
    BAD_REQUEST = 107, "bad request"
    NOT_AVAILABLE = 108, "not available"
    TOKEN_EXPIRED = 109, "token expired"
    EXPIRED = 110, "expired"
    TOO_MANY_REQUESTS = 111, "too many requests", True
    UNRECOVERABLE_POSITION = 112, "unrecoverable position"
    CONCURRENT_PAGINATION = 113, "concurrent pagination", True

    def __new__(cls, code: int, message: str, temporary: bool = False) -> Self:
        """The member, which is its code."""
        member = int.__new__(cls, code)
        member._value_, member.message, member.temporary = code, message, temporary
        return member

    def error(self, message: str = "") -> Error:
        """The error for a reply.

        Args:
            message: instead of the usual one.
        """
        return Error(self.value, message or self.message, self.temporary)


class _CodeWithReason(IntEnum):
    reason: str

    def __new__(cls, code: int, reason: str) -> Self:
        """The member, which is its code."""
        member = int.__new__(cls, code)
        member._value_, member.reason = code, reason
        return member


class UnsubscribeCode(_CodeWithReason):
    """Why the server ended a subscription.

    Attributes:
        reason: for people.
    """

    SERVER_UNSUBSCRIBE = 2000, "server unsubscribe"
    INSUFFICIENT_STATE = 2500, "insufficient state"
    SUBSCRIPTION_EXPIRED = 2501, "subscription expired"
    STATE_INVALIDATED = 2502, "state invalidated"

    def unsubscribe(self) -> Unsubscribe:
        """The event for a push."""
        return Unsubscribe(self.value, self.reason)


class DisconnectCode(_CodeWithReason):
    """Why the server ended a connection.

    Attributes:
        reason: for people; short, and no JSON, because clients read that as an older form of advice.
    """

    CONNECTION_CLOSED = 3000, "connection closed"
    SHUTDOWN = 3001, "shutdown"
    INTERNAL_SERVER_ERROR = 3004, "internal server error"
    CONNECTION_EXPIRED = 3005, "connection expired"
    SUBSCRIPTION_EXPIRED = 3006, "subscription expired"
    SLOW = 3008, "slow"
    WRITE_ERROR = 3009, "write error"
    INSUFFICIENT_STATE = 3010, "insufficient state"
    FORCE_RECONNECT = 3011, "force reconnect"
    NO_PONG = 3012, "no pong"
    TOO_MANY_REQUESTS = 3013, "too many requests"
    STATE_INVALIDATED = 3014, "state invalidated"
    INVALID_TOKEN = 3500, "invalid token"
    BAD_REQUEST = 3501, "bad request"
    STALE = 3502, "stale"
    FORCE_DISCONNECT = 3503, "force disconnect"
    CONNECTION_LIMIT = 3504, "connection limit"
    CHANNEL_LIMIT = 3505, "channel limit"
    INAPPROPRIATE_PROTOCOL = 3506, "inappropriate protocol"
    PERMISSION_DENIED = 3507, "permission denied"
    NOT_AVAILABLE = 3508, "not available"
    TOO_MANY_ERRORS = 3509, "too many errors"

    def disconnect(self) -> Disconnect:
        """The event for the last push of an emulated or unidirectional transport."""
        return Disconnect(self.value, self.reason)


#: What an error to ``connect`` becomes where no reply can say it: on unidirectional transports.
_CONNECT_ERRORS: Final[Mapping[int, DisconnectCode]] = {
    ErrorCode.TOKEN_EXPIRED: DisconnectCode.CONNECTION_EXPIRED,
    ErrorCode.EXPIRED: DisconnectCode.CONNECTION_EXPIRED,
    ErrorCode.TOO_MANY_REQUESTS: DisconnectCode.TOO_MANY_REQUESTS,
    ErrorCode.PERMISSION_DENIED: DisconnectCode.PERMISSION_DENIED,
}


def disconnect_for(error_code: int) -> DisconnectCode:
    """How a unidirectional transport ends after an error to ``connect``."""
    return _CONNECT_ERRORS.get(error_code, DisconnectCode.INTERNAL_SERVER_ERROR)


def reconnects(code: int) -> bool:
    """Whether clients connect again after a connection ended so.

    Args:
        code: of a disconnect, or of a WebSocket's close frame. After 1009 it is said of the JavaScript
            client, which gives up; the Python one comes back.
    """
    return not (3500 <= code < 4000 or 4500 <= code < 5000 or code == _MESSAGE_TOO_BIG)


def resubscribes(code: int) -> bool:
    """Whether clients subscribe again after a subscription ended so.

    Args:
        code: of an unsubscribe push.
    """
    return code >= UnsubscribeCode.INSUFFICIENT_STATE
