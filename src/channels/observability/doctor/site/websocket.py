"""Over WebSockets: the upgrade, messages of all sizes, silence, and two sockets that hear each other."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from channels.observability.doctor.site.target import TIMEOUT, Answer, Target
from channels.observability.doctor.steps import Status, Step

#: Sockets that are opened, at most, to find two on different workers.
_SOCKETS: Final = 20
#: Seconds in which another worker has to hear.
_HEARD: Final = 3.0
#: What a WebSocket ends with that does not work.
_FAILURES: Final = (InvalidHandshake, ConnectionClosed, OSError, ValueError)
_TUNNEL: Final = (
    "Let it wait for longer than the server pings (--ping-interval, 20 s): "
    "proxy_read_timeout in nginx, timeout "
    "tunnel in HAProxy; or ping more often."
)


@contextmanager
def opened(target: Target) -> Iterator[tuple[ClientConnection, dict[str, Any]]]:
    """Open the probe's WebSocket while the block runs; yields it, and how its request has arrived.

    Raises:
        InvalidHandshake: it was refused.
        OSError: nobody answers.
    """
    with connect(
        target.websocket_url(),
        origin=Origin(target.origin),
        ssl=target.context(),
        open_timeout=TIMEOUT,
        close_timeout=1.0,
        ping_interval=None,
        max_size=None,
        proxy=None,
    ) as sock:
        yield sock, json.loads(sock.recv(TIMEOUT))


def socket_steps(target: Target) -> Iterator[Step]:
    """Open a WebSocket; if that works, try what may go wrong with one that is open."""
    did = "opened a WebSocket"
    with ThreadPoolExecutor(1, "doctor") as pool:
        try:
            with opened(target) as (sock, seen):
                watching = pool.submit(_watch, target)
                yield _arrived(did, sock, seen)
                yield _messages(target, sock)
        except InvalidStatus as error:
            yield _refused(did, error)
            return
        except _FAILURES as error:
            saw = f"{type(error).__name__}: {error}"
            yield Step(
                "websocket", did, saw, Status.ERROR, ("Look at the logs of the proxy and of the server.")
            )
            return
        yield workers_step(target)
        yield idle_step(target, watching)


def _refused(did: str, error: InvalidStatus) -> Step:
    """Say what has refused an upgrade: the application, or something on the way to it."""
    response = error.response
    headers = {name.lower(): value for name, value in response.headers.raw_items()}
    answer = Answer(response.status_code, headers, bytes(response.body or b""))
    seen = answer.seen()
    saw = f"{answer.status} instead of 101 ({answer.who})"
    if seen is None:
        remedy = (
            "What is named there does not pass WebSockets on, or the application refuses them: see its log."
        )
        return Step("websocket", did, saw, Status.ERROR, remedy)
    got = f"HTTP/{seen['http_version']}, Upgrade: {seen['headers'].get('upgrade', 'none')}"
    remedy = (
        "Upgrade was taken away on the way: a request without it reached the application. In nginx: "
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
    )
    return Step("websocket", did, f"{saw}; the application got {got}", Status.ERROR, remedy)


def _arrived(did: str, sock: ClientConnection, seen: dict[str, Any]) -> Step:
    extensions = [extension.name for extension in sock.protocol.extensions]
    origin = seen["headers"].get("origin")
    saw = f"open, on worker {seen['worker']}, {'compressed' if extensions else 'not compressed'}"
    if origin is None:
        remedy = (
            "The proxy takes the Origin header away: the application cannot tell its own pages from others."
        )
        return Step("websocket", did, saw + ", without Origin", Status.ERROR, remedy)
    return Step("websocket", did, saw)


def _messages(target: Target, sock: ClientConnection) -> Step:
    """Send larger and larger messages, there and back."""
    did, largest = f"sent messages of up to {target.message:,} bytes there and back", 0
    size = min(1024, target.message)
    try:
        while size > largest:
            sock.send("x" * size)
            if len(sock.recv(TIMEOUT)) != size:
                break
            largest, size = size, min(size * 8, target.message)
    except (ConnectionClosed, TimeoutError) as error:
        saw = f"{largest:,} bytes come back, {size:,} do not: {error}"
        remedy = (
            "Raise --websocket-max-message-size, or the limit of what is on the way; or send less at once."
        )
        return Step("messages", did, saw, Status.ERROR, remedy)
    return Step("messages", did, f"{largest:,} bytes come back")


def _watch(target: Target) -> float | None:
    """Leave a WebSocket silent; returns after how many seconds it was cut, None if it was not."""
    with opened(target) as (sock, _):
        begun = time.monotonic()
        try:
            sock.recv(target.idle)
        except TimeoutError:
            return None
        except ConnectionClosed:
            pass
        return time.monotonic() - begun


def idle_step(target: Target, watching: Future[float | None]) -> Step:
    """Say whether a silent WebSocket was cut."""
    did = f"left a WebSocket silent for {target.idle:g} s"
    try:
        cut = watching.result(target.idle + 3 * TIMEOUT)
    except _FAILURES as error:
        return Step("idle", did, f"it could not be opened: {error}", Status.ERROR, "See the steps before.")
    if cut is None:
        return Step("idle", did, "it stayed open")
    saw = f"it was cut after {cut:.1f} s"
    return Step("idle", did, saw, Status.ERROR, f"A proxy cuts what is silent. {_TUNNEL}")


def workers_step(target: Target) -> Step:
    """Find two sockets on different workers, and see whether they hear each other."""
    did = "had two WebSockets on different workers hear each other"
    sockets: dict[str, ClientConnection] = {}
    try:
        with ExitStack() as stack:
            for _ in range(_SOCKETS):
                sock, seen = stack.enter_context(opened(target))
                sockets.setdefault(seen["worker"], sock)
                if len(sockets) == 2:
                    return _hear(did, *sockets.values())
    except _FAILURES as error:
        return Step("workers", did, f"{type(error).__name__}: {error}", Status.ERROR, "Look at the logs.")
    return Step("workers", did, f"{_SOCKETS} WebSockets came to one worker", Status.SKIPPED)


def _hear(did: str, one: ClientConnection, other: ClientConnection) -> Step:
    name = uuid.uuid4().hex
    one.send(f"join {name}")
    told = one.recv(TIMEOUT)
    if told == "no layer":
        return Step(
            "workers", did, "there is no channel layer", Status.SKIPPED, "Set CHANNEL_LAYERS to have one."
        )
    begun = time.monotonic()
    other.send(f"tell {name}")
    try:
        one.recv(_HEARD)
    except TimeoutError:
        remedy = (
            "The channel layer does not reach from one to the other: use "
            "HostChannelLayer on one machine, Redis "
            "on several, with the same settings in all."
        )
        return Step("workers", did, f"nothing was heard in {_HEARD:g} s", Status.ERROR, remedy)
    return Step("workers", did, f"heard after {(time.monotonic() - begun) * 1000:.0f} ms")
