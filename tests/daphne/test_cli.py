"""The command line of daphne, as its users and their tests call it."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from argparse import ArgumentError
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.conf import METRICS_DIRECTORY
from channels.diagnostics.version import release
from channels.tasks.worker.worker import WorkerConfig
from daphne.access import AccessLogGenerator
from daphne.cli import CommandLineInterface, server_keywords, task_workers
from daphne.server import Server
from tests.server.helpers import LONG
from tests.support.ports import free_port
from tests.support.served import wait_until_listening

APPLICATION = """
async def application(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"Hello"})
"""


class FakeServer:
    """Keeps its keywords, as the servers of tests in the wild do."""

    def __init__(self, **kwargs: Any) -> None:
        self.init_kwargs = kwargs

    def run(self) -> None: ...


class Interface(CommandLineInterface):
    server_class = FakeServer


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def keywords(*args: str) -> dict[str, Any]:
    interface = Interface()
    interface.run([*args, "daphne:__version__"])
    kwargs: dict[str, Any] = interface.server.init_kwargs
    return kwargs


def test_the_defaults() -> None:
    found = keywords()
    assert callable(found.pop("application"))
    assert isinstance(found.pop("action_logger"), AccessLogGenerator)
    assert found == {
        "endpoints": ["tcp:port=8000:interface=127.0.0.1"],
        "http_timeout": None,
        "ping_interval": 20,
        "ping_timeout": 30,
        "websocket_timeout": 86400,
        "websocket_connect_timeout": 5,
        "websocket_handshake_timeout": 5,
        "websocket_max_message_size": 1048576,
        "websocket_max_frame_size": 1048576,
        "application_close_timeout": 10,
        "root_path": "",
        "verbosity": 1,
        "proxy_forwarded_address_header": None,
        "proxy_forwarded_port_header": None,
        "proxy_forwarded_proto_header": None,
        "server_name": "daphne",
    }


@pytest.mark.parametrize(
    ("args", "endpoints"),
    [
        (["-p", "9000"], ["tcp:port=9000:interface=127.0.0.1"]),
        (["-b", "0.0.0.0"], ["tcp:port=8000:interface=0.0.0.0"]),
        (["-b", "::1", "-p", "80"], ["tcp:port=80:interface=\\:\\:1"]),
        (["-u", "/tmp/s"], ["unix:/tmp/s"]),
        (["--fd", "0"], ["fd:fileno=0"]),
        (["-e", "tcp:port=1", "-e", "unix:/x"], ["tcp:port=1", "unix:/x"]),
        (
            ["-b", "a", "-p", "80", "-u", "/a", "--fd", "3", "-e", "ssl:443"],
            ["fd:fileno=3", "ssl:443", "tcp:port=80:interface=a", "unix:/a"],
        ),
    ],
)
def test_endpoints(args: list[str], endpoints: list[str]) -> None:
    assert keywords(*args)["endpoints"] == endpoints


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--websocket_timeout", "-1", "--websocket_connect_timeout", "2"], {
            "websocket_timeout": -1, "websocket_connect_timeout": 2, "websocket_handshake_timeout": 2,
        }),
        (["-t", "5", "--ping-interval", "3", "--ping-timeout", "4"], {
            "http_timeout": 5, "ping_interval": 3, "ping_timeout": 4,
        }),
        (["--websocket-max-message-size", "0", "--websocket-max-frame-size", "7"], {
            "websocket_max_message_size": 0, "websocket_max_frame_size": 7,
        }),
        (["--application-close-timeout", "2", "--root-path", "/x"], {
            "application_close_timeout": 2, "root_path": "/x",
        }),
        (["-s", ""], {"server_name": ""}),
        (["-s", "me"], {"server_name": "me"}),
        (["--no-server-name"], {"server_name": ""}),
        (["-v", "0"], {"verbosity": 0, "action_logger": None}),
        (["--proxy-headers"], {
            "proxy_forwarded_address_header": "X-Forwarded-For",
            "proxy_forwarded_port_header": "X-Forwarded-Port",
            "proxy_forwarded_proto_header": "X-Forwarded-Proto",
        }),
        (["--proxy-headers", "--proxy-headers-host", "X-Real-IP", "--proxy-headers-port", "X-Port"], {
            "proxy_forwarded_address_header": "X-Real-IP",
            "proxy_forwarded_port_header": "X-Port",
            "proxy_forwarded_proto_header": "X-Forwarded-Proto",
        }),
        (["--head-timeout", "-1", "--max-headers", "7"], {"head_timeout": None, "max_headers": 7}),
    ],
)  # fmt: skip
def test_options(args: list[str], expected: dict[str, Any]) -> None:
    found = keywords(*args)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("flag", ["--proxy-headers-host", "--proxy-headers-port"])
def test_proxy_details_need_proxy_headers(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError) as caught:
        keywords(flag, "X-Any")
    assert caught.value.argument_name == flag
    assert caught.value.message == "--proxy-headers has to be passed for this parameter."
    monkeypatch.setattr(sys, "argv", ["daphne", flag, "X-Any", "daphne:__version__"])
    with pytest.raises(SystemExit) as ended:
        Interface.entrypoint()
    assert ended.value.code == 2


def test_the_access_log_goes_where_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    assert keywords("--access-log", "-", "-v", "0")["action_logger"].stream is sys.stdout
    log = keywords("--access-log", str(path))["action_logger"]
    log("websocket", "connected", {"client": "a:1", "path": "/"})
    log.stream.close()
    assert '"WSCONNECT /"' in path.read_text()


def test_without_stdout_there_is_no_access_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert keywords()["action_logger"] is None
    assert keywords("--access-log", "-")["action_logger"] is None


def test_asgi_2_applications_are_taken() -> None:
    interface = Interface()
    interface.run(["tests.daphne.test_cli:DoubleCallable"])
    assert interface.server.init_kwargs["application"] is not DoubleCallable


class DoubleCallable:
    """An application of ASGI 2."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None: ...


