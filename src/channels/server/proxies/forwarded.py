"""``Forwarded`` (RFC 7239), read from its end.

Each proxy appends an element to what it was sent, and what it was sent may be anything. So the last element
is read first, and nothing beyond the first address that is no proxy's: a quotation mark that a client has
left open must not swallow what our own proxy wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from channels.protocols.http.abnf import TCHAR
from channels.typing import ASGIApp, Receive, Scope, Send

# A pair and what separates it from the one before, both back to front. Before a quotation mark inside of a
# quoted string there is a backslash, before the one that opens it "=": that tells them apart from here, too.
_CHARACTER = TCHAR.decode("ascii")
_pair_backwards = re.compile(
    rf'[ \t]*(?:("(?:[^"]|"\\)*"(?==)|(?:{_CHARACTER}|[\[\]:])*)=({_CHARACTER}+))?[ \t]*([;,]|$)'
).match
_ESCAPED = re.compile(r"\\(.)")
_REFUSAL = b"The Forwarded header is malformed."
_HEADERS = [(b"content-type", b"text/plain; charset=utf-8")]


class MalformedForwarded(ValueError):
    """The part of the header that a trusted proxy wrote cannot be understood."""


def elements_from_end(lines: Sequence[str]) -> Iterator[dict[str, str]]:
    """Read the elements of all lines, the last one first: parameters by their lowercased names.

    Empty elements are passed over.

    Raises:
        MalformedForwarded: when the element that cannot be read is reached.
    """
    text, at = ",".join(lines)[::-1], 0
    element: dict[str, str] = {}
    while at < len(text):
        pair = _pair_backwards(text, at)
        if pair is None:
            raise MalformedForwarded
        value, name, border = pair.groups()
        if name is not None:
            _keep(element, name[::-1].lower(), value[::-1])
        if border != ";" and element:
            yield element
            element = {}
        at = pair.end()


def _keep(element: dict[str, str], name: str, value: str) -> None:
    if name in element:  # RFC 7239 section 4: once in each element
        raise MalformedForwarded
    element[name] = _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


class ForwardedGuard:
    """An application in front of the application: a request whose ``Forwarded`` is malformed is answered 400.

    Args:
        app: answers everything else.
        is_malformed: judges the scope of a request.
    """

    def __init__(self, app: ASGIApp, is_malformed: Callable[[Scope], bool]) -> None:
        self._app = app
        self._is_malformed = is_malformed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "tcp" or not self._is_malformed(scope):
            await self._app(scope, receive, send)
            return
        kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
        await send({"type": f"{kind}.start", "status": 400, "headers": _HEADERS})
        await send({"type": f"{kind}.body", "body": _REFUSAL})
