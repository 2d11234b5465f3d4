"""Over HTTP: the name, the certificate, and how a request and a stream of events arrive."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final

from channels.observability.doctor.site.target import TIMEOUT, Answer, Target, resolve
from channels.observability.doctor.steps import Status, Step

#: Days before its end from which a certificate is warned of.
_RENEW: Final = 14
#: Seconds that an event may take; a proxy that collects what is small holds each for 0.2.
_SLOW: Final = 0.12

_WRAP: Final = (
    "Put with_doctor() around the application in asgi.py (from "
    "channels.observability.doctor.probe), deploy it, "
    "and give this command the same SECRET_KEY."
)


def dns_step(target: Target) -> Step:
    """Resolve the name."""
    did = f"looked up {target.host}"
    try:
        return Step("dns", did, ", ".join(resolve(target)))
    except OSError as error:
        return Step("dns", did, str(error), Status.ERROR, "Give the name an address, or mend the URL.")


def tls_step(target: Target) -> Step:
    """Shake hands by TLS, and look at the certificate's dates."""
    did = f"shook hands with {target.host}:{target.port} by TLS"
    context = target.context()
    if context is None:
        local = target.host == "localhost" or _is_local(target.host)
        status = Status.OK if local else Status.WARNING
        remedy = "" if local else "Serve the site over https: else browsers of pages with https refuse ws://."
        return Step("tls", "looked at the URL", "the site is asked without TLS", status, remedy)
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with (
            socket.create_connection((target.host, target.port), TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=target.host) as sock,
        ):
            return _certificate(did, sock)
    except ssl.SSLCertVerificationError as error:
        remedy = (
            "Renew the certificate, or have the server send its whole chain; a private authority: --ca FILE."
        )
        return Step("tls", did, f"the certificate is refused: {error.verify_message}", Status.ERROR, remedy)
    except OSError as error:
        return Step(
            "tls", did, str(error), Status.ERROR, "See that the proxy runs, and listens on this port."
        )


def _certificate(did: str, sock: ssl.SSLSocket) -> Step:
    certificate: Any = sock.getpeercert()
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (end - datetime.now(UTC)).days
    version = {"h2": "HTTP/2", "http/1.1": "HTTP/1.1", None: "no ALPN"}.get(
        sock.selected_alpn_protocol(), "?"
    )
    saw = f"{sock.version()}, browsers get {version}, the certificate holds until {end:%Y-%m-%d}"
    if days < _RENEW:
        return Step("tls", did, f"{saw}: {days} days", Status.WARNING, "Renew the certificate.")
    return Step("tls", did, saw)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return False


def request_steps(target: Target) -> Iterator[Step]:
    """Send a request, and say how it has arrived at the application."""
    did = "sent a request to the application"
    try:
        answer = target.ask("see")
    except (OSError, http.client.HTTPException) as error:
        yield Step(
            "request", did, f"{type(error).__name__}: {error}", Status.ERROR, "See that the site runs."
        )
        return
    seen = answer.seen()
    if seen is None:
        yield _unanswered(did, answer)
        return
    target.seen = seen
    target.ahead = seen["time"] - (answer.sent_at + answer.came_at) / 2
    yield _version(did, answer, seen)
    yield host_step(target, seen)
    yield forwarded_step(target, seen)
    yield _cookie(seen)


def _unanswered(did: str, answer: Answer) -> Step:
    saw = f"{answer.status}, but not from the probe ({answer.who})"
    if answer.status >= 500:
        return Step(
            "request", did, saw, Status.ERROR, "See that the server behind the proxy runs, and its log."
        )
    return Step("request", did, saw, Status.ERROR, _WRAP)


def _version(did: str, answer: Answer, seen: dict[str, Any]) -> Step:
    saw = f"{answer.status} ({answer.who}); HTTP/{seen['http_version']} reached worker {seen['worker']}"
    if seen["http_version"] == "1.0":
        remedy = (
            "The proxy speaks HTTP/1.0 to the server: no WebSocket and no stream gets through. In nginx: "
            "proxy_http_version 1.1;"
        )
        return Step("request", did, saw, Status.ERROR, remedy)
    return Step("request", did, saw)


