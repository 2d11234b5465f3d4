"""A request's head as an ASGI scope."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from channels import telemetry
from channels.protocols.events import RequestReceived
from channels.protocols.http.semantics import tokens
from channels.server.config import Config
from channels.server.interfaces import Exchange
from channels.server.proxies.nodes import doubt, is_secure
from channels.server.proxies.root_path import HEADER, read_root_path, take_out
from channels.server.proxies.trusted_proxies import outermost
from channels.server.reports.targets import path_of, shown
from channels.server.runtime import Runtime
from channels.typing import PUSH_EXTENSION as PUSH
from channels.typing import Scope

#: From 2.4 on a send() after the peer has gone raises OSError. A WebSocket's does. To a request that would do
#: harm: Django's handler would not close its response, and Starlette no longer listen for the disconnect.
_ASGI = {
    "http": {"version": "3.0", "spec_version": "2.3"},
    "websocket": {"version": "3.0", "spec_version": "2.5"},
}
_SECURE = {"http": "https", "ws": "wss"}


#: Of how many fields one copy is kept for all WebSockets, and how long a value may be for it.
_MAX_FIELDS = 1024
_MAX_SHARED = 256
#: Fields that are different for each client.
_PERSONAL = frozenset({b"cookie", b"sec-websocket-key", b"authorization", b"proxy-authorization"})

_UPGRADE_MISSING = (
    "A WebSocket handshake for %s has arrived as a request for a page: it has a Sec-WebSocket-Key and no "
    "Upgrade, so a proxy has taken that away. Let the proxy pass it on. nginx: proxy_http_version 1.1; "
    'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; Apache: ProxyPass "/" '
    '"http://127.0.0.1:8000/" upgrade=websocket. docs/howto/deploy.md has whole configurations.'
)


class _Fields(dict[tuple[bytes, bytes], tuple[bytes, bytes]]):
    """Fields by themselves: looked up, equal ones become the same one."""

    def __missing__(self, field: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        name, value = field
        if len(value) <= _MAX_SHARED and name not in _PERSONAL:
            if len(self) >= _MAX_FIELDS:
                self.clear()
            self[field] = field
        return field


#: Lives as long as the process: see :class:`_Fields`.
shared_fields = _Fields()


def new_scope(
    request: RequestReceived,
    runtime: Runtime,
    exchange: Exchange,
    push: object,
    subprotocols: list[str] | None = None,
) -> Scope:
    """Return the scope of an HTTP request, or of a WebSocket handshake.

    Args:
        request: the head.
        runtime: what the process shares.
        exchange: the protocol that carries it.
        push: what is offered as the push extension.
        subprotocols: what the handshake offers; None for an HTTP request.
    """
    kind, scheme = ("http", "http") if subprotocols is None else ("websocket", "ws")
    raw_path, _, query = request.target.partition(b"?")
    config, headers = runtime.config, request.headers
    names, root_path = request.names or dict(headers), config.root_path
    if HEADER in names:
        headers, said = take_out(headers)
        if not root_path and runtime.believes_root_path(exchange.client):
            root_path = read_root_path(said, plain=config.plain_root_path)
    # What is not UTF-8 becomes U+FFFD.
    encoded = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": _ASGI[kind],
        "http_version": request.http_version,
        # What HTTP/2's :scheme claims is no proof; the socket is.
        "scheme": scheme if exchange.tls is None else _SECURE[scheme],
        "path": encoded.decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": headers,
        "client": exchange.client,
        "server": exchange.server,
    }
    if config.proxy_address_header or config.proxy_proto_header:
        _apply_proxy(scope, scheme, runtime)
    if runtime.state is not None:
        scope["state"] = runtime.state.copy()
    if subprotocols is None:
        if b"sec-websocket-key" in names:  # which no request for a page has
            _tell_upgrade_missing(request, runtime)
        scope["method"] = request.method
        scope["extensions"] = extensions = {
            PUSH: push,
            "http.response.pathsend": {},
            "http.response.zerocopysend": {},
        }
        if request.http_version != "1.0":  # which knows neither interim responses nor chunks
            extensions["http.response.early_hint"] = {}
            if b"te" in names and _wants_trailers(request):
                extensions["http.response.trailers"] = {}
    else:
        scope["subprotocols"] = subprotocols
        scope["extensions"] = extensions = {"websocket.http.response": {}, PUSH: push}
    if exchange.tls is not None:
        extensions["tls"] = exchange.tls
    return scope


def _tell_upgrade_missing(request: RequestReceived, runtime: Runtime) -> None:
    """Count a handshake that arrives as a request for a page; log it, at most once a minute."""
    path = path_of(request.target)
    telemetry.count("server.upgrade_missing", path=path)
    runtime.warn_rarely("upgrade", _UPGRADE_MISSING, path)


def _wants_trailers(request: RequestReceived) -> bool:
    """Whether the peer takes trailers and does not throw them away (RFC 9110 section 10.1.4)."""
    return b"trailers" in tokens(b",".join(value for name, value in request.headers if name == b"te"))


def client_of(request: RequestReceived, runtime: Runtime, exchange: Exchange) -> list[Any] | None:
    """Return the client of a request that gets no scope, as the scope would name it."""
    scope: dict[str, Any] = {"headers": request.headers, "client": exchange.client, "scheme": "http"}
    if runtime.config.proxy_address_header or runtime.config.proxy_proto_header:
        _apply_proxy(scope, "http", runtime)
    client: list[Any] | None = scope["client"]
    return client


def _apply_proxy(scope: dict[str, Any], scheme: str, runtime: Runtime) -> None:
    config = runtime.config
    names = config.proxy_address_header, config.proxy_port_header, config.proxy_proto_header
    told = outermost if runtime.proxies is None else runtime.proxies.client
    scope["client"], said = told(scope["headers"], names, scope["client"], scope["scheme"])
    secure = is_secure(said)
    if secure is None:
        doubt("scheme")
    else:
        scope["scheme"] = _SECURE[scheme] if secure else scheme


def named_request(request: RequestReceived, config: Config) -> dict[str, str | None]:
    """Return what of a request's head the access log can tell, apart from its line."""
    fields = dict(request.headers)
    referer = _text(fields.get(b"referer"))
    return {
        "http_version": request.http_version,
        "referer": None if referer is None else shown(referer, config),
        "user_agent": _text(fields.get(b"user-agent")),
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
