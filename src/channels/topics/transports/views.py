"""The views behind Centrifugo's paths for event streams, streamed responses and their way up."""

from __future__ import annotations

from collections.abc import AsyncIterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from channels.protocols.centrifuge.codec import ProtocolError
from channels.protocols.centrifuge.framing import codec_for, decode_emulation
from channels.topics.control import EmulatedFrame, abroadcast
from channels.topics.delivery.frames import Framing
from channels.topics.delivery.hub import running_hub
from channels.topics.transports import one_way
from channels.topics.transports.requests import from_pages_of, scope_of, takes_a_message
from channels.topics.transports.stream import EVENTS, LENGTHS, LINES, serve_stream

#: Proxies are to pass on what they get, at once.
#: What compresses on the way leaves alone what says how it is coded. Django's GZipMiddleware makes each
#: chunk a gzip file of its own, of which browsers read the first (5.2), or holds all until the end (6.0).
STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}


@from_pages_of("GET", "POST")
@takes_a_message
async def sse(request: HttpRequest, first: bytes) -> HttpResponseBase:
    """Serve a client by an event stream: ``/connection/sse``."""
    if not first:
        return HttpResponse("The connect command is missing: cf_connect.", status=400)
    body = serve_stream(await scope_of(request), EVENTS, first, b"\r\n")
    return streamed(body, "text/event-stream; charset=utf-8")


@from_pages_of("POST")
@takes_a_message
async def http_stream(request: HttpRequest, first: bytes) -> HttpResponseBase:
    """Serve a client by a streamed response: ``/connection/http_stream``."""
    binary = codec_for(request.headers.get("Content-Type", "")).binary
    framing, kind = (LENGTHS, "application/octet-stream") if binary else (LINES, "application/json")
    return streamed(serve_stream(await scope_of(request), framing, first, b""), kind)


@from_pages_of("POST")
@takes_a_message
async def emulation(request: HttpRequest, sent: bytes) -> HttpResponseBase:
    """Take commands for a session that is served by a stream, in this process or another: ``/emulation``."""
    try:
        wanted = decode_emulation(sent, request.headers.get("Content-Type", ""))
    except ProtocolError as error:
        return HttpResponse(f"This is no emulation request: {error}.", status=400)
    hub, frame = running_hub(), bytes(wanted.data)
    if wanted.node == hub.node:
        upstream = hub.upstreams.get(wanted.session)
        if upstream is not None:
            upstream(frame)
    else:
        await abroadcast(EmulatedFrame(wanted.node, wanted.session, frame))
    return HttpResponse(status=204)


@from_pages_of("GET", "POST")
@takes_a_message
async def uni_sse(request: HttpRequest, wanted: bytes) -> HttpResponseBase:
    """Serve a client that only listens by an event stream: ``/connection/uni_sse``."""
    return await _one_way(request, one_way.EVENTS, wanted, b"\n", "text/event-stream; charset=utf-8")


@from_pages_of("POST")
@takes_a_message
async def uni_http_stream(request: HttpRequest, wanted: bytes) -> HttpResponseBase:
    """Serve a client that only listens by a streamed response: ``/connection/uni_http_stream``."""
    return await _one_way(request, one_way.LINES, wanted, b"", "application/json")


async def _one_way(
    request: HttpRequest, framing: Framing, wanted: bytes, head: bytes, content_type: str
) -> HttpResponseBase:
    try:
        connect = one_way.read_request(wanted)
    except ProtocolError as error:
        return HttpResponse(f"This is no connect request: {error}.", status=400)
    scope = await scope_of(request)
    return streamed(one_way.serve_one_way(scope, framing, connect, head), content_type)


def streamed(body: AsyncIterator[bytes], content_type: str) -> StreamingHttpResponse:
    """Return a response that ends when the session does."""
    return StreamingHttpResponse(body, content_type=content_type, headers=STREAM_HEADERS)
