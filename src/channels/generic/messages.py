"""The ASGI messages that generic consumers send and the meaning of those they get.

Pure functions: the sync and the async consumers are shells over the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from channels.exceptions import InvalidChannelLayerError
from channels.typing import Message


def accept(subprotocol: str | None, headers: Iterable[Any] | None) -> Message:
    """Return the message that accepts a WebSocket; it has ``headers`` only if there are any."""
    message: Message = {"type": "websocket.accept", "subprotocol": subprotocol}
    if pairs := list(headers or ()):
        message["headers"] = pairs
    return message


def binary_frame(bytes_data: bytes | None) -> Message:
    """Return the message that sends one binary message, where there is no text to be sent.

    Raises:
        ValueError: there are no bytes either.
    """
    if bytes_data is not None:
        return {"type": "websocket.send", "bytes": bytes_data}
    raise ValueError("You must pass one of bytes_data or text_data, both are None.")


def close(code: int | bool | None, reason: str | None) -> Message:
    """Return the message that closes a WebSocket; True asks for a close without a code."""
    message: Message = {"type": "websocket.close"}
    if code is not None and code is not True:
        message["code"] = code
    if reason:
        message["reason"] = reason
    return message


def json_text(text_data: str | None) -> str:
    """Return the text of a frame that should hold JSON.

    Raises:
        ValueError: it has no text.
    """
    if not text_data:
        raise ValueError(
            "No text section for incoming WebSocket frame! JSON consumers take text frames only."
        )
    return text_data


def own_groups(consumer: Any) -> None:
    """Give a consumer whose class names no groups a list of its own.

    The class is asked, because ``groups`` may be a property that needs the scope.
    """
    if type(consumer).groups is None and consumer.groups is None:
        consumer.groups = []


def require_groups(consumer: Any) -> None:
    """Raise InvalidChannelLayerError if ``groups`` is used with a layer that has none."""
    if consumer.groups and not hasattr(consumer.channel_layer, "group_add"):
        raise InvalidChannelLayerError(
            "BACKEND is unconfigured or doesn't support groups: "
            f"{type(consumer).__name__}.groups is {list(consumer.groups)!r}, so set CHANNEL_LAYERS"
            f"[{consumer.channel_layer_alias!r}] to a layer with groups."
        )


def header_pairs(headers: Mapping[Any, Any] | Iterable[Any] | None) -> list[Any]:
    """Return response headers as a list of pairs, from a mapping or any iterable of pairs."""
    if isinstance(headers, Mapping):
        return list(headers.items())
    return list(headers or ())


def no_handle(base: str, consumer: type, keyword: str) -> str:
    """Say that a consumer of HTTP lacks its one method."""
    return (
        f"Subclasses of {base} must provide a handle() method: add "
        f"{keyword} handle(self, body) to {consumer.__name__}."
    )


def response_start(status: int, headers: Mapping[Any, Any] | Iterable[Any] | None) -> Message:
    """Return the message that starts an HTTP response."""
    return {"type": "http.response.start", "status": status, "headers": header_pairs(headers)}


def response_body(body: bytes, more_body: bool) -> Message:
    """Return the message that sends a part of an HTTP response's body.

    Raises:
        AssertionError: the body is not bytes.
    """
    if not isinstance(body, bytes):
        raise AssertionError(f"Body is not bytes but {type(body).__name__}; encode it first.")
    return {"type": "http.response.body", "body": body, "more_body": more_body}
