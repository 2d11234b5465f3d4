"""The metrics on a path: a view of Django, and an ASGI application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import RequestFactory

from channels.observability.metrics.counting import recorder
from channels.observability.metrics.endpoint import MetricsApplication
from channels.observability.metrics.views import metrics
from channels.testing import HttpCommunicator, WebsocketCommunicator


@pytest.fixture
def counting() -> Iterator[None]:
    recorder.start("tests", None)
    yield
    recorder.stop()


def test_nothing_is_shown_where_nothing_is_counted(rf: RequestFactory) -> None:
    answer = metrics(rf.get("/metrics"))
    assert answer.status_code == 503
    assert b"CHANNELS_METRICS" in answer.content


@pytest.mark.usefixtures("counting")
def test_this_machine_may_read_and_nobody_else(rf: RequestFactory, settings: Any) -> None:
    answer = metrics(rf.get("/metrics"))
    assert answer.status_code == 200
    assert b'channels_info{kind="tests"' in answer.content
    assert "no-store" in answer["Cache-Control"]
    assert metrics(rf.get("/metrics", REMOTE_ADDR="192.0.2.7")).status_code == 403
    assert metrics(rf.get("/metrics", headers={"x-forwarded-for": "127.0.0.1"})).status_code == 403
    assert metrics(rf.post("/metrics")).status_code == 405
    settings.CHANNELS_METRICS = {"TOKEN": "secret"}
    assert metrics(rf.get("/metrics")).status_code == 403
    shown = {"authorization": "Bearer secret"}
    assert metrics(rf.get("/metrics", REMOTE_ADDR="192.0.2.7", headers=shown)).status_code == 200


@pytest.mark.usefixtures("counting")
async def test_the_application_knows_http_only() -> None:
    app = MetricsApplication(guarded=False)
    answer = await HttpCommunicator(app, "GET", "/").get_response()
    assert answer["status"] == 200
    assert b"channels_info" in answer["body"]
    assert (await WebsocketCommunicator(app, "/").connect())[0] is False
