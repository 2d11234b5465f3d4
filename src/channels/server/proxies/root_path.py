"""``Daphne-Root-Path``: a proxy says under which path it serves this application."""

from __future__ import annotations

import re
from urllib.parse import unquote

from channels.server.proxies.nodes import doubt
from channels.typing import Headers

HEADER = b"daphne-root-path"
# No second slash at the start, which would be a host; nothing that ends a path or cannot be printed.
_is_plain = re.compile(r"/(?![/\\])[^\\?#\x00-\x1f\x7f-\x9f\ufffd]*").fullmatch
_DOTS = frozenset({".", ".."})


def take_out(headers: Headers) -> tuple[Headers, list[bytes]]:
    """Return the headers without the root path, and what was said of it; the same list if it is not there."""
    said = [value for name, value in headers if name == HEADER]
    if not said:
        return headers, []
    return [field for field in headers if field[0] != HEADER], said


def read_root_path(said: list[bytes], *, plain: bool = True) -> str:
    """Understand what a trusted proxy has said; "" and a count for what is no plain path.

    Args:
        said: the values of the header. Two are none: a client may have sent the other one.
        plain: whether it has to be a plain path; only tests have a reason to take any.
    """
    if said in ([], [b""]):
        return ""
    path = unquote(said[0].decode("latin-1"))
    if plain and (len(said) > 1 or not said[0].isascii() or not is_plain_path(path)):
        doubt("root path")
        return ""
    return path


def is_plain_path(path: str) -> bool:
    """Whether a path begins with one slash, goes neither up nor nowhere, and holds nothing but a path."""
    return _is_plain(path) is not None and "//" not in path and _DOTS.isdisjoint(path.split("/"))
