"""The page about deployments: its commands are understood, its units and manifests hang together."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from channels.server.cli import build_parser
from channels.server.config import Config
from channels.server.endpoints.endpoints import parse_endpoint
from channels.server.lifecycle.deadline import stop_limit
from channels.server.proxies.trusted_proxies import TrustedProxies
from tests.support import programs

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "howto" / "deploy.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.S)


def units() -> dict[str, configparser.ConfigParser]:
    """The socket unit and the service unit, by a section that only one has."""
    found = {}
    for kind, text in BLOCKS:
        if kind == "ini":
            unit = configparser.ConfigParser(interpolation=None)
            unit.optionxform = str  # type: ignore[assignment]
            unit.read_string(text)
            found["socket" if unit.has_section("Socket") else "service"] = unit
    return found


def commands() -> list[list[str]]:
    """Every command line of ``daphne`` on the page, without the program."""
    found = [
        shlex.split(line)
        for kind, text in BLOCKS
        if kind == "sh"
        for line in text.replace("\\\n", " ").splitlines()
    ]
    found.append(shlex.split(units()["service"]["Service"]["ExecStart"]))
    found.append(json.loads(re.findall(r"^CMD (\[.*\])$", PAGE, re.M)[0]))
    return [command[1:] for command in found]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_is_understood(command: list[str]) -> None:
    words = ["a:b" if word == "…" else word for word in command]
    options = build_parser("daphne", "").parse_args(words)
    for endpoint in options.socket_strings:
        parse_endpoint(endpoint)
    TrustedProxies(options.trusted_proxies or ())


def test_the_service_takes_the_socket_by_its_name() -> None:
    found = units()
    name = found["socket"]["Socket"]["FileDescriptorName"]
    assert f"-e systemd:name={name} " in found["service"]["Service"]["ExecStart"]
    assert found["socket"]["Socket"]["ListenStream"] in PAGE.partition("```nginx")[2]
    config = Config(app=print)  # type: ignore[arg-type]
    limit = stop_limit(config.drain_timeout, config.lifespan_shutdown_timeout)
    assert limit is not None
    assert float(found["service"]["Service"]["TimeoutStopSec"]) > limit
    assert f"{limit:.0f} seconds" in PAGE


def test_the_probes_ask_the_health_port() -> None:
    (command,) = [command for command in commands() if "--health-bind" in command]
    port = command[command.index("--health-port") + 1]
    assert set(re.findall(r"httpGet: \{path: /\w+, port: (\d+)\}", PAGE)) == {port}


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """As Debian 12 has it; what has to exist here stands in for what a server has."""
    analyze = programs.require("systemd-analyze")
    for kind, text in BLOCKS:
        if kind == "ini":
            name = "myproject.socket" if "[Socket]" in text else "myproject.service"
            text = re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text)
            (tmp_path / name).write_text(text.replace("/srv/myproject/current", str(tmp_path)))
    done = subprocess.run(
        [analyze, "verify", "--man=no", *sorted(tmp_path.glob("myproject.*"))],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "myproject" in line]
    assert said == []


def test_the_unit_trusts_the_proxy_that_it_stands_behind() -> None:
    command = units()["service"]["Service"]["ExecStart"]
    assert " --proxy-headers --trusted-proxies unix " in command
    assert (
        units()["service"]["Service"]["ExecReload"] == "/bin/kill -HUP $MAINPID"
    )  # Debian 12 has systemd 252


@pytest.mark.parametrize(
    "word", ["DEBUG = False", "ALLOWED_HOSTS", "SECRET_KEY", "manage.py migrate", "manage.py collectstatic"]
)
def test_the_page_has_what_every_site_needs(word: str) -> None:
    assert word in PAGE
