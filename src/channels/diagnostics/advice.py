"""What a newcomer's mistakes in a consumer look like from inside, and the sentence that helps."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from channels.diagnostics.loggers import escaped
from channels.typing import PUSH_EXTENSION

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True

logger = logging.getLogger("channels.consumer")

#: Seconds between two lines of the same kind about the same class.
INTERVAL: Final = 60.0
#: Keys of a scope, and what puts them there.
_PUT_BY: Final = {
    "user": "AuthMiddlewareStack (channels.auth)",
    "session": "SessionMiddlewareStack (channels.sessions)",
    "cookies": "CookieMiddleware (channels.sessions)",
    "url_route": "URLRouter (channels.routing)",
}
_LAYER_METHODS: Final = frozenset(
    {"group_add", "group_discard", "group_send", "new_channel", "receive", "send"}
)
#: How Python says that something was awaited that cannot be: until 3.13, and since 3.14.
_NOT_AWAITABLE: Final = ("can't be used in 'await' expression", "object can't be awaited")

_told: WeakKeyDictionary[type, dict[str, float]] = WeakKeyDictionary()


def remedy_for(error: BaseException, consumer: Any) -> str:
    """Return what to do about an error that came out of a consumer's handler; "" if nothing is known.

    Args:
        error: what was raised.
        consumer: has ``scope`` and ``channel_layer``.
    """
    return next((said for say in _REMEDIES if (said := say(error, consumer))), "")


def _missing_key(error: BaseException, consumer: Any) -> str:
    key = error.args[0] if isinstance(error, KeyError) and error.args else None
    if not isinstance(key, str) or key not in _PUT_BY or key in consumer.scope:
        return ""
    inside = type(consumer).__name__
    return f"The scope has no {key!r}: put the application of {inside} inside {_PUT_BY[key]}."


def _missing_layer(error: BaseException, consumer: Any) -> str:
    of_none = isinstance(error, AttributeError) and error.obj is None and error.name in _LAYER_METHODS
    if not of_none or consumer.channel_layer is not None:
        return ""
    alias = getattr(consumer, "channel_layer_alias", "default")
    example = f'CHANNEL_LAYERS = {{{alias!r}: {{"BACKEND": "channels.layers.host.HostChannelLayer"}}}}'
    return (
        f"self.channel_layer is None: the setting CHANNEL_LAYERS has no {alias!r}. "
        f"Write one into the settings, as in {example}."
    )


def _not_awaitable(error: BaseException, consumer: Any) -> str:
    if not isinstance(error, TypeError) or not any(text in str(error) for text in _NOT_AWAITABLE):
        return ""
    return f"{type(consumer).__name__} is an async consumer: write its methods with `async def`."


_REMEDIES: Final = (_missing_key, _missing_layer, _not_awaitable)


def tell_unanswered(consumer: Any) -> None:
    """Log that ``connect()`` has returned and the handshake has no answer, where the server can tell."""
    source = consumer.scope.get("extensions", {}).get(PUSH_EXTENSION)
    if getattr(source, "unanswered", False):
        _tell(
            type(consumer),
            "connect",
            "connect() of %s returned without accept() or close(), so the handshake waits until it times "
            "out. Call self.accept() there (with await in an async consumer), or self.close() to refuse.",
        )


def tell_refused(consumer: Any, if_loaded: Callable[[Any], Any]) -> None:
    """Log why the handshake is about to be refused, where the server can tell that it is.

    Args:
        consumer: closes before it has accepted.
        if_loaded: returns a user without looking it up; something without rights if nobody has yet.
    """
    scope = getattr(consumer, "scope", None) or {}
    source = scope.get("extensions", {}).get(PUSH_EXTENSION)
    if getattr(source, "unanswered", False):
        source.refusal_logged()
        cls, path = type(consumer), escaped(str(scope.get("path", "")))
        why = _about_user(scope, if_loaded(scope.get("user")))
        logger.warning(_REFUSED, path, f"{cls.__module__}.{cls.__qualname__}", why)


_REFUSED: Final = "WebSocket %s was refused with 403: connect() of %s closed it before it accepted it. %s"


def _about_user(scope: Any, user: Any) -> str:
    if "user" not in scope:
        return (
            "Its scope has no user: if that is what connect() asks for, put the application inside "
            "AuthMiddlewareStack (channels.auth)."
        )
    if not hasattr(user, "is_authenticated"):
        return "connect() has not asked who the user is: look at its other conditions."
    if user.is_authenticated:
        return "The user is logged in: look at the conditions of connect()."
    if not any(name == b"cookie" for name, _ in scope.get("headers", ())):
        return (
            "The user is not logged in, and no cookie came: log in first, and open the WebSocket at the host "
            "and port that the login was at (localhost and 127.0.0.1 are two hosts)."
        )
    return "The user is not logged in: the cookies that came name no session of a user. Log in (again)."


def call_plain(consumer: Any, method: Callable[..., object], /, *args: Any, **kwargs: Any) -> None:
    """Call a method of a sync consumer; log it if the method is ``async``, because then it does not run."""
    returned = method(*args, **kwargs)
    if returned is not None:
        tell_coroutine(consumer, method, returned)


def tell_coroutine(consumer: Any, method: Callable[..., object], returned: object) -> None:
    """Log it if what a method of a sync consumer has returned is a coroutine; it does not run."""
    if inspect.iscoroutine(returned):
        returned.close()
        name = getattr(method, "__name__", "A method")
        _tell(
            type(consumer),
            name,
            f"{name}() of %s is `async def`, but the class is a sync consumer, so it does not run. Derive "
            "from AsyncWebsocketConsumer or AsyncJsonWebsocketConsumer, or write `def`.",
        )


def _tell(consumer: type, kind: str, text: str) -> None:
    told, now = _told.setdefault(consumer, {}), time.monotonic()
    if now - told.get(kind, -INTERVAL) >= INTERVAL:
        told[kind] = now
        logger.warning(text, f"{consumer.__module__}.{consumer.__qualname__}")
