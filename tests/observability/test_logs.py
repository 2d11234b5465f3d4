"""Log records that say whose they are."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from channels import telemetry
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.observability import logs
from channels.observability.logs import ConnectionFilter, JSONFormatter
from channels.tasks.definition.contract import LOGGER
from channels.testing import WebsocketCommunicator
from tests.tasks import jobs
from tests.tasks.conftest import finished, fresh, working  # noqa: F401 (fixtures)
from tests.topics.conftest import own_store  # noqa: F401 (fixture)
from tests.topics.raw_client import raw_client
from tests.topics.session.conftest import port  # noqa: F401 (fixture)

logger = logging.getLogger("tests.observability.logs")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What was logged meanwhile, line by line."""
    monkeypatch.setattr(logs, "_listening", False)
    monkeypatch.setattr(telemetry, "listeners", telemetry.listeners)
    monkeypatch.setattr(telemetry, "handler_wrappers", telemetry.handler_wrappers)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(ConnectionFilter())
    handler.setFormatter(JSONFormatter())
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.getLogger().removeHandler(handler)


class Talking(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        logger.warning("heard %s", text_data)
        await self.send(text_data)


class SyncTalking(WebsocketConsumer):
    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        logger.warning("heard %s", text_data)
        self.send(text_data)


@pytest.mark.parametrize("consumer", [Talking, SyncTalking])
async def test_records_of_a_consumer_name_its_connection_and_user(consumer: Any, lines: Any) -> None:
    user = get_user_model()(pk=7, username="a name")
    for number in ("one", "two"):
        client = WebsocketCommunicator(consumer.as_asgi(), "/ws/?token=secret")
        client.scope["user"] = user
        await client.connect()
        for _ in range(2):
            await client.send_to(text_data=number)
            await client.receive_from()
        await client.disconnect()
    first, second, third, _ = [line for line in lines() if line["message"].startswith("heard")]
    assert first["consumer"] == consumer.__qualname__
    assert first["user"] == "7"
    assert first["worker"].endswith(f":{os.getpid()}")
    assert first["connection"] == second["connection"] != third["connection"]
    assert "secret" not in json.dumps(first)
    assert "a name" not in json.dumps(first)


async def test_records_within_a_span_name_it(lines: Any) -> None:
    with TracerProvider().get_tracer("tests").start_as_current_span("work") as span:
        logger.warning("here")
    (line,) = [line for line in lines() if line["message"] == "here"]
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert line["span_id"] == f"{span.get_span_context().span_id:016x}"
    assert trace.get_current_span().get_span_context().is_valid is False


@pytest.mark.django_db(transaction=True)
def test_records_of_a_task_name_it(lines: Any) -> None:
    with working():
        done = finished(jobs.fail.enqueue())
    found = [line for line in lines() if line.get("task") == done.id]
    assert found
    assert found[0]["logger"] == LOGGER


async def test_records_of_a_client_of_topics_name_client_and_topic(lines: Any, port: int) -> None:  # noqa: F811
    told: list[str] = []
    detach = telemetry.attach(lambda event, facts: told.append(event) or logger.warning("told %s", event))
    try:
        async with raw_client(port) as client:
            await client.connect()
            await client.ask(subscribe={"channel": "room:one"})
    finally:
        detach()
    (line,) = [line for line in lines() if line["message"] == "told topics.subscribed"]
    assert line["topic"] == "room:one"
    assert line["connection"] != "-"


def test_a_record_of_nobody_is_one_line_of_json(lines: Any) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("It broke:\n%s", "here")
    (line,) = [line for line in lines() if line["logger"] == logger.name]
    assert line["message"] == "It broke:\nhere"
    assert line["error"].endswith("ValueError: two\nlines")
    assert set(line) == {"time", "level", "logger", "message", "worker", "error"}


def test_plain_formats_may_name_the_fields(lines: Any) -> None:
    record = logging.LogRecord("a", logging.INFO, "f", 1, "text", None, None)
    assert ConnectionFilter().filter(record)
    shown = logging.Formatter(" ".join(f"%({name})s" for name in logs.FIELDS)).format(record)
    assert shown.split()[:5] == ["-"] * 5
