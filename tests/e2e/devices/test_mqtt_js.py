"""npm's ``mqtt`` in Chromium, over a WebSocket: the client that pages and dashboards use."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from django.urls import path
from selenium.webdriver import Chrome

from channels.mqtt.application import MQTTBroker
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.topics import ahistory
from tests.e2e.example import VENDOR, until
from tests.mqtt.topics_for_tests import DeviceBytes, DeviceLog, DeviceState
from tests.server.helpers import serve
from tests.support.browser import chromium
from tests.support.programs import require

HERE = Path(__file__).parent
FILES = {
    "/": (HERE / "page.html", b"text/html"),
    "/mqtt.min.js": (HERE / "vendor/mqtt.min.js", b"text/javascript"),
}


async def files(scope: Any, receive: Any, send: Any) -> None:
    """Serve the page and what it loads."""
    file, kind = FILES[scope["path"]]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": file.read_bytes()})


@asynccontextmanager
async def served_page() -> AsyncIterator[str]:
    """Serve a broker over WebSockets, and the page; gives its address."""
    require("npm")
    await asyncio.to_thread(subprocess.run, [sys.executable, VENDOR, str(HERE)], check=True)
    router = ProtocolTypeRouter({"http": files, "websocket": URLRouter([path("mqtt", MQTTBroker())])})
    async with serve(router) as running:
        yield f"http://127.0.0.1:{running.server.addresses[0][1]}/"


class Page:
    """A window with the page. Its driver blocks, so that each step runs in a thread."""

    def __init__(self, window: Chrome) -> None:
        self.window = window

    async def settled(self, promise: str) -> Any:
        """Return what a promise of the page gives."""
        script = f"settle({promise}, arguments[arguments.length - 1])"
        return await asyncio.to_thread(self.window.execute_async_script, script)

    async def run(self, script: str) -> Any:
        return await asyncio.to_thread(self.window.execute_script, script)

    async def until(self, script: str) -> None:
        await asyncio.to_thread(until, self.window, script)

    async def messages(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many messages, and take them."""
        await self.until(f"got.length >= {count}")
        taken = await self.run("return got.splice(0)")
        assert isinstance(taken, list)
        return taken


@pytest.mark.browser
@pytest.mark.timeout(120)
async def test_npm_mqtt_in_a_browser(tmp_path: Path) -> None:
    async with served_page() as address:
        open_window = chromium(tmp_path / "profile")
        window = await asyncio.to_thread(open_window.__enter__)
        try:
            window.set_script_timeout(30)
            for version in (4, 5):
                await asyncio.to_thread(window.get, address)
                await speak(Page(window), version)
        finally:
            await asyncio.to_thread(open_window.__exit__, None, None, None)


async def speak(page: Page, version: int) -> None:
    """Connect, subscribe, publish in both directions with each QoS, lose the connection and come back."""
    await page.run(f"start({version}, 'page-{version}')")
    await page.until("connects.length === 1")
    granted = await page.settled("client.subscribeAsync('devices/+/bytes', { qos: 2 })")
    assert [each["qos"] for each in granted] == [2]

    # From the page, and back to it; the promise ends with PUBACK or PUBCOMP.
    for qos in range(3):
        sent = await page.settled(
            f"client.publishAsync('devices/{version}/bytes', 'own {qos}', {{ qos: {qos} }})"
        )
        assert not isinstance(sent, str), sent
    assert [(each["payload"], each["qos"]) for each in await page.messages(3)] == [
        (f"own {qos}", qos) for qos in range(3)
    ]
    # From Django, with what was granted.
    told = [
        (DeviceState(id=f"{version}0"), 0, {"on": True}),
        (DeviceState(id=f"{version}1"), 1, {"on": True}),
        (DeviceBytes(id="2"), 2, b"on"),
    ]
    wanted = ", ".join(f"'{topic}': {{ qos: {qos} }}" for topic, qos, _ in told)
    await page.settled(f"client.subscribeAsync({{ {wanted} }})")
    for topic, _, data in told:
        await topic.apublish(data)
    got = [(each["topic"], each["qos"]) for each in await page.messages(3)]
    assert sorted(got) == sorted((str(topic), qos) for topic, qos, _ in told)
    # What was acknowledged is in the history.
    await page.settled(f"client.publishAsync('devices/{version}/bytes1', 'kept', {{ qos: 1 }})")
    entries = (await ahistory(DeviceLog(id=str(version)))).entries
    assert [entry.data for entry in entries] == [b"kept"]

    # The network is lost: the client comes back by itself, to its session.
    await page.run("client.stream.destroy()")
    await page.until("connects.length === 2")
    assert await page.run("return connects") == [False, True]
    await DeviceBytes(id="2").apublish(b"again")
    assert [(each["payload"], each["qos"]) for each in await page.messages(1)] == [("again", 2)]
    await page.settled("client.endAsync()")
