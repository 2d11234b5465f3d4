"""The page about deployments: its commands are understood, its units and manifests hang together."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from pathlib import Path

import pytest

from channels.server.cli import build_parser
from channels.server.sockets import parse_endpoint
from channels.server.trust import TrustedProxies

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "howto" / "deploy.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.S)


def units() -> dict[str, configparser.ConfigParser]:
    """The socket unit and the service unit, by a section that only one has."""
    found = {}
    for kind, text in BLOCKS:
        if kind == "ini":
            unit = configparser.ConfigParser(interpolation=None)
            unit.optionxform = str  # type: ignore[assignment,method-assign]
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
    assert float(found["service"]["Service"]["TimeoutStopSec"]) >= 20


def test_the_probes_ask_the_health_port() -> None:
    (command,) = [command for command in commands() if "--health-bind" in command]
    port = command[command.index("--health-port") + 1]
    assert set(re.findall(r"httpGet: \{path: /\w+, port: (\d+)\}", PAGE)) == {port}
