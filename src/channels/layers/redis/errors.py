"""What is raised when Redis cannot do its part: which address, which setting, what to try."""

from __future__ import annotations

from typing import Final

from redis import sentinel
from redis.asyncio import sentinel as async_sentinel
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,
    InvalidResponse,
    NoPermissionError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from channels.exceptions import ChannelLayerUnavailable

#: How redis-py, asyncio and the operating system say that a server is not there, or went away.
UNREACHABLE: Final = (ConnectionError, RedisTimeoutError, InvalidResponse, OSError, EOFError)

_NO_MASTER: Final = (sentinel.MasterNotFoundError, async_sentinel.MasterNotFoundError)

_REFUSED: Final = (AuthenticationError, AuthorizationError, NoPermissionError)
_REFUSALS: Final = ("NOAUTH", "WRONGPASS", "NOPERM", "invalid password", "invalid username-password")


class RedisUnavailable(ChannelLayerUnavailable, ConnectionError):
    """Redis cannot be used now; a redis-py ``ConnectionError`` too, for code that expects that."""


def refused(error: BaseException) -> bool:
    """Whether the server is there but does not let us in: trying again does not help."""
    return isinstance(error, _REFUSED) or (
        isinstance(error, ResponseError) and any(text in str(error) for text in _REFUSALS)
    )


def unavailable(label: str, error: BaseException) -> RedisUnavailable:
    """Return the error to raise for ``error`` at the address ``label`` (which holds no password)."""
    what = str(error).strip() or type(error).__name__
    if isinstance(error, NoPermissionError):
        text = (
            f"Redis at {label} does not give its user a right: {what} "
            "Give the user what docs/howto/redis.md lists (ACL SETUSER), or another user in `hosts`."
        )
    elif refused(error):
        text = (
            f"Redis at {label} refused the user name or password: {what} "
            "Check username and password in `hosts` (CHANNEL_LAYERS, CONFIG)."
        )
    elif isinstance(error, _NO_MASTER):
        text = (
            f"No sentinel of {label} knows a master that answers: {what} "
            "Check `sentinels` and `master_name` in `hosts` (CHANNEL_LAYERS, CONFIG), "
            "and that the sentinels are running and reachable from here."
        )
    else:
        text = (
            f"Redis at {label} cannot be reached: {what} "
            "Check `hosts` (CHANNEL_LAYERS, CONFIG), and that Redis is running there "
            "and reachable from here (`redis-cli ping`)."
        )
    return RedisUnavailable(text)
