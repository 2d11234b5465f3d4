"""The view behind ``api/<method>``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from channels import telemetry
from channels.protocols.centrifuge.codec import ProtocolError
from channels.protocols.centrifuge.codes import ErrorCode
from channels.protocols.centrifuge.json_codec import decode_json
from channels.topics.api import acting, reading, requests
from channels.topics.api.errors import APIError, as_api_error
from channels.topics.api.keys import api_keys, is_authorized
from channels.topics.api.requests import Result
from channels.topics.limits import limits
from channels.topics.payloads import InvalidData
from channels.topics.registry import UnknownTopic
from channels.topics.stores.base import StoreUnavailable

logger = logging.getLogger("channels.topics")

Method = Callable[[Any], Awaitable[Result]]

METHODS: Final[dict[str, tuple[type[Any], Method]]] = {
    "publish": (requests.Publish, acting.publish),
    "broadcast": (requests.Broadcast, acting.broadcast),
    "subscribe": (requests.Subscribe, acting.subscribe),
    "unsubscribe": (requests.Unsubscribe, acting.unsubscribe),
    "disconnect": (requests.Disconnect, acting.disconnect),
    "refresh": (requests.Refresh, acting.refresh),
    "presence": (requests.Channel, reading.presence),
    "presence_stats": (requests.Channel, reading.presence_stats),
    "history": (requests.History, reading.history),
    "history_remove": (requests.Channel, acting.history_remove),
    "channels": (requests.Channels, reading.channels),
    "info": (requests.Info, reading.info),
    "rpc": (requests.RPC, acting.rpc),
}
#: Commands of one batch.
MOST_COMMANDS: Final = 1_000
#: The header by which a caller asks for errors as statuses.
ERROR_MODE: Final = "X-Centrifugo-Error-Mode"


@csrf_exempt
async def api(request: HttpRequest, method: str) -> HttpResponse:
    """Answer one request of another backend."""
    refused = _refusal(request, method)
    if refused is not None:
        return refused
    by_status = request.headers.get(ERROR_MODE, "").lower() == "transport"
    try:
        if method == "batch":
            return _json(await _batch(decode_json(requests.Batch, request.body or b"{}")))
        return _json({"result": await _answer(method, request.body or b"{}")})
    except ProtocolError as error:
        return _words(400, f"This is no request: {error}.")
    except APIError as error:
        return _json(error.content, error.status) if by_status else _json({"error": error.content})


def _refusal(request: HttpRequest, method: str) -> HttpResponse | None:
    """Return the answer to who may not ask, or asks for what there is not; None to all others."""
    refused = None
    if not api_keys():
        refused = _words(404, "The API is off: CHANNELS_TOPICS has no API_KEY.")
    elif not is_authorized(request):
        telemetry.count("topics.api_refused", path=request.path)
        refused = HttpResponse(status=401)
    elif request.method != "POST":
        refused = HttpResponse(status=405, headers={"Allow": "POST"})
    elif method not in METHODS and method != "batch":
        refused = _words(404, f"There is no method {method!r}; there are {', '.join([*METHODS, 'batch'])}.")
    elif _length_of(request) > limits().max_api_request_size:
        refused = HttpResponse(status=413)
    return refused


async def _answer(method: str, body: bytes) -> Result:
    """Return the result of a method.

    Raises:
        APIError: it has none.
        ProtocolError: the body is no JSON, or not of the method's types.
    """
    kind, function = METHODS[method]
    try:
        return await function(decode_json(kind, body))
    except (UnknownTopic, InvalidData) as error:
        raise as_api_error(error) from error
    except (APIError, ProtocolError):
        raise
    except StoreUnavailable as error:
        logger.warning("A request to the API failed, as the store does not answer: %s", error)
        raise APIError(ErrorCode.INTERNAL_SERVER_ERROR) from error
    except Exception as error:
        logger.exception("A request to the API failed: method %s.", method)
        raise APIError(ErrorCode.INTERNAL_SERVER_ERROR) from error


async def _batch(batch: requests.Batch) -> Result:
    """Return the replies to some commands, each by its method's name."""
    if len(batch.commands) > MOST_COMMANDS:
        raise APIError(ErrorCode.BAD_REQUEST, f"a batch has at most {MOST_COMMANDS} commands")
    replies = [_reply(command) for command in batch.commands]
    if batch.parallel:
        return {"replies": await asyncio.gather(*replies)}
    return {"replies": [await reply for reply in replies]}


async def _reply(command: dict[str, msgspec.Raw]) -> Result:
    method = next((name for name in command if name in METHODS), "")
    try:
        if not method:
            raise APIError(ErrorCode.METHOD_NOT_FOUND)
        return {method: await _answer(method, bytes(command[method]))}
    except APIError as error:
        return {"error": error.content}
    except ProtocolError as error:
        return {"error": APIError(ErrorCode.BAD_REQUEST, str(error)).content}


def _length_of(request: HttpRequest) -> int:
    """Return how long the body is, without reading one that says that it is too long."""
    announced = request.headers.get("Content-Length", "")
    return int(announced) if announced.isdecimal() else len(request.body)


def _json(content: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(content), status=status, content_type="application/json")


def _words(status: int, words: str) -> HttpResponse:
    return HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")
