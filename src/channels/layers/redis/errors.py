"""What is raised when Redis cannot do its part: which address, which setting, what to try."""

from __future__ import annotations

from redis.exceptions import AuthenticationError, AuthorizationError, ConnectionError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.sentinel import MasterNotFoundError

from channels.exceptions import ChannelLayerUnavailable

#: How redis-py, asyncio and the operating system say that a server is not there, or went away.
UNREACHABLE = (ConnectionError, RedisTimeoutError, OSError, EOFError)

_REFUSED = (AuthenticationError, AuthorizationError)
_REFUSALS = ("NOAUTH", "WRONGPASS", "NOPERM", "invalid password", "invalid username-password")


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
    if refused(error):
        text = (
            f"Redis at {label} refused the user name or password: {what} "
            "Check username and password in `hosts` (CHANNEL_LAYERS, CONFIG)."
        )
    elif isinstance(error, MasterNotFoundError):
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