def test_a_server_that_could_not_start_is_exit_code_1() -> None:
    class Failing(FakeServer):
        abort_start = True

    interface = Interface()
    interface.server_class = Failing
    with pytest.raises(SystemExit) as caught:
        interface.run(["daphne:__version__"])
    assert caught.value.code == 1


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["nowhere_at_all:app"], "no module 'nowhere_at_all'"),
        (["-e", "carrier-pigeon:1", "daphne.server:Server"], "begins with tcp:"),
        (["--max-headers", "0", "daphne.server:Server"], "max_headers must be at least 1"),
        (["--access-log", "/", "daphne.server:Server"], "--access-log: / cannot be written: Is a directory"),
    ],
)
def test_errors_are_one_line_and_exit_code_1(
    args: list[str], text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["daphne", "-v", "0", *args])
    with pytest.raises(SystemExit) as caught:
        CommandLineInterface.entrypoint()
    assert caught.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("daphne: ")
    assert text in line


def test_a_format_of_log_lines_that_is_none_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger().handlers.clear()  # basicConfig() looks at a format only where it is the first
    monkeypatch.setattr(sys, "argv", ["daphne", "--log-fmt", "%(message", "daphne:__version__"])
    with pytest.raises(SystemExit) as caught:
        Interface.entrypoint()
    assert caught.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("daphne: --log-fmt: '%(message' is no format of logging.Formatter")


def test_with_v_2_an_application_that_breaks_shows_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "breaks_at_once.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    logging.getLogger().handlers.clear()
    monkeypatch.setattr(sys, "argv", ["daphne", "-v", "2", "breaks_at_once:app"])
    with pytest.raises(SystemExit):
        CommandLineInterface.entrypoint()
    assert "Traceback" in capsys.readouterr().err


def test_the_server_class_is_ours() -> None:
    assert CommandLineInterface.server_class is Server


def start(folder: Path, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "daphne", *args]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )


