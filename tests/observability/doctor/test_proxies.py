"""The doctor before real proxies: as the page about deployments configures them, and wrongly."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from channels.observability.doctor.probe import with_doctor
from channels.observability.doctor.site import websocket
from channels.observability.doctor.site.examination import examine
from channels.observability.doctor.site.target import Target
from channels.observability.doctor.steps import Status, Step
from channels.server.config import Config
from channels.server.in_thread import ServerThread
from channels.typing import Receive, Scope, Send
from tests.security.proxies import PROXIES
from tests.security.way import OPTIONS
from tests.support.certificates import Pair, make_pair

pytestmark = pytest.mark.timeout(120)

Changes = list[tuple[str, str]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def hosts(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    monkeypatch.setattr(websocket, "_SOCKETS", 2)  # there is one process: no more would find a second


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that knows no page."""
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"nothing here"})


@contextmanager
def site(proxy: str, pair: Pair, changes: Changes, **options: Any) -> Iterator[Target]:
    """A site behind a proxy: a WebSocket is watched for a second and a half, bodies are small."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        upstream = folder / "tap.sock"
        more = {**OPTIONS, "max_body_size": 100_000, **options}
        config = Config(app=with_doctor(nothing), endpoints=(f"unix:{upstream}",), drain_timeout=0.0, **more)
        with serving(config), PROXIES[proxy](folder, upstream, pair, *changes) as port:
            yield Target(
                f"https://localhost:{port}", str(pair.certificate), idle=1.5, body=50_000, message=200_000
            )


@contextmanager
def serving(config: Config) -> Iterator[None]:
    server = UnixServerThread.of(config, "localhost")
    with server:
        yield


class UnixServerThread(ServerThread):
    """One that listens on a Unix socket, and has no port."""

    def _listening(self) -> None:
        self._ready.set()


def examined(target: Target) -> dict[str, Step]:
    """Look at the site; once more if HAProxy 2.6 lets a handshake wait, as it now and then does."""
    found = {step.name: step for step in examine(target)}
    if any("waiting for handshake response" in step.saw for step in found.values()):
        found = {step.name: step for step in examine(target)}
    return found


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_right_configuration_has_no_fault(proxy: str, pair: Pair) -> None:
    with site(proxy, pair, []) as target:
        found = examined(target)
    wrong = {name: step for name, step in found.items() if step.status is Status.ERROR}
    assert wrong == {}
    assert list(found) == [
        "dns", "tls", "request", "host", "forwarded", "cookies", "body", "events", "websocket", "messages",
        "workers", "idle",
    ]  # fmt: skip
    assert found["workers"].status is Status.SKIPPED  # there is one process


@dataclass(frozen=True)
class Wrong:
    """A mistake in a configuration, and what the doctor has to say of it.

    Attributes:
        proxy: whose.
        changes: to the page's configuration.
        steps: those that have to find it; no other may.
        says: what one of them says.
    """

    proxy: str
    changes: Changes
    steps: set[str]
    says: str


UPGRADE = [
    ("        proxy_set_header Upgrade $upgrade;\n", ""),
    ("        proxy_set_header Connection $connection_upgrade;\n", ""),
]
PROTO = [("        proxy_set_header X-Forwarded-Proto $scheme;\n", "")]
WRONG = {
    "nginx strips Upgrade": Wrong("nginx", UPGRADE, {"websocket"}, "Upgrade was taken away"),
    "nginx speaks HTTP/1.0": Wrong(
        "nginx",
        [("proxy_http_version 1.1;", "proxy_http_version 1.0;")],
        {"request", "websocket"},
        "proxy_http_version 1.1;",
    ),
    "nginx cuts what is silent": Wrong(
        "nginx", [("proxy_read_timeout 75s;", "proxy_read_timeout 1s;")], {"idle"}, "cut after 1."
    ),
    "nginx collects events": Wrong(
        "nginx",
        [
            (
                "proxy_read_timeout 75s;",
                "proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_proxied any; "
                "gzip_types text/event-stream; proxy_buffering on; proxy_read_timeout 75s;",
            ),
            ("proxy_http_version 1.1;", "proxy_http_version 1.0;"),
        ],
        {"request", "events", "websocket"},
        "Something on the way collects them",
    ),
    "nginx limits bodies": Wrong(
        "nginx",
        [("server_name example.org;", "server_name example.org; client_max_body_size 10k;")],
        {"body"},
        "413, too large (Server: nginx",
    ),
    "nginx names another host": Wrong(
        "nginx", [("        proxy_set_header Host $host;\n", "")], {"host"}, "proxy_set_header Host $host"
    ),
    "nginx takes Origin away": Wrong(
        "nginx",
        [("proxy_read_timeout 75s;", 'proxy_set_header Origin ""; proxy_read_timeout 75s;')],
        {"websocket"},
        "takes the Origin header away",
    ),
    "nginx takes cookies away": Wrong(
        "nginx",
        [("proxy_read_timeout 75s;", 'proxy_set_header Cookie ""; proxy_read_timeout 75s;')],
        {"cookies"},
        "it has not arrived",
    ),
    "nginx does not tell the scheme": Wrong("nginx", PROTO, {"forwarded"}, "does not send X-Forwarded-Proto"),
    "HAProxy strips Upgrade": Wrong(
        "haproxy",
        [
            (
                "http-request del-header Upgrade unless { req.hdr(Upgrade) -m str -i websocket }",
                "http-request del-header Upgrade",
            )
        ],
        {"websocket"},
        "Upgrade",
    ),
    "HAProxy cuts what is silent": Wrong(
        "haproxy", [("timeout tunnel 75s", "timeout tunnel 1s")], {"idle"}, "cut after 1."
    ),
    "HAProxy names another host": Wrong(
        "haproxy",
        [
            (
                "default_backend myproject",
                ("http-request set-header Host internal\n    default_backend myproject"),
            )
        ],
        {"host"},
        "names another host",
    ),
    "HAProxy does not tell the scheme": Wrong(
        "haproxy",
        [(("    http-request set-header X-Forwarded-Proto https\n"), "")],
        {"forwarded"},
        "X-Forwarded-Proto",
    ),
    "Caddy limits bodies": Wrong(
        "caddy",
        [("reverse_proxy", "request_body {\n        max_size 10KB\n    }\n    reverse_proxy")],
        {"body"},
        "too large",
    ),
    "Caddy names another host": Wrong(
        "caddy", [("header_up -Forwarded", "header_up Host internal")], {"host"}, "names another host"
    ),
    "Caddy strips Upgrade": Wrong(
        "caddy", [("header_up -Forwarded", "header_up -Upgrade")], {"websocket"}, "Upgrade"
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_is_named(name: str, pair: Pair) -> None:
    wrong = WRONG[name]
    with site(wrong.proxy, pair, wrong.changes) as target:
        target.idle = 1.5 if "idle" in wrong.steps else 0.1
        found = examined(target)
    told = {
        step.name: (f"{step.saw} -> {step.remedy}") for step in found.values() if step.status is Status.ERROR
    }
    assert set(told) == wrong.steps, told
    assert any(wrong.says in text for text in told.values()), told


def test_a_server_that_does_not_believe_the_proxy_is_named(pair: Pair) -> None:
    with site("nginx", pair, [], proxy_proto_header=None, proxy_address_header=None) as target:
        found = examined(target)
    assert found["forwarded"].status is Status.ERROR
    assert "--trusted-proxies" in found["forwarded"].remedy


def test_a_limit_of_the_server_is_named(pair: Pair) -> None:
    with site("nginx", pair, [], websocket_max_message_size=20_000) as target:
        found = examined(target)
    assert found["messages"].status is Status.ERROR
    assert "--websocket-max-message-size" in found["messages"].remedy
    assert "8,192 bytes come back" in found["messages"].saw


def test_a_host_that_django_refuses_is_named(pair: Pair, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["example.org"]
    with site("nginx", pair, []) as target:
        assert "ALLOWED_HOSTS" in examined(target)["host"].remedy


def test_a_certificate_that_is_not_known_ends_it(pair: Pair) -> None:
    with site("nginx", pair, []) as target:
        target.ca = ""
        found = examined(target)
    assert list(found) == ["dns", "tls"]
    assert "the certificate is refused" in found["tls"].saw


def test_a_site_without_the_probe_is_told_so(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    with site("nginx", pair, []) as target:
        monkeypatch.setattr("channels.observability.doctor.site.target.path_for", lambda what: "/elsewhere")
        found = examined(target)
    assert "with_doctor()" in found["request"].remedy
    assert list(found) == ["dns", "tls", "request"]
