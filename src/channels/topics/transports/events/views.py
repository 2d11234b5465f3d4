"""The view behind ``sse/``: topics by a plain event stream."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from channels.protocols.centrifuge.codes import ErrorCode
from channels.topics.limits import limits
from channels.topics.session.errors import CommandFailed, Disconnected
from channels.topics.stores.base import StoreUnavailable
from channels.topics.transports.events.positions import read_identifier
from channels.topics.transports.events.stream import EventStream
from channels.topics.transports.requests import bearer_of, from_pages_of, scope_of
from channels.topics.transports.views import streamed

#: How a request is answered whose topics cannot be had; others are mistakes of the request.
_STATUS: Final[dict[int, int]] = {
    ErrorCode.UNKNOWN_CHANNEL: 404,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.INTERNAL_SERVER_ERROR: 503,
}


@from_pages_of("GET")
async def events(request: HttpRequest) -> HttpResponseBase:
    """Serve topics by an event stream: ``sse/?topic=room:lobby&topic=news``.

    A client goes on where ``Last-Event-ID`` says, or the parameter ``last_event_id``. The polyfill of
    EventSource has a parameter of its own in place of the header.
    """
    names = list(dict.fromkeys(request.GET.getlist("topic")))
    if not names or not all(names):
        return refusal(400, "Say which topics: ?topic=room:lobby, once for each.")
    if len(names) > limits().max_subscriptions:
        return refusal(400, f"These are {len(names)} topics; a stream has {limits().max_subscriptions}.")
    last = last_identifier(request)
    positions = read_identifier(last, len(names)) if last else None
    stream = EventStream(await scope_of(request), request, names, positions)
    try:
        await stream.open(bearer_of(request), resumes=bool(last))
    except (CommandFailed, Disconnected, StoreUnavailable) as error:
        stream.abandon()
        return _answer_to(error)
    except BaseException:
        stream.abandon()
        raise
    return streamed(stream.body(), "text/event-stream; charset=utf-8")


def last_identifier(request: HttpRequest) -> str:
    """Return the id that a client names: when it comes back rather than when its page began."""
    said = request.headers.get("Last-Event-ID") or request.GET.get("lastEventId")
    return said or request.GET.get("last_event_id", "")


def refusal(status: int, words: str) -> HttpResponse:
    """Return an answer that says why there is no stream."""
    return HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")


def _answer_to(error: CommandFailed | Disconnected | StoreUnavailable) -> HttpResponse:
    if isinstance(error, CommandFailed):
        return refusal(_STATUS.get(error.error.code, 400), f"No stream: {error.error.message}.")
    if isinstance(error, Disconnected):
        return refusal(403, f"No stream: {error.reason}.")
    response = refusal(503, "Topics are not available at the moment.")
    response["Retry-After"] = "2"
    return response
