"""Startup and shutdown of the application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels import telemetry
from channels.server.lifecycle.lifespan import Lifespan, LifespanFailed
from tests.server.helpers import LONG


def speaking(*answers: dict[str, Any], then: Exception | None = None, log: list[str] | None = None) -> Any:
    """An application that answers each event with the next of ``answers``."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        for answer in answers:
            event = await receive()
            if log is not None:
                log.append(event["type"])
            scope["state"]["event"] = event["type"]
            await send(answer)
        if then is not None:
            raise then

    return app


COMPLETE = {"type": "lifespan.startup.complete"}
ENDED = {"type": "lifespan.shutdown.complete"}


async def test_startup_and_shutdown() -> None:
    log: list[str] = []
    lifespan = Lifespan(speaking(COMPLETE, ENDED, log=log), "auto", LONG)
    await lifespan.startup()
    assert lifespan.state == {"event": "lifespan.startup"}
    await lifespan.shutdown()
    assert log == ["lifespan.startup", "lifespan.shutdown"]
    await lifespan.shutdown()


async def test_its_events_are_received_by_one_at_a_time() -> None:
    raised: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(COMPLETE)
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        try:
            await receive()
        except RuntimeError as error:
            raised.append(error)
        waiting.cancel()
        event = await receive()
        assert event["type"] == "lifespan.shutdown"
        await send(ENDED)

    lifespan = Lifespan(app, "on", LONG)
    await lifespan.startup()
    await asyncio.sleep(0.01)
    assert "another call of it waits, for the lifespan" in str(raised[0])
    await lifespan.shutdown()
    assert lifespan._task is not None
    assert lifespan._task.done()
    assert not lifespan._task.cancelled()


@pytest.mark.parametrize("mode", ["auto", "off"])
async def test_an_application_without_lifespan_is_served(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    lifespan = Lifespan(speaking(then=ValueError("No application configured")), mode, LONG)
    await lifespan.startup()
    assert lifespan.state is None
    await lifespan.shutdown()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_an_application_that_returns_at_once_has_no_lifespan() -> None:
    lifespan = Lifespan(speaking(), "on", LONG)
    await lifespan.startup()
    assert lifespan.state is None


async def test_an_application_that_answers_as_if_it_were_http_has_no_lifespan() -> None:
    lifespan = Lifespan(speaking({"type": "http.response.start", "status": 200}), "auto", LONG)
    await lifespan.startup()
    assert lifespan.state is None


@pytest.mark.parametrize(
    ("more", "text"), [({"message": "no database"}, "no database"), ({}, "no reason given")]
)
async def test_a_failed_startup(more: dict[str, str], text: str) -> None:
    lifespan = Lifespan(speaking({"type": "lifespan.startup.failed", **more}), "auto", LONG)
    with pytest.raises(LifespanFailed, match=text):
        await lifespan.startup()


async def test_with_mode_on_an_error_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    lifespan = Lifespan(speaking(then=RuntimeError("broken")), "on", LONG)
    with pytest.raises(LifespanFailed, match="RuntimeError: broken"):
        await lifespan.startup()
    assert "Traceback" in caplog.text


async def test_a_startup_that_takes_too_long() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(LONG)

    lifespan = Lifespan(app, "auto", 0.05)
    with pytest.raises(LifespanFailed, match="--lifespan-timeout"):
        await lifespan.startup()


async def test_a_shutdown_that_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(COMPLETE)
        await asyncio.sleep(LONG)

    before = telemetry.counters["server.lifespan_timeout"]
    lifespan = Lifespan(app, "auto", LONG, 0.05)
    await lifespan.startup()
    await lifespan.shutdown()
    assert "--lifespan-shutdown-timeout" in caplog.text
    assert telemetry.counters["server.lifespan_timeout"] == before + 1


async def test_a_failed_shutdown_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    lifespan = Lifespan(speaking(COMPLETE, {"type": "lifespan.shutdown.failed"}), "auto", LONG)
    await lifespan.startup()
    await lifespan.shutdown()
    assert "no reason given" in caplog.text


async def test_an_error_after_startup_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(COMPLETE)
        await receive()
        raise RuntimeError("broken shutdown")

    lifespan = Lifespan(app, "auto", LONG)
    await lifespan.startup()
    await lifespan.shutdown()
    assert "broken shutdown" in caplog.text
    await lifespan.shutdown()
