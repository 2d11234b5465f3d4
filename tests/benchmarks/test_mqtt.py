"""The load of MQTT against our broker: a few clients of each kind."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.contenders import MOSQUITTO, fairway_mqtt
from benchmarks.load import Load, LoadFailed, Settings
from benchmarks.mqtt.load import MQTTIdle, MQTTThroughput
from benchmarks.rows import Entry
from benchmarks.runner import Site, served
from benchmarks.servers import MQTT_GREETING, Server, answers

SETTINGS = Settings(0.1, Path(), "")


def test_a_load_of_each_kind(tmp_path: Path) -> None:
    loads: list[tuple[Load, str]] = [
        (MQTTThroughput("fanout", 3, 2), "plain/room"),
        (MQTTThroughput("publish", 2, 2), "kept"),
        (MQTTIdle(5, settle=0), "kept"),
    ]
    with served(Entry(fairway_mqtt(), ""), Site(tmp_path, "")) as server:
        for load, topic in loads:
            reading = load.measure(server, topic, SETTINGS)
            assert reading.value is not None
            assert reading.note == ""


def test_publications_that_nobody_acknowledges_are_no_measurement(tmp_path: Path) -> None:
    """Of a topic that there is not: what is published with QoS 0 reaches nobody."""
    with (
        served(Entry(fairway_mqtt(), ""), Site(tmp_path, "")) as server,
        pytest.raises(LoadFailed, match="nothing came back"),
    ):
        MQTTThroughput("fanout", 2, 1).measure(server, "nothing", SETTINGS)


def test_clients_that_nobody_serves_are_told(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = Server([], [bound.getsockname()[1]], tmp_path / "log")
        with pytest.raises(LoadFailed, match="Connection refused"):
            MQTTThroughput("publish", 1, 1).measure(server, "kept", SETTINGS)
        assert not answers(server.ports[0], MQTT_GREETING)


def test_a_broker_that_is_not_installed_is_told() -> None:
    absent = replace(MOSQUITTO, needs="a-broker-that-nobody-has")
    assert (
        absent.missing({})
        == "a-broker-that-nobody-has is not installed (apt-get install a-broker-that-nobody-has)"
    )
    assert replace(MOSQUITTO, needs="sh").missing({}) == ""