def host_step(target: Target, seen: dict[str, Any]) -> Step:
    """Compare the host that has arrived with the one that was asked."""
    did, host = "compared the Host header with the URL", seen["headers"].get("host", "none")
    wanted = target.origin.partition("://")[2]
    names = {wanted, wanted.rpartition(":")[0] or wanted, target.host}
    saw = f"the application got {host}"
    if host not in names:
        remedy = (
            f"The proxy names another host than {wanted}: origins are "
            "refused, and links lead there. In nginx: "
            "proxy_set_header Host $host; in HAProxy take out http-request set-header Host."
        )
        return Step("host", did, saw, Status.ERROR, remedy)
    if not seen["host_allowed"]:
        return Step("host", did, saw, Status.ERROR, f"Add {target.host!r} to ALLOWED_HOSTS.")
    return Step("host", did, saw)


def forwarded_step(target: Target, seen: dict[str, Any]) -> Step:
    """See whether the application knows scheme and address of the client."""
    did, headers = "looked at what the application knows of the client", seen["headers"]
    client = seen["client"][0] if seen["client"] else "nobody"
    saw = f"scheme {seen['scheme']}, client {client}"
    missing = [name for name in ("x-forwarded-proto", "x-forwarded-for") if name not in headers]
    if target.secure and seen["scheme"] not in ("https", "wss"):
        if "forwarded" not in headers and missing:
            return Step("forwarded", did, saw, Status.ERROR, _unsent(missing))
        return Step("forwarded", did, saw, Status.ERROR, _UNBELIEVED)
    if not seen["client"]:
        return Step("forwarded", did, saw, Status.WARNING, _unsent(["x-forwarded-for"]))
    return Step("forwarded", did, saw)


_UNBELIEVED: Final = (
    "The proxy says it, but the server does not believe it: start daphne with --proxy-headers "
    "--trusted-proxies and the address of the proxy (unix for a Unix socket)."
)


def _unsent(names: list[str]) -> str:
    shown = " and ".join(name.title() for name in names)
    return (
        f"The proxy does not send {shown}: secure cookies, origins and "
        "limits per address need them. In nginx: "
        "proxy_set_header X-Forwarded-Proto $scheme; and X-Forwarded-For $proxy_add_x_forwarded_for;"
    )


def _cookie(seen: dict[str, Any]) -> Step:
    did = "sent a cookie"
    if seen["cookie"]:
        return Step("cookies", did, "it has arrived")
    return Step("cookies", did, "it has not arrived", Status.ERROR, "Let the proxy or CDN pass cookies on.")


def body_step(target: Target) -> Step:
    """Send a large body."""
    did = f"sent a body of {target.body:,} bytes"
    try:
        answer = target.ask(
            "body", "POST", b"x" * target.body, **{"Content-Type": "application/octet-stream"}
        )
    except (OSError, http.client.HTTPException) as error:
        remedy = "The connection was cut: look for a limit of the size of bodies in the proxy."
        return Step("body", did, f"{type(error).__name__}: {error}", Status.ERROR, remedy)
    if answer.status == 413:
        remedy = (
            "Raise the limit: client_max_body_size in nginx, request_body "
            "max_size in Caddy, --max-body-size here."
        )
        return Step("body", did, f"413, too large ({answer.who})", Status.ERROR, remedy)
    if b'"received": %d' % target.body not in answer.body:
        return Step("body", did, f"{answer.status} ({answer.who})", Status.ERROR, "Look at the proxy's log.")
    return Step("body", did, "all of it has arrived")


def events_step(target: Target) -> Step:
    """Read a stream of events, and see how late each one comes."""
    did = "read a stream of server-sent events"
    try:
        delays, headers = _delays(target)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Step(
            "events", did, f"{type(error).__name__}: {error}", Status.ERROR, "Look at the proxy's log."
        )
    if not delays:
        return Step("events", did, "no event has come", Status.ERROR, "Look at the proxy's log.")
    late = sorted(delays)[len(delays) // 2]
    saw = f"events come {max(0.0, late) * 1000:.0f} ms after they are sent"
    if "content-encoding" in headers:
        saw += f", compressed ({headers['content-encoding']})"
    if late < _SLOW:
        return Step("events", did, saw)
    return Step("events", did, saw, Status.ERROR, _HELD)


_HELD: Final = (
    "Something on the way collects them. nginx: proxy_http_version 1.1;, no "
    "proxy_ignore_headers X-Accel-Buffering, no "
    "gzip for text/event-stream; HAProxy: option http-no-delay; Caddy: flush_interval -1."
)


def _delays(target: Target) -> tuple[list[float], dict[str, str]]:
    delays: list[float] = []
    with target.connection() as connection:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        connection.request("GET", target.path("events"), headers=headers)
        response = connection.getresponse()
        while line := response.readline(4096):
            if line.startswith(b"data: "):
                delays.append(time.time() + target.ahead - float(line[6:]))
        return delays, {name.lower(): value for name, value in response.getheaders()}