def test_the_program_serves_a_project_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "project_asgi.py").write_text(APPLICATION)
    path = tmp_path / "s"
    with start(tmp_path, "-u", str(path), "project_asgi:application") as process:
        try:
            for line in process.stderr:
                if "Listening on" in line:
                    break
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(LONG)
                client.connect(str(path))
                client.sendall(b"GET /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
                answer = b"".join(iter(lambda: client.recv(4096), b""))
        finally:
            process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=LONG)
    assert answer.endswith(b"Hello")
    assert '"GET /x" 200 5' in out
    assert process.returncode == 0
    assert not path.exists()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_a_program_that_was_started_without_standard_streams_serves_and_stops(
    closed: str, tmp_path: Path
) -> None:
    """Sockets with their numbers are what libuv ends a process for."""
    (tmp_path / "project_asgi.py").write_text(APPLICATION)
    port = free_port()
    command = f"exec {sys.executable} -m daphne -p {port} project_asgi:application {closed}"
    with subprocess.Popen(["/bin/sh", "-c", command], cwd=tmp_path) as process:
        wait_until_listening(process, port, tmp_path / "project_asgi.py")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=LONG) as response:
            assert response.read() == b"Hello"
        process.terminate()
        assert process.wait(LONG) == 0


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "project_asgi.py").write_text(APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(tmp_path, "-v", "0", "-p", str(port), "project_asgi:application") as process:
            _, err = process.communicate(timeout=LONG)
    (line,) = err.splitlines()
    assert f"127.0.0.1:{port}: another program listens there" in line
    assert process.returncode == 1


TOO_EARLY = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "early_settings"
from django.core.asgi import get_asgi_application
import early_consumers
application = get_asgi_application()
"""


def test_models_that_are_imported_too_early(tmp_path: Path) -> None:
    (tmp_path / "early_settings.py").write_text("INSTALLED_APPS = ['django.contrib.contenttypes']")
    (tmp_path / "early_consumers.py").write_text(
        "\nfrom django.contrib.contenttypes.models import ContentType"
    )
    (tmp_path / "early_asgi.py").write_text(TOO_EARLY)
    command = [sys.executable, "-m", "daphne", "-p", str(free_port()), "early_asgi:application"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LONG, check=False)
    assert ended.returncode == 1
    line = ended.stderr.strip().splitlines()[-1]
    assert f"AppRegistryNotReady: Apps aren't loaded yet ({tmp_path}/early_consumers.py:2)." in line
    assert line.endswith(
        "call get_asgi_application() first in asgi.py, and import consumers and routing below it."
    )


def test_models_that_are_imported_before_the_settings_are_named(tmp_path: Path) -> None:
    (tmp_path / "late_asgi.py").write_text(
        "from django.contrib.contenttypes.models import ContentType\n" + TOO_EARLY
    )
    command = [sys.executable, "-m", "daphne", "-p", str(free_port()), "late_asgi:application"]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LONG, check=False
    )
    line = ended.stderr.strip().splitlines()[-1]
    assert f"({tmp_path}/late_asgi.py:1)" in line
    assert "then call get_asgi_application(), and import consumers, models and routing below both" in line


def test_the_first_lines_say_whose_server_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    keywords()
    assert f"This is Fairway {release()}, which stands for Daphne 4.2.3" in caplog.text


@pytest.mark.parametrize("as_json", [False, True])
def test_the_exposure_is_told_without_serving(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    interface = CommandLineInterface()
    flags = ["--check-exposure", "-b", "0.0.0.0", "--proxy-headers", *(["--json"] if as_json else [])]
    interface.run([*flags, "there.is.no:module"])
    assert interface.server is None
    said = capsys.readouterr().out
    if as_json:
        assert json.loads(said)["endpoints"][0]["listens"] == "0.0.0.0:8000"
    assert "0.0.0.0:8000" in said
    assert "--proxy-headers believes whoever connects" in said


def parsed(*args: str) -> Any:
    return Interface().parser.parse_args([*args, "daphne:__version__"])


@pytest.mark.parametrize(
    ("args", "drain"),
    [([], 10.0), (["--drain-timeout", "-1"], WorkerConfig().drain), (["--drain-timeout", "3"], 3.0)],
)
def test_workers_of_tasks_drain_as_long_as_the_server(args: list[str], drain: float) -> None:
    assert task_workers(parsed(*args)) == []
    (companion,) = task_workers(parsed(*args, "--task-workers", "2"))
    what = json.loads(companion.command[-1])
    assert (companion.count, what["application"]) == (2, "daphne:__version__")
    assert what["config"]["drain"] == drain


def test_metrics_are_served_beside_the_application(monkeypatch) -> None:
    pytest.importorskip("prometheus_client")
    activation = "channels.observability.metrics.activation"
    monkeypatch.setattr(f"{activation}._armed", True)  # else the servers of all later tests would count
    before = os.environ.get(METRICS_DIRECTORY)
    found = keywords("--metrics-port", "0")
    assert callable(found["metrics_app"])
    assert os.environ.get(METRICS_DIRECTORY) == before, "it is there while the server runs"


def test_metrics_need_their_library() -> None:
    missing = "import sys; sys.modules['prometheus_client'] = None"
    command = [sys.executable, "-c", f"{missing}; from daphne import cli; cli.metrics_application()"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "ConfigError: --metrics-port: " in done.stderr


def test_with_reload_idle_connections_hold_up_no_restart() -> None:
    interface = Interface()
    options = interface.parser.parse_args(["--reload", "daphne:__version__"])
    assert server_keywords(interface, options)["drain_idle_timeout"] == 0.0
