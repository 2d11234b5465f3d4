"""Everything that can be set about one server process, as one frozen, typed value.

Each field carries its documentation, unit and flag; :mod:`channels.server.cli` builds the
command line from them, so that a new option is one new field. More than 400 lines, because it
is one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from channels.server.proxies.settings import conflict
from channels.server.proxies.trusted_proxies import TrustedProxies
from channels.typing import ASGIApp

#: ``(protocol, action, details)``, as :class:`channels.server.reports.access_log.AccessLog` takes it.
ActionLogger: TypeAlias = Callable[[str, str, dict[str, Any]], None]


class ConfigError(ValueError):
    """An option has a value that cannot be used; the text names option, value and remedy."""


def option(
    default: Any,
    doc: str,
    *,
    kind: Callable[[str], Any] = str,
    unit: str = "",
    flags: tuple[str, ...] | None = None,
    least: float | None = None,
    values: str | tuple[str, ...] = (),
    group: str = "serving",
) -> Any:
    """Declare one field of :class:`Config`.

    Args:
        default: the value where nothing is said.
        doc: one sentence, shown by ``--help``.
        kind: the type that the command line reads.
        unit: what a number counts ("seconds", "bytes"), for help and errors.
        flags: how the command line spells it; None derives ``--field-name``; () hides it.
        least: the smallest number allowed; None means any.
        values: the words allowed, if not all are; or what ``--help`` calls the value.
        group: the heading under which ``--help`` lists it.
    """
    metadata = {"doc": doc, "kind": kind, "unit": unit, "flags": flags, "least": least}
    choices, metavar = ((), values) if isinstance(values, str) else (values, None)
    metadata |= {"choices": choices, "metavar": metavar, "group": group}
    return field(default=default, metadata=metadata)


def words(text: str) -> tuple[str, ...]:
    """Read a list with commas."""
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)


def seconds(default: float | None, doc: str, **more: Any) -> Any:
    """Declare a time limit; on the command line a negative number means "no limit"."""
    return option(default, doc, unit="seconds", **{"kind": float, "group": "time limits", **more})


def size(default: int | None, doc: str, **more: Any) -> Any:
    """Declare a size limit in bytes."""
    return option(default, doc, kind=int, unit="bytes", **{"least": 1, "group": "size limits", **more})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one server process.

    Time limits are in seconds; None means "no limit". Sizes are in bytes.

    Raises:
        ConfigError: a value is out of its range.
    """

    app: ASGIApp
    endpoints: tuple[str, ...] = option(
        ("tcp:port=8000:interface=127.0.0.1",), "Where to listen, as endpoint strings.", flags=()
    )
    root_path: str = option(
        "", "The path this application is mounted under (ASGI root_path).", values="ROOT_PATH"
    )
    server_name: str = option(
        "daphne", "The Server header of responses; empty sends none.", flags=("-s", "--server-name")
    )
    action_logger: ActionLogger | None = option(  # noqa: RUF009  # it is a dataclasses.field()
        None, "Called for each line of the access log.", flags=()
    )
    ssl_certfile: str | None = option(
        None,
        "Speak TLS on every TCP and inherited socket, with this certificate (PEM, with its chain).",
        values="PEM",
        group="TLS",
    )
    ssl_keyfile: str | None = option(
        None, "The certificate's private key, if it is not in the same file.", values="PEM", group="TLS"
    )
    ssl_ca_certs: str | None = option(
        None,
        "Ask clients for a certificate that one of these authorities signed (PEM); the application finds it "
        "in the tls extension of the scope.",
        values="PEM",
        group="TLS",
    )
    ssl_cert_reqs: str = option(
        "required",
        "Whether a client without a certificate is refused; one with a wrong certificate always is.",
        values=("required", "optional"),
        group="TLS",
    )
    proxy_address_header: str | None = option(None, "The proxy header with the peer's address.", flags=())
    proxy_port_header: str | None = option(None, "The proxy header with the peer's port.", flags=())
    proxy_proto_header: str | None = option(None, "The proxy header with the peer's scheme.", flags=())
    trusted_proxies: tuple[str, ...] | None = option(
        None,
        "Believe proxies (--proxy-headers, --proxy-protocol) at these addresses only: a list of addresses, "
        "networks and the word unix, with commas. Without it whoever connects is believed.",
        kind=words,
        values="ADDRESSES",
        group="proxies",
    )
    proxy_protocol: bool = option(
        False,
        "Expect a PROXY header (version 1 or 2) first on every connection, also in front of TLS.",
        kind=bool,
        group="proxies",
    )
    root_path_header: bool = option(
        False,
        "Take ASGI's root_path of each request from the header Daphne-Root-Path of --trusted-proxies, where "
        "--root-path is not given. The proxy has to set or to remove that header on every request.",
        kind=bool,
        group="proxies",
    )
    plain_root_path: bool = option(True, "Take no root path from a header that is no plain path.", flags=())
    require_host: bool = option(True, "Refuse HTTP/1.1 requests without a Host header.", flags=())
    lifespan: str = option(
        "auto",
        "Whether the application speaks ASGI lifespan: auto tries and serves on if it does not.",
        values=("auto", "on", "off"),
    )
    loop: str = option(
        "auto", "The event loop: auto takes uvloop where installed.", values=("auto", "uvloop", "asyncio")
    )
    http1_engine: str = option(
        "auto", "The parser of HTTP/1.1: auto takes zttp where installed.", values=("auto", "zttp", "h11")
    )
    http2: bool = option(
        True, "Speak HTTP/2: over TLS by ALPN, in clear text with prior knowledge.", kind=bool
    )
    http2_upgrade: bool = option(
        # RFC 9113 3.1 has withdrawn it: a proxy that passes it on becomes a tunnel past its own rules.
        False,
        "Grant the upgrade of HTTP/1.1 to HTTP/2 in clear text (Upgrade: h2c) as well; not behind a proxy.",
        kind=bool,
    )
    http2_engine: str = option(
        "auto", "Who reads HTTP/2: auto takes the native engine.", values=("auto", "native", "h2")
    )
    http2_max_streams: int = option(
        100, "How many requests one HTTP/2 connection may have at the same time.", kind=int, least=1
    )
    backlog: int = option(2048, "How many connections may wait to be accepted.", kind=int, least=1)

    websocket_deflate: bool = option(
        # Off: most messages are small, and inflating one costs as much as three that are not compressed.
        False,
        "Agree to permessage-deflate, the compression of WebSocket messages.",
        kind=bool,
        group="compression",
    )
    websocket_deflate_min_size: int = size(
        256, "A smaller WebSocket message is not compressed.", least=0, group="compression"
    )
    websocket_deflate_context_takeover: bool = option(
        False,
        "Let messages build on earlier ones: smaller, but up to 190 KiB more for each socket, and each has "
        "a broadcast compressed for itself.",
        kind=bool,
        group="compression",
    )

    underscore_headers: bool = option(
        # Django keeps headers by CGI's names, where X_Forwarded_For and X-Forwarded-For are one.
        False,
        "Hand on headers with an underscore in their names; else they are left out, as proxies do.",
        kind=bool,
    )
    access_log_query: bool = option(
        False,
        "Show query strings in the access log, masked as --access-log-mask says.",
        kind=bool,
        group="logging",
    )
    access_log_mask: tuple[str, ...] = option(
        ("token", "access_token", "key", "api_key", "password", "signature"),
        "Of these keys of a query string the access log shows no values: a list with commas.",
        kind=words,
        values="KEYS",
        group="logging",
    )
    health_path: str = option(
        "",
        "Answer this path with 200; with 503 from the moment the server is told to stop, and while no thread "
        "is left for sync code.",
        values="PATH",
    )
    health_port: int | None = option(
        None,
        "Answer on this port, beside the application's: /live with 200, every other path with 200 while the "
        "server takes requests, and with 503 before it does and from the moment it is told to stop.",
        kind=int,
        least=0,
        values="PORT",
    )
    health_bind: str = option("127.0.0.1", "The address of --health-port.", values="HOST")
    metrics_port: int | None = option(
        None,
        "Show metrics for Prometheus on this port, of all processes that this one starts.",
        kind=int,
        least=0,
        values="PORT",
    )
    metrics_bind: str = option(
        "127.0.0.1",
        "The address of --metrics-port. Where others reach it set CHANNELS_METRICS_TOKEN in the environment.",
        values="HOST",
    )
    metrics_app: ASGIApp | None = option(  # noqa: RUF009  # it is a dataclasses.field()
        None, "The application that shows metrics.", flags=()
    )
    max_connections: int = option(
        0,
        "How many connections may be open; 0: as many as the process may open files, less some for the "
        "application.",
        kind=int,
        least=0,
        group="connection limits",
    )
    max_connections_per_address: int | None = option(
        None,
        "How many of them one address may have (of IPv6, one /64); 0 for no limit. Where nothing is said, an "
        "address of the open internet may have 1000, at most a quarter of all, and a private one any number. "
        "Trusted proxies are not counted: the requests and WebSockets of each of their clients are.",
        kind=int,
        least=0,
        group="connection limits",
    )
    http2_max_streams_per_address: int | None = option(
        None,
        "How many streams of HTTP/2 one address may have open at the same time; 0 for no limit. Where "
        "nothing is said, four times as many as connections, for the same addresses.",
        kind=int,
        least=0,
        group="connection limits",
    )
    websocket_max_rate: int = option(
        # Whoever keeps it up talks to no person. Ten seconds' worth is what an interrupted client catches up.
        1000,
        "How many messages a second a WebSocket may send, over ten seconds (1008); 0 for no limit.",
        kind=int,
        least=0,
        group="connection limits",
    )
    websocket_max_control_rate: int = option(
        # Heartbeats are a few a minute. What a client fell behind with comes at once when it wakes up.
        1000,
        "How many frames a second without a message (pings, pongs, fragments of less than 64 bytes) a "
        "WebSocket may send, over ten seconds (1008); 0 for no limit.",
        kind=int,
        least=0,
        group="connection limits",
    )
    websocket_max_fragments: int = option(
        65536,
        "How many frames one WebSocket message may come in (1009).",
        kind=int,
        least=1,
        group="connection limits",
    )
    body_max_small_parts: int = option(
        1000,
        "How many parts of less than 64 bytes a second (HTTP/1.1 chunks, HTTP/2 DATA frames) the request "
        "bodies of one connection may come in, over ten seconds (429, ENHANCE_YOUR_CALM); 0 for no limit.",
        kind=int,
        least=0,
        group="connection limits",
    )
    http2_max_resets: int = option(
        200,
        "How many streams a second of an HTTP/2 connection may be reset (ENHANCE_YOUR_CALM).",
        kind=int,
        least=1,
        group="connection limits",
    )
    http2_max_control_frames: int = option(
        1000,
        "How many frames without a request or a body a second an HTTP/2 connection may send "
        "(ENHANCE_YOUR_CALM).",
        kind=int,
        least=1,
        group="connection limits",
    )

    http_timeout: float | None = seconds(
        None,
        "How long the application may take to answer a request before it gets a 503.",
        flags=("-t", "--http-timeout"),
        kind=int,
        values="HTTP_TIMEOUT",
    )
    tls_timeout: float | None = seconds(15.0, "How long the TLS handshake may take.")
    head_timeout: float | None = seconds(30.0, "How long a request's head may take to arrive (408).")
    body_timeout: float | None = seconds(60.0, "How long no byte of a request's body may arrive (408).")
    body_min_rate: int = option(
        # Kestrel's figure: slower than any modem, and 10,000 sockets that drip at it cost 2 MB/s.
        240,
        "How many bytes a second of a request's body must arrive, from the end of --body-timeout on (408); "
        "0 for any number.",
        kind=int,
        least=0,
        group="time limits",
    )
    keep_alive_timeout: float | None = seconds(60.0, "How long a connection may wait for its next request.")
    write_timeout: float | None = seconds(30.0, "How long a peer may leave a full write buffer unread.")
    application_close_timeout: float | None = seconds(
        10,
        "How long an application may run on after its client has gone before it is cancelled.",
        kind=int,
        values="APPLICATION_CLOSE_TIMEOUT",
    )
    drain_timeout: float | None = seconds(
        10.0,
        "How long the server may take to stop. Requests and WebSockets get to end in it, WebSockets are "
        "closed in batches over most of it, and what is left is cut in its last 1.7 seconds.",
    )
    drain_idle_timeout: float | None = seconds(
        1.0, "How long an idle connection may still send one request when the server stops."
    )
    lifespan_timeout: float | None = seconds(60.0, "How long lifespan startup may take.")
    lifespan_shutdown_timeout: float | None = seconds(
        10.0, "How long lifespan shutdown may take, after --drain-timeout."
    )
    loop_held_limit: float | None = seconds(
        5.0, "How long one piece of code may hold the event loop before the log says where it is."
    )
    websocket_timeout: float | None = seconds(
        86400,
        "How long a WebSocket may stay open; -1 for no limit.",
        flags=("--websocket_timeout",),
        kind=int,
        values="WEBSOCKET_TIMEOUT",
    )
    websocket_connect_timeout: float | None = seconds(
        5,
        "How long the application may take to accept or refuse a WebSocket; -1 for no limit.",
        flags=("--websocket_connect_timeout",),
        kind=int,
        values="WEBSOCKET_CONNECT_TIMEOUT",
    )
    websocket_close_timeout: float | None = seconds(10.0, "How long a peer may take to answer our close.")
    tcp_accept_timeout: float | None = seconds(
        5.0, "How long the application may take to accept or close a connection to an endpoint with app=."
    )
    tcp_first_byte_timeout: float | None = seconds(
        60.0, "How long a peer of such an endpoint may be connected before its first byte."
    )
    tcp_idle_timeout: float | None = seconds(
        600.0,
        "How long neither side of such a connection may send anything; the application may say another time "
        "for its own.",
    )
    tcp_drain_timeout: float = seconds(
        2.0, "How long the application may go on with such a connection when the server stops."
    )
    ping_interval: float | None = seconds(
        20,
        "How long a WebSocket must be silent before a keepalive ping is sent; 0 sends none.",
        kind=int,
        values="PING_INTERVAL",
    )
    ping_timeout: float | None = seconds(
        30,
        "How long a WebSocket may leave a keepalive ping without any answer.",
        kind=int,
        values="PING_TIMEOUT",
    )

    max_target_size: int = size(8192, "The longest request target (414).")
    max_head_size: int = size(65536, "The largest request head (431).")
    max_headers: int = option(
        100, "How many header lines a request may have (431).", kind=int, least=1, group="size limits"
    )
    max_body_size: int = size(
        # What large proxies of the open internet let through; Django writes it to a temporary file.
        100 * 1024 * 1024,
        "The largest body of a request (413); 0 for no limit, where the application has its own.",
        least=0,
    )
    max_bodies_size: int = size(
        1024 * 1024 * 1024,
        "How much of all bodies together the applications of a process may hold (503); 0 for no limit.",
        least=0,
    )
    max_bodies_size_per_address: int | None = size(
        None,
        "How much of that may come from one address (503); 0 for no limit. Where nothing is said, an address "
        "of the open internet may have a quarter, and a private one all.",
        least=0,
    )
    request_buffer_size: int = size(
        65536, "The largest part of a body in one http.request; twice as much may wait unread."
    )
    write_buffer_size: int = size(65536, "How much may wait to be written before send() waits.")
    write_limit: int = size(
        16 * 1024 * 1024, "How much may wait to be written before a slow reader is cut off."
    )
    tcp_buffer_size: int = size(
        65536, "How much a peer of an endpoint with app= may send ahead of the application before it waits."
    )
    websocket_max_message_size: int | None = size(
        1048576, "Largest WebSocket message taken (1009); 0 for no limit (not recommended).", least=0
    )
    websocket_max_frame_size: int | None = size(
        1048576, "Largest WebSocket frame taken (1009); 0 for no limit (not recommended).", least=0
    )
    websocket_queue_size: int = option(
        64,
        "How many messages may wait for a consumer before its socket is not read any more.",
        kind=int,
        least=1,
        group="size limits",
    )
    websocket_queue_bytes: int = size(
        1048576, "How many bytes may wait for a consumer before its socket is not read any more."
    )

    def __post_init__(self) -> None:
        for spec in fields(self):
            _judge(spec.name, getattr(self, spec.name), spec.metadata)
        if not callable(self.app):
            raise ConfigError(f"app must be an ASGI application (a callable), got {self.app!r}.")
        try:
            TrustedProxies(self.trusted_proxies or ())
        except ValueError as error:
            raise ConfigError(f"trusted_proxies: {error}.") from None
        if wrong := conflict(self.trusted_proxies, self.proxy_address_header, self.root_path_header):
            raise ConfigError(wrong)
        if self.health_path and not self.health_path.startswith("/"):
            raise ConfigError(f"health_path begins with a slash, as in /healthz; got {self.health_path!r}.")
        if self.metrics_port is not None and self.metrics_app is None:
            raise ConfigError(
                "metrics_port needs metrics_app: channels.observability.metrics.MetricsApplication()."
            )
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ConfigError(
                f"ssl_keyfile is {self.ssl_keyfile!r}, but there is no certificate: add --ssl-certfile."
            )
        speaks_tls = self.ssl_certfile or any(text.startswith("ssl:") for text in self.endpoints)
        if self.ssl_ca_certs and not speaks_tls:
            raise ConfigError(
                f"ssl_ca_certs is {self.ssl_ca_certs!r}, but nothing here speaks TLS, so no client would be "
                "asked for a certificate: add --ssl-certfile, or an ssl: endpoint."
            )


def _judge(name: str, value: Any, metadata: Any) -> None:
    """Refuse a value out of its range. None stands for "no limit" and is always in it."""
    if not metadata or value is None:
        return
    if metadata["choices"] and value not in metadata["choices"]:
        raise ConfigError(f"{name} must be one of {', '.join(metadata['choices'])}, got {value!r}.")
    if metadata["unit"] == "seconds" and value < 0:
        raise ConfigError(f"{name} must be a number of seconds >= 0, or None for no limit; got {value!r}.")
    least = metadata["least"]
    if least is not None and value < least:
        unit = metadata["unit"] or "a whole number"
        raise ConfigError(f"{name} must be at least {least} ({unit}), got {value!r}.")
