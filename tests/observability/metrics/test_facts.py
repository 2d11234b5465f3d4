"""What topics and tasks tell, as it is counted in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from channels import telemetry
from channels.observability.metrics.counting import recorder
from channels.observability.metrics.counting.recorder import Recorder
from channels.observability.metrics.families import MOST_SETS
from channels.observability.metrics.push import pushed
from channels.observability.metrics.samples import Samples
from tests.support.ports import free_port
from tests.tasks import jobs
from tests.tasks.conftest import finished, fresh, working  # noqa: F401 (fixtures)
from tests.topics.conftest import own_store  # noqa: F401 (fixture)
from tests.topics.raw_client import raw_client
from tests.topics.session.conftest import port  # noqa: F401 (fixture)
from tests.topics.topics_for_tests import Room


@pytest.fixture
def counting() -> Iterator[Recorder]:
    before = telemetry.listeners, telemetry.handler_wrappers
    yield recorder.start("tests", None)
    recorder.stop()
    assert (telemetry.listeners, telemetry.handler_wrappers) == before


def test_publications_are_counted_by_the_pattern_of_their_topic(counting: Recorder) -> None:
    for name in ("one", "two"):
        Room(name=name).publish({"text": "hello"}, now=True)
    counted = counting.samples().counters["topics_publications_total"]
    assert counted == {(Room.pattern,): 2}


@pytest.mark.django_db(transaction=True)
def test_attempts_at_tasks_are_timed(counting: Recorder) -> None:
    with working():
        finished(jobs.add.enqueue(1, 2))
        found = counting.samples()
    path = f"{jobs.__name__}.add"
    assert found.counters["task_attempts_total"] == {(path,): 1}
    assert sum(found.histograms["task_duration_seconds"][path, "SUCCESSFUL"].counts) == 1
    assert sum(found.histograms["task_wait_seconds"]["default",].counts) == 1
    assert found.gauges["tasks_waiting"].keys() >= {("ready",), ("running",)}


def test_messages_that_are_dropped_are_counted_by_reason(counting: Recorder) -> None:
    telemetry.count("layer.message_dropped", 3, layer="default", reason="capacity")
    found = counting.samples().counters
    assert found["layer_messages_dropped_total"] == {("capacity",): 3}
    assert found["events_total"]["layer.message_dropped",] == 3


def test_a_family_keeps_a_bounded_number_of_sets() -> None:
    samples = Samples()
    for number in range(MOST_SETS + 50):
        samples.count("websocket_closes_total", (str(number),))
    kept: dict[Any, float] = samples.counters["websocket_closes_total"]
    assert len(kept) == MOST_SETS + 1
    assert kept["other",] == 50


async def test_subscriptions_and_recoveries_are_counted(counting: Recorder, port: int) -> None:  # noqa: F811
    async with raw_client(port) as client:
        await client.connect()
        await client.ask(subscribe={"channel": "room:one"})
        await client.ask(subscribe={"channel": "room:two"})
        found = counting.samples()
        assert found.gauges["topics_subscriptions"][Room.pattern,] == 2
        assert found.gauges["topics_present"][Room.pattern,] == 2
        assert found.gauges["topics_clients"][()] == 1
        lost = {"channel": "room:three", "recover": True, "offset": 5, "epoch": "gone"}
        await client.ask(subscribe=lost)
    assert counting.samples().counters["topics_recoveries_total"] == {("not recovered",): 1}


class Gateway(BaseHTTPRequestHandler):
    """What a Pushgateway hears."""

    heard: ClassVar[list[tuple[str, str, str]]] = []

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append((self.command, self.path, body.decode()))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


def test_a_short_process_pushes_its_figures() -> None:
    with HTTPServer(("127.0.0.1", 0), Gateway) as gateway:
        thread = threading.Thread(target=gateway.handle_request)
        thread.start()
        with pushed(f"http://127.0.0.1:{gateway.server_port}", "nightly"):
            telemetry.count("layer.message_dropped", 3, layer="default", reason="expired")
        thread.join(10)
    ((method, path, text),) = Gateway.heard
    assert (method, path) == ("PUT", "/metrics/job/nightly")
    assert 'channels_layer_messages_dropped_total{reason="expired"} 3.0' in text
    assert recorder.recorder() is None


def test_a_gateway_that_is_away_is_no_error_of_the_command(caplog: pytest.LogCaptureFixture) -> None:
    with pushed(f"http://127.0.0.1:{free_port()}", "nightly"):
        pass
    assert "The metrics of nightly could not be sent" in caplog.text
