"""What a server lets strangers do: what is open on each endpoint, whom it believes, and what is dangerous."""

from __future__ import annotations

import dataclasses
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from typing import Any

from channels.process.platforms import is_unix
from channels.server.config import Config
from channels.server.endpoints.endpoints import Endpoint, describe, parse_endpoint
from channels.server.endpoints.tls import secured
from channels.server.proxies.trusted_proxies import UNIX

#: Of the fields of Config, those that bound what a peer may do.
_LIMITS = ("connection limits", "time limits", "size limits")
_LIMITED_ELSEWHERE = frozenset({"http2_max_streams", "backlog"})
_EVERYBODY = "everybody who can connect"
_UPGRADE = (
    "--http2-upgrade is on beside --trusted-proxies: a proxy that passes the upgrade on becomes a tunnel, "
    "and its rules hold for the first request only. Leave it out; proxies speak HTTP/2 with prior knowledge."
)
_OPEN_SOCKET = (
    "Every user of this machine may connect to {path}, and --trusted-proxies believes whoever does (unix). "
    "Give the socket to the proxy's group: -e unix:{path}:mode=660, or SocketMode=0660 in a .socket unit."
)
_NOBODY_NAMED = (
    "{flag} believes whoever connects. Say who the proxies are: --trusted-proxies 127.0.0.1, or unix."
)


def dangers(config: Config, open_paths: Sequence[str]) -> list[str]:
    """Name what of a configuration gives away what it guards elsewhere; each sentence has its remedy.

    Args:
        config: the settings.
        open_paths: the Unix sockets that every user of the machine may connect to.
    """
    trusted = config.trusted_proxies or ()
    found = [_UPGRADE] if trusted and config.http2 and config.http2_upgrade else []
    if UNIX in trusted:
        found += [_OPEN_SOCKET.format(path=path) for path in open_paths]
    return found


def open_to_everybody(sock: socket.socket) -> str | None:
    """Return the path of a Unix socket that every user of the machine may connect to; None for any other."""
    if not is_unix(sock) or not (path := os.fsdecode(sock.getsockname())):
        return None
    try:
        # In Linux's namespace of abstract names there are no permissions at all.
        if path[0] == "\0":
            return f"@{path[1:]}"
        return path if os.stat(path).st_mode & stat.S_IWOTH else None
    except OSError:
        return None


def exposure(config: Config) -> dict[str, Any]:
    """Say what a server with these settings opens, without opening it.

    Returns:
        What can be written as JSON: ``endpoints``, ``believed``, ``health``, ``limits`` and ``warnings``.

    Raises:
        EndpointError: an endpoint cannot be understood.
    """
    endpoints = [secured(parse_endpoint(text), config) for text in config.endpoints]
    return {
        "endpoints": [_opened(endpoint, config) for endpoint in endpoints],
        "believed": _believed(config),
        "health": _health(config),
        "limits": {
            spec.name: getattr(config, spec.name)
            for spec in dataclasses.fields(config)
            if spec.metadata.get("group") in _LIMITS or spec.name in _LIMITED_ELSEWHERE
        },
        "warnings": _warnings(config, endpoints),
    }


def _opened(endpoint: Endpoint, config: Config) -> dict[str, Any]:
    return {
        "listens": describe(endpoint),
        "for": _reach(endpoint),
        "tls": _tls(endpoint),
        "protocols": list(_protocols(endpoint, config)),
        "upgrades": list(_upgrades(endpoint, config)),
        "first": "a PROXY header" if config.proxy_protocol else None,
    }


def _reach(endpoint: Endpoint) -> str:
    if endpoint.kind == "unix":
        whom = "every user of this machine" if endpoint.mode & stat.S_IWOTH else "its owner and its group"
        return f"{whom} (mode {endpoint.mode:o})"
    if endpoint.kind != "tcp":
        return "as whoever has opened it decided"
    if endpoint.host in ("localhost", "::1") or endpoint.host.startswith("127."):
        return "this machine"
    return (
        f"whoever reaches {endpoint.host}" if endpoint.host.strip("0.:") else "whoever reaches this machine"
    )


def _tls(endpoint: Endpoint) -> str | None:
    if endpoint.tls is None:
        return None
    if not endpoint.tls.client_ca:
        return "TLS 1.2, 1.3"
    return f"TLS 1.2, 1.3, client certificate {'required' if endpoint.tls.client_required else 'optional'}"


def _protocols(endpoint: Endpoint, config: Config) -> Iterator[str]:
    if endpoint.app:
        yield f"TCP for the application's {endpoint.app}"
        return
    yield "HTTP/1.1"
    if config.http2:
        yield "HTTP/2 by prior knowledge" if endpoint.tls is None else "HTTP/2 by ALPN"


def _upgrades(endpoint: Endpoint, config: Config) -> Iterator[str]:
    if endpoint.app:
        return
    yield "WebSocket"
    if config.http2:
        yield "WebSocket over HTTP/2"
        if config.http2_upgrade and endpoint.tls is None:
            yield "h2c"


def _believed(config: Config) -> dict[str, Any]:
    said = {
        "client's address": config.proxy_address_header,
        "client's port": config.proxy_port_header,
        "scheme": config.proxy_proto_header,
        "root path": "Daphne-Root-Path" if config.root_path_header and not config.root_path else None,
    }
    headers = {what: header for what, header in said.items() if header is not None}
    of = [_EVERYBODY] if config.trusted_proxies is None else list(config.trusted_proxies)
    return {
        "headers": headers,
        "PROXY header": config.proxy_protocol,
        "of": of if headers or config.proxy_protocol else [],
        "underscores in names": config.underscore_headers,
    }


def _health(config: Config) -> list[str]:
    found = [f"path {config.health_path}, on every endpoint"] if config.health_path else []
    if config.health_port is not None:
        found.append(f"{config.health_bind}:{config.health_port}, HTTP/1.1 only")
    if config.metrics_port is not None:
        found.append(f"metrics on {config.metrics_bind}:{config.metrics_port}, HTTP/1.1 only")
    return found


def _warnings(config: Config, endpoints: Sequence[Endpoint]) -> list[str]:
    paths = [one.path for one in endpoints if one.kind == "unix" and one.mode & stat.S_IWOTH]
    found = dangers(config, paths)
    if config.trusted_proxies is None:
        flags = {"--proxy-headers": config.proxy_address_header, "--proxy-protocol": config.proxy_protocol}
        found += [_NOBODY_NAMED.format(flag=flag) for flag, value in flags.items() if value]
    return found


def as_text(found: dict[str, Any]) -> str:
    """Write what :func:`exposure` has found for people."""
    lines: list[str] = []
    for endpoint in found["endpoints"]:
        lines += [endpoint["listens"], *_rows({**endpoint, "listens": None})]
    lines += ["Believed", *_rows({**found["believed"], **found["believed"]["headers"], "headers": None})]
    if found["health"]:
        lines += ["Health and metrics", *[f"  {line}" for line in found["health"]]]
    lines += ["Limits", *_rows(found["limits"], none="none")]
    lines += ["Warnings", *[f"  {line}" for line in found["warnings"] or ["none"]]]
    return "\n".join(lines) + "\n"


def _rows(values: dict[str, Any], none: str = "") -> list[str]:
    """One line for each value that there is something to say of."""
    shown = {name: _shown(value) or none for name, value in values.items()}
    return [f"  {name:<28} {value}" for name, value in shown.items() if value]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)
