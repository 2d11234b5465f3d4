"""Streams are not compressed on the way: a browser would read the first chunk of each, and no more."""

import json
from typing import Any

import aiohttp
import pytest

from tests.topics.topics_for_tests import Room
from tests.topics.transports.streams import Reader

LOBBY = str(Room(name="lobby"))
CONNECT = json.dumps({"id": 1, "connect": {}})
SUBS = json.dumps({"subs": {LOBBY: {}}})
STREAMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "events": ("GET", "/sse/", {"params": {"topic": LOBBY}}),
    "sse": ("GET", "/connection/sse", {"params": {"cf_connect": CONNECT}}),
    "http_stream": ("POST", "/connection/http_stream", {"data": CONNECT}),
    "uni_sse": ("GET", "/connection/uni_sse", {"params": {"cf_connect": SUBS}}),
    "uni_http_stream": ("POST", "/connection/uni_http_stream", {"data": SUBS}),
}


@pytest.fixture(autouse=True)
def compressing(settings: Any) -> None:
    settings.MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware"]


@pytest.mark.parametrize("name", STREAMS)
async def test_a_project_that_compresses_its_pages_streams_in_plain_text(address: str, name: str) -> None:
    method, path, options = STREAMS[name]
    headers = {"Accept-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(method, address + path, headers=headers, **options) as response,
    ):
        assert (response.status, response.headers["Content-Encoding"]) == (200, "identity")
        line = await Reader(response).line()
        while not line.strip():
            line = await Reader(response).line()
        assert b":" in line
