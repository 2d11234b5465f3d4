"""What is raised when Redis cannot do its part: which address, which setting, what to try."""

from __future__ import annotations

import ssl
from typing import Final

from redis import sentinel
from redis.asyncio import sentinel as async_sentinel
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,
    InvalidResponse,
    NoPermissionError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from channels.exceptions import ChannelLayerUnavailable

#: How redis-py, asyncio and the operating system say that a server is not there, or went away.
UNREACHABLE: Final = (ConnectionError, RedisTimeoutError, InvalidResponse, OSError, EOFError)

#: What may go wrong beside the connection: Redis says no, or is not the kind of server that was expected.
ANSWERS: Final = (RedisError, RedisClusterException)

_NO_MASTER: Final = (sentinel.MasterNotFoundError, async_sentinel.MasterNotFoundError)

_REFUSED: Final = (AuthenticationError, AuthorizationError, NoPermissionError)
_REFUSALS: Final = ("NOAUTH", "WRONGPASS", "NOPERM", "invalid password", "invalid username-password")

_REFUSED_TEXT: Final = (
    "Redis at {label} refused the user name or password: {what} "
    "Check username and password in `hosts` (CHANNEL_LAYERS, CONFIG)."
)
_SENTINEL_TLS: Final = (
    "TLS to the sentinels of {label} failed: {what} rediss+sentinel:// is TLS to the sentinels and to the "
    "master, with the ssl_ options of the URL; add sentinel_ssl=false for sentinels without TLS, or "
    "sentinel_ssl_ca_certs=... (`sentinel_kwargs` in a dict) for other certificates."
)
#: What to say of an error, by its class; the first that fits.
_TEXTS: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (
        NoPermissionError,
        "Redis at {label} does not give its user a right: {what} "
        "Give the user what docs/howto/redis.md lists (ACL SETUSER), or another user in `hosts`.",
    ),
    (
        _NO_MASTER,
        "No sentinel of {label} knows a master of that name that answers. "
        "Check `sentinels`, `master_name` and `sentinel_kwargs` in `hosts` (CHANNEL_LAYERS, CONFIG), "
        "that the sentinels are running and reachable from here, and whether they speak TLS "
        "(rediss+sentinel://, or sentinel_ssl=true).",
    ),
    (
        (ResponseError, RedisClusterException),
        "Redis at {label} answers, but cannot do its part: {what} Check `hosts` (CHANNEL_LAYERS, CONFIG): "
        "the number of the database, and whether it is one server (redis://), sentinels "
        "(redis+sentinel://) or a cluster (redis+cluster://); and look at the log of Redis.",
    ),
    (
        BaseException,
        "Redis at {label} cannot be reached: {what} "
        "Check `hosts` (CHANNEL_LAYERS, CONFIG), and that Redis is running there "
        "and reachable from here (`redis-cli ping`).",
    ),
)


class RedisUnavailable(ChannelLayerUnavailable, ConnectionError):
    """Redis cannot be used now; a redis-py ``ConnectionError`` too, for code that expects that."""

    def __init__(self, *args: object) -> None:
        ConnectionError.__init__(self, *args)  # the built-in one would not pass it on to redis-py's

    __repr__ = ChannelLayerUnavailable.__repr__


def refused(error: BaseException) -> bool:
    """Whether the server is there but does not let us in: trying again does not help."""
    return isinstance(error, _REFUSED) or (
        isinstance(error, ResponseError) and any(text in str(error) for text in _REFUSALS)
    )


def unavailable(label: str, error: BaseException) -> RedisUnavailable:
    """Return the error to raise for ``error`` at the address ``label`` (which holds no password)."""
    if isinstance(error, RedisClusterException) and error.__cause__ is not None:
        error = error.__cause__
    template = next(text for kinds, text in _TEXTS if isinstance(error, kinds))
    if refused(error) and not isinstance(error, NoPermissionError):
        template = _REFUSED_TEXT
    return RedisUnavailable(template.format(label=label, what=_sentence(error)))


def tls_failed(error: BaseException) -> bool:
    """Whether a connection came about and TLS on it did not."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError) or "SSL" in str(seen) or "certificate" in str(seen).lower():
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def unavailable_sentinels(label: str, error: BaseException) -> RedisUnavailable:
    """Return the error to raise if TLS to the sentinels of ``label`` failed."""
    return RedisUnavailable(_SENTINEL_TLS.format(label=label, what=_sentence(error)))


def _sentence(error: BaseException) -> str:
    """Return what an error says, as a sentence; those of a time limit say nothing themselves."""
    nameless = "No answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    text = str(error).strip() or nameless
    return text if text.endswith((".", "!", "?")) else f"{text}."
