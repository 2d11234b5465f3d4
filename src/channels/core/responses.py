"""What a handler has to know of a Django response: its headers, the path of its file, its ``close()``."""

from __future__ import annotations

import io
import os
from typing import Any

from django.core.files import File
from django.http import FileResponse, HttpResponseBase

from channels.typing import Scope


def has_own_close(response: Any) -> bool:
    """Whether ``close()`` of a response is overridden, in its class or on the object."""
    return type(response).close is not HttpResponseBase.close or "close" in vars(response)


def headers_of(response: Any) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response with its cookies, as ASGI wants them."""
    headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    for cookie in response.cookies.values():
        headers.append((b"Set-Cookie", cookie.output(header="").encode("ascii").strip()))
    return headers


def path_to_send(response: Any, scope: Scope) -> str | None:
    """Return the path for ASGI's ``http.response.pathsend``.

    Args:
        response: a streaming response.
        scope: of the request; says whether the server reads files itself.

    Returns:
        None if the server does not, or the response is not the whole of one file on disk.
    """
    if "http.response.pathsend" not in (scope.get("extensions") or {}):
        return None
    file: Any = getattr(response, "file_to_stream", None)
    if not _is_plain(file) or not _streams_its_file(response):
        return None
    name = file.name
    return name if isinstance(name, str) and os.path.isabs(name) and _is_whole(file) else None


#: Files whose bytes are those on disk, if no method of the object was replaced.
_PLAIN = frozenset({io.FileIO, io.BufferedReader, io.BufferedRandom})
#: What of a FileResponse decides what is sent.
_STREAMING = ("__iter__", "_set_streaming_content", "streaming_content")


def _is_plain(file: Any) -> bool:
    """Whether reading ``file`` gives what is stored: it is of a type that is known, and what it wraps too."""
    if type(file) is File:
        return "read" not in vars(file) and _is_plain(file.file)
    if type(file) not in _PLAIN or vars(file).keys() & {"read", "fileno", "tell"}:
        return False
    return type(file) is io.FileIO or _is_plain(file.raw)


def _streams_its_file(response: Any) -> bool:
    """Whether a FileResponse is sent as Django sends it."""
    own = type(response)
    return all(getattr(own, name) is getattr(FileResponse, name) for name in _STREAMING)


def _is_whole(file: Any) -> bool:
    """Whether ``file`` is open on disk under its name, and would be read from its beginning."""
    try:
        return file.tell() == 0 and os.path.samestat(os.fstat(file.fileno()), os.stat(file.name))
    except (AttributeError, OSError, ValueError):
        return False
