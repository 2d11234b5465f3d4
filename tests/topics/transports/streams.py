"""A reader of event streams and of lines that knows nothing of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp

TIMEOUT = 10.0


class Event(NamedTuple):
    event: str
    data: str
    id: str
    retry: str


class Reader:
    """The body of one response, event by event or line by line."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""

    async def event(self) -> Event:
        """The next event that has data or a name; ids on the way are kept as a browser keeps them."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(TIMEOUT):
            while True:
                line = (await self._line()).decode()
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = f"{fields[name]}\n{value}" if name == "data" in fields else value
                    continue
                self.last_id = fields.get("id", self.last_id)
                if "data" in fields or "event" in fields:
                    return Event(
                        fields.get("event", ""), fields.get("data", ""), self.last_id, fields.get("retry", "")
                    )
                fields = {}

    async def named(self, name: str) -> Event:
        """The next event with this name; the ones before it are left out."""
        while (event := await self.event()).event != name:
            pass
        return event

    async def line(self) -> bytes:
        async with asyncio.timeout(TIMEOUT):
            return await self._line()

    async def comment(self) -> None:
        """Wait for a comment between events."""
        async with asyncio.timeout(TIMEOUT):
            while not (await self._line()).startswith(b":"):
                pass

    async def end(self) -> None:
        """Wait for the end of the body; raises aiohttp.ClientPayloadError if it was cut off."""
        async with asyncio.timeout(TIMEOUT):
            while await self.response.content.readany():
                pass

    async def _line(self) -> bytes:
        line = await self.response.content.readuntil(b"\n")
        assert line.endswith(b"\n"), line or "the stream has ended"
        return line[:-1]


@asynccontextmanager
async def opened(url: str, method: str = "GET", **options: Any) -> AsyncIterator[Reader]:
    """Open a stream; its response is the reader's, whatever the status."""
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:
        yield Reader(response)
