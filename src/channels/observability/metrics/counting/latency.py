"""How long a channel layer takes from one process to another: each tells the others the time, now and then.

The clocks of machines differ, so that between machines it says no more than that messages arrive. In one
machine it is exact.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from typing import Any, Final

from channels.observability.metrics.counting.probes import Observer

logger = logging.getLogger("channels.observability")

#: The group that all processes with metrics are in.
GROUP: Final = "channels.observability.latency"
_TYPE: Final = "channels.observability.time"
#: Seconds between two messages of a process; longer where many processes are heard.
_INTERVAL: Final = 5.0
#: Seconds more for each process that is heard: all of them together send a bounded number.
_FOR_EACH: Final = 0.5


def layers_to_measure() -> dict[str, Any]:
    """Return the channel layers of this process that reach others, by alias; none without settings."""
    from django.core.exceptions import ImproperlyConfigured

    from channels.layers.manager import channel_layers
    from channels.layers.reach import layers_in_memory

    try:
        inside = layers_in_memory()
        return {alias: channel_layers[alias] for alias in channel_layers.configs if alias not in inside}
    except ImproperlyConfigured:
        return {}


class LayerLatency:
    """Sends and times the messages of one process, in the running event loop.

    Args:
        layer: the channel layer.
        alias: its name in the settings, for the label.
        observer: takes how long each message of another process took, in seconds.
        interval: seconds between two messages.
    """

    def __init__(self, layer: Any, alias: str, observer: Observer, interval: float = _INTERVAL) -> None:
        self._layer, self._alias, self._observer, self._interval = layer, alias, observer, interval
        self._name = uuid.uuid4().hex
        self._heard: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name=GROUP)

    def close(self) -> None:
        """Send nothing more; in any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def _run(self) -> None:
        while True:
            try:
                await self._exchange()
            except Exception as error:  # whoever uses the layer logs that it is away
                logger.debug("The latency of layer %s could not be measured: %s", self._alias, error)
                await asyncio.sleep(self._interval)

    async def _exchange(self) -> None:
        channel = await self._layer.new_channel()
        await self._layer.group_add(GROUP, channel)
        sending = asyncio.ensure_future(self._send())
        try:
            while not sending.done():
                self._take(await self._layer.receive(channel))
        finally:
            sending.cancel()
            with contextlib.suppress(Exception):
                await self._layer.group_discard(GROUP, channel)

    async def _send(self) -> None:
        while True:
            await self._layer.group_send(GROUP, {"type": _TYPE, "from": self._name, "at": time.time()})
            now = time.monotonic()
            self._heard = {name: at for name, at in self._heard.items() if now - at < 60.0}
            await asyncio.sleep(max(self._interval, _FOR_EACH * len(self._heard)))

    def _take(self, message: Any) -> None:
        sender = message.get("from")
        if sender is None or sender == self._name:
            return
        self._heard[sender] = time.monotonic()
        seconds = max(0.0, time.time() - message["at"])
        self._observer.observe("layer_latency_seconds", seconds, (self._alias,))
