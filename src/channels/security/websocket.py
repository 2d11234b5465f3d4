"""Which sites may open a WebSocket: the check of the Origin header (RFC 6455, section 10.2).

Browsers let any page open a WebSocket to any host and send that host's cookies along;
the Origin header is the only sign of where the page came from.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import ParseResult, urlparse

from django.conf import settings
from django.utils.http import is_same_domain

from channels import telemetry
from channels.core.bounded_cache import BoundedCache
from channels.diagnostics.loggers import escaped
from channels.middleware import ConnectionContext, ScopeMiddleware, enters
from channels.typing import PUSH_EXTENSION, ASGIApp, Receive, Scope, Send

logger = logging.getLogger("channels.security")

_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
#: What a pattern without a scheme means.
_OF_PAGES = frozenset({"http", "https"})
#: What the log says to do.
_ADD_IT = "If pages from there are yours, add their host to it."
_TOO_MANY = "A browser sends one Origin; look for a program or a proxy that adds another."
_NO_TLS = (
    "The page came without TLS, and the WebSocket has it. Serve the page over https, or name its origin with "
    "the scheme in an OriginValidator."
)
_NO_BROWSER = "Browsers send one; a program of yours has to send the header of an allowed site, too."


class OriginValidator(ScopeMiddleware):
    """Lets only WebSockets through that pages of certain sites opened; all others get a 403.

    Args:
        application: the ASGI application inside.
        allowed_origins: patterns, of which one must match: ``"*"`` for all, also without an
            Origin; ``"example.com"`` for a host; ``".example.com"`` for a domain and all
            below it; with a scheme, as in ``"https://.example.com:8443"``, for that scheme
            and port (the scheme's own if there is none). Without a scheme a pattern means pages
            over http and https, where the WebSocket has TLS only over https.

    Calling it raises ValueError if the scope is not of a WebSocket.
    """

    def __init__(self, application: ASGIApp, allowed_origins: Iterable[str]) -> None:
        self.application = application
        self.allowed_origins = allowed_origins

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        """Tell whether a connection with this Origin (None: it has none) may come in."""
        if parsed_origin is None and "*" not in self.allowed_origins:
            return False
        return self.validate_origin(parsed_origin)

    def validate_origin(self, parsed_origin: ParseResult | None) -> bool:
        """Tell whether one of the allowed patterns matches."""
        return any(
            pattern == "*" or self.match_allowed_origin(parsed_origin, pattern)
            for pattern in self.allowed_origins
        )

    def match_allowed_origin(self, parsed_origin: ParseResult | None, pattern: str) -> bool:
        """Tell whether an Origin matches one pattern other than ``"*"``."""
        origin_host = None if parsed_origin is None else parsed_origin.hostname
        if parsed_origin is None or origin_host is None:
            return False
        parsed_pattern, host = _patterns[pattern]
        if not parsed_pattern.scheme:
            return parsed_origin.scheme in _OF_PAGES and is_same_domain(origin_host, host)
        port = self.get_origin_port(parsed_origin)
        return (
            parsed_pattern.scheme == parsed_origin.scheme
            and (port is not None or parsed_origin.scheme not in _DEFAULT_PORTS)
            and port == self.get_origin_port(parsed_pattern)
            and is_same_domain(origin_host, parsed_pattern.hostname or "")
        )

    def get_origin_port(self, origin: ParseResult) -> int | None:
        """Return the port of an Origin or a pattern; its scheme's own if it names none, None if unknown."""
        try:
            return origin.port or _DEFAULT_PORTS.get(origin.scheme)
        except ValueError:  # not a number, or too large for a port
            return None


@enters(OriginValidator)
async def _enter_if_allowed(validator: OriginValidator, context: ConnectionContext) -> ASGIApp:
    scope = context.scope
    if scope["type"] != "websocket":
        raise ValueError(
            "You cannot use OriginValidator on a non-WebSocket connection, "
            f"got a scope of type {scope['type']!r}."
        )
    origins = origins_of(scope)
    origin = ", ".join(origins) if origins else None
    parsed = _origins[origin] if len(origins) < 2 else None
    less_safe = parsed is not None and is_less_safe(scope, parsed)
    allowed = len(origins) < 2 and validator.valid_origin(parsed)
    if allowed and not (less_safe and _only_by_host(validator, parsed)):
        return validator.application
    _report(validator, scope, origin, _TOO_MANY if len(origins) > 1 else _NO_TLS if less_safe else "")
    source = scope.get("extensions", {}).get(PUSH_EXTENSION)
    if (note := getattr(source, "refusal_logged", None)) is not None:
        note()
    return deny


def _report(validator: OriginValidator, scope: Scope, origin: str | None, remedy: str) -> None:
    path = escaped(str(scope.get("path", "")))
    telemetry.count("security.origin_refused", path=path, origin=None if origin is None else escaped(origin))
    by_setting = isinstance(validator, _AllowedHosts)
    logger.warning(
        "WebSocket %s refused with 403: %s is not allowed by %s, which is %r. %s",
        path,
        "a client without an Origin header" if origin is None else f"the origin {origin!r}",
        "the setting ALLOWED_HOSTS" if by_setting else "the allowed_origins argument of OriginValidator",
        list(validator.allowed_origins),
        remedy or (_NO_BROWSER if origin is None else _ADD_IT),
    )


class _AllowedHosts(OriginValidator):
    """An OriginValidator that follows ``ALLOWED_HOSTS``, also where a test overrides it."""

    def __init__(self, application: ASGIApp) -> None:
        self.application = application

    @property
    def allowed_origins(self) -> Iterable[str]:  # type: ignore[override]  # read late, never written
        """The hosts of the setting; without any, with ``DEBUG``, Django's own names for this machine."""
        hosts: list[str] = settings.ALLOWED_HOSTS
        return hosts if hosts or not settings.DEBUG else [".localhost", "127.0.0.1", "[::1]"]


def AllowedHostsOriginValidator(application: ASGIApp) -> OriginValidator:
    """Let only WebSockets through that were opened by pages of the hosts in ``ALLOWED_HOSTS``.

    With ``DEBUG`` and an empty setting these are localhost, 127.0.0.1 and [::1].
    """
    return _AllowedHosts(application)


async def deny(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a WebSocket before it is open; servers answer the handshake with 403."""
    await receive()
    await send({"type": "websocket.close"})


class WebsocketDenier:
    """An application that refuses every WebSocket."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the connection."""
        await deny(scope, receive, send)

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> ASGIApp:
        """Return an ASGI application that makes a new instance, ``cls(**initkwargs)``, per scope."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await cls(**initkwargs)(scope, receive, send)

        return app


def origins_of(scope: Scope) -> list[str]:
    """Return the Origin headers of a connection; RFC 6454 section 7.3 knows one at most."""
    return [bytes(value).decode("latin1") for name, value in scope.get("headers", ()) if name == b"origin"]


def is_less_safe(scope: Scope, origin: ParseResult) -> bool:
    """Whether the page came in clear text, where others could change it, and the WebSocket does not."""
    return scope.get("scheme") == "wss" and origin.scheme == "http"


def _only_by_host(validator: OriginValidator, origin: ParseResult | None) -> bool:
    """Whether none but patterns without a scheme let an Origin in; rules of a subclass are its own."""
    if any(getattr(type(validator), name) is not getattr(OriginValidator, name) for name in _RULES):
        return False
    return not any(
        pattern == "*" or ("://" in pattern and validator.match_allowed_origin(origin, pattern))
        for pattern in validator.allowed_origins
    )


#: The methods that decide who comes in.
_RULES = ("valid_origin", "validate_origin", "match_allowed_origin")


def _pattern_parts(pattern: str) -> tuple[ParseResult, str]:
    """Return a pattern's parts, and the host that it is if it names no scheme."""
    return urlparse(pattern.lower()), urlparse(f"//{pattern}").hostname or pattern


def _origin_parts(origin: str | None) -> ParseResult | None:
    if origin is None:
        return None
    try:
        parsed = urlparse(origin.lower())
        _ = parsed.port
    except ValueError:  # as of an IPv6 address without its closing bracket, or of a port that is none
        return None
    return parsed if parsed.hostname is not None else None


_patterns: BoundedCache[str, tuple[ParseResult, str]] = BoundedCache("security.patterns", 256, _pattern_parts)
_origins: BoundedCache[str | None, ParseResult | None] = BoundedCache("security.origins", 1024, _origin_parts)
