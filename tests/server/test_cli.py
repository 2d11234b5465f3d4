"""The command line that is derived from the configuration."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from channels.server.cli import (
    ApplicationError,
    build_parser,
    build_supervisor,
    config_options,
    import_application,
    judge_application,
    worker_command,
)
from channels.server.config import Config
from channels.server.processes.reload import Reloader
from channels.server.processes.supervisor import Supervisor


def test_every_option_is_offered_with_its_default() -> None:
    parser = build_parser("prog", "About it")
    options = parser.parse_args(["module:app"])
    for name, spec in config_options().items():
        assert getattr(options, name) == spec.default, name
    assert options.application == "module:app"
    assert (options.host, options.port, options.socket_strings) == (None, None, [])


def test_hidden_fields_are_not_offered() -> None:
    hidden = {spec.name for spec in dataclasses.fields(Config)} - set(config_options())
    assert {"app", "endpoints", "action_logger", "require_host"} <= hidden


def test_values_have_their_types() -> None:
    flags = ["--head-timeout", "1.5", "--max-headers", "7", "-s", "me", "--lifespan", "off", "-t", "3"]
    options = build_parser(None, "").parse_args([*flags, "m:a"])
    assert (options.head_timeout, options.max_headers, options.server_name) == (1.5, 7, "me")
    assert (options.lifespan, options.http_timeout) == ("off", 3)


@pytest.mark.parametrize("flags", [["--no-such-flag"], ["-p", "x"], ["--lifespan", "maybe"], []])
def test_what_cannot_be_read_ends_with_2(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        build_parser("prog", "").parse_args(flags)
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("prog: error: ")


def test_help_names_units_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser("prog", "About it").parse_args(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "About it" in text
    assert "keepalive ping is sent; 0 sends none. (seconds) [20]" in text


def test_an_application_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd_application.py").write_text("class holder:\n    app = print\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert import_application("cwd_application:holder.app") is print
    assert import_application("cwd_application:holder.app") is print


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("no_colon", "module:attribute"),
        (":app", "module:attribute"),
        ("nowhere_at_all:app", "no module 'nowhere_at_all'"),
        ("json.nowhere:app", "no module 'json.nowhere'"),
        ("json:nothing", "no attribute 'nothing'"),
    ],
)
def test_an_application_that_is_not_there(path: str, text: str) -> None:
    with pytest.raises(ApplicationError, match=text):
        import_application(path)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("\nimport nowhere_at_all\n", r"ModuleNotFoundError: .*broken_one.py:2"),
        ("\n\n1 / 0\n", r"ZeroDivisionError: .*broken_one.py:3"),
    ],
)
def test_an_application_that_breaks_says_where(
    source: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_one.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with pytest.raises(ApplicationError, match=text) as caught:
        import_application("broken_one:app")
    assert caught.value.__cause__ is not None


def supervisor(*args: str) -> Supervisor | None:
    options = build_parser("prog", "").parse_args([*args, "m:a"])
    return build_supervisor(options, ["tcp:port=0"], [*args, "m:a"])


def test_one_process_serves_itself() -> None:
    assert supervisor() is None


def test_many_processes_have_a_supervisor() -> None:
    built = supervisor("--workers", "3", "--drain-timeout", "2", "--lifespan-shutdown-timeout", "3")
    assert type(built) is Supervisor
    assert (built.drain_limit, built.start_limit) == (2 + 3 + 10, 120.0)


@pytest.mark.parametrize("flag", ["--drain-timeout", "--lifespan-shutdown-timeout"])
def test_without_limits_nobody_is_killed(flag: str) -> None:
    built = supervisor("--workers", "1", flag, "-1", "--worker-start-timeout", "-1")
    assert built is not None
    assert (built.drain_limit, built.start_limit) == (None, None)


def test_reload_watches_the_folders(tmp_path: Path) -> None:
    built = supervisor("--reload", "--reload-dir", str(tmp_path))
    assert isinstance(built, Reloader)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--workers", "0"], "at least one has to serve"),
        (["--workers", "x"], "'x' is no number of processes"),
        (["--workers", "2", "--reload"], "not allowed with argument"),
    ],
)
def test_processes_that_cannot_be(flags: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        supervisor(*flags)
    assert caught.value.code == 2
    assert text in capsys.readouterr().err.splitlines()[-1]


def test_a_worker_is_started_as_this_process_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "-X", "dev", "/bin/daphne", "--workers", "2", "m:a"])
    assert worker_command(["--workers", "2", "m:a"]) == [
        sys.executable, "-X", "dev", "/bin/daphne", "--workers", "2", "m:a",
    ]  # fmt: skip
    assert worker_command(["m:other"]) == [sys.executable, "-m", "daphne", "m:other"]
    monkeypatch.setattr(sys, "orig_argv", ["m:a"])
    assert worker_command(["m:a"]) == [sys.executable, "-m", "daphne", "m:a"]


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--nope", "a:b"], "daphne: error: unrecognized arguments: --nope. See daphne --help.\n"),
        (
            ["--max-connection-per-address=3", "a:b"],
            "daphne: error: unrecognized arguments: --max-connection-per-address=3. Did you mean "
            "--max-connections-per-address? See daphne --help.\n",
        ),
        ([], "daphne: error: the following arguments are required: application. See daphne --help.\n"),
        (
            ["-p", "abc", "a:b"],
            "daphne: error: argument -p/--port: invalid int value: 'abc'. See daphne --help.\n",
        ),
    ],
)
def test_what_is_wrong_with_a_command_line_is_one_line(
    args: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        build_parser("daphne", "").parse_args(args)
    assert caught.value.code == 2
    assert capsys.readouterr().err == line


def test_the_usage_is_one_line_and_numbers_say_what_they_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    told = build_parser("daphne", "").format_help()
    assert told.startswith("usage: daphne [options] application\n")
    for option in ("--max-connections N", "--tls-timeout SECONDS", "--write-limit BYTES"):
        assert f"  {option}" in told
    monkeypatch.setattr("sys.argv", ["/somewhere/daphne/__main__.py"])
    assert build_parser(None, "").prog == "python -m daphne"
    monkeypatch.setattr("sys.argv", ["/usr/bin/daphne"])
    assert build_parser(None, "").prog == "daphne"


CANDIDATES = """
from channels.generic.websocket import AsyncWebsocketConsumer

class Consumer(AsyncWebsocketConsumer): pass
class Empty: pass
class Second:
    def __init__(self, scope): pass
    async def __call__(self, receive, send): pass
def wsgi(environ, start_response): pass
async def third(scope, receive, send): pass
number = 1
unknown = type
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("number", "a value of type int: name the callable"),
        ("Consumer", r"name what Consumer.as_asgi\(\) returns"),
        ("Empty", r"it takes \(\), not \(scope, receive, send\)\.$"),
        ("Consumer.as_asgi", r"it takes \(\*\*initkwargs"),
        ("wsgi", "This is a WSGI application: name the one in asgi.py"),
    ],
)
def test_what_is_no_application(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "candidates.py").write_text(CANDIDATES)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ApplicationError, match=text) as caught:
        judge_application("candidates", import_application(f"candidates:{name}"))
    assert "\n" not in str(caught.value)
    for good in ("Second", "third", "unknown"):
        judge_application("candidates", import_application(f"candidates:{good}"))
