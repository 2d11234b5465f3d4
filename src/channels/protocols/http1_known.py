"""Header lines seen before: beside its request line a client says the same from request to request.

To read and judge the lines of a head takes several times as long as to look them up. What is kept is the
verdict on a block that an engine has read and :mod:`channels.protocols.http1_head` has judged, byte for byte;
a request line is read each time.

Handshakes of WebSockets differ in their key and their cookies even where all clients are alike. Those two
values are cut out of a block before it is looked up or kept, and read each time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from channels.protocols.events import Headers, RequestReceived
from channels.protocols.websocket_handshake import Handshake, HandshakeRejected, accept_handshake

#: How many blocks are kept, and how many bytes one may have: 1 MiB and what was read from it, at most.
_MAX_BLOCKS = 512
_MAX_BLOCK = 2048

# Narrower than what an engine takes: whatever is unusual about a request line, an engine shall read it.
_plain_line = re.compile(
    rb"(?!CONNECT )([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) (/[\x21\x24-\x7e]*) HTTP/1\.1\r\n"
).match
# As browsers and libraries write them. Narrower than what an engine takes, too.
_KEY_FIELD, _KEY_SIZE = b"\r\nSec-WebSocket-Key: ", 24
_COOKIE_FIELD = b"\r\nCookie: "
_CUT = frozenset({b"sec-websocket-key", b"cookie"})
_is_key = re.compile(rb"[0-9A-Za-z+/]{22}==").fullmatch
_is_cookie = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?").fullmatch


def _cut_out(block: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Cut key and cookies out of the lines of a handshake.

    Returns:
        What is left, the key, and the cookies, b"" if there are none. None: an engine shall read them.
    """
    found = block.find(_KEY_FIELD)
    if found < 0:
        return None
    start = found + len(_KEY_FIELD)
    key, rest = block[start : start + _KEY_SIZE], block[:start] + block[start + _KEY_SIZE :]
    if not _is_key(key):
        return None
    found = rest.find(_COOKIE_FIELD)
    if found < 0:
        return rest, key, b""
    start = found + len(_COOKIE_FIELD)
    end = rest.find(b"\r\n", start)
    cookie = rest[start:end]
    return (rest[:start] + rest[end:], key, cookie) if _is_cookie(cookie) else None


@dataclass(frozen=True, slots=True)
class _KnownHandshake:
    """What the lines of a handshake mean, but for its key and its cookies.

    Attributes:
        headers: the fields; key and cookies are empty.
        key_at: where in them the key stands.
        cookie_at: where the cookies; None if there are none.
        handshake: what is asked for.
    """

    headers: Headers
    key_at: int
    cookie_at: int | None
    handshake: Handshake


class KnownBlocks:
    """The blocks that one engine has read on any connection.

    Only those of HTTP/1.1 requests without a body or an expectation are kept, and of upgrades only the
    handshakes that may open a WebSocket: they mean the same behind every request line in origin form.
    """

    __slots__ = ("_blocks", "_handshakes")

    def __init__(self) -> None:
        self._blocks: dict[bytes, tuple[Headers, bool]] = {}
        self._handshakes: dict[bytes, _KnownHandshake] = {}

    def __len__(self) -> int:
        return len(self._blocks) + len(self._handshakes)

    def find(self, head: bytes, stream_id: int) -> tuple[RequestReceived, bool] | None:
        """Read a head whose lines are known.

        Args:
            head: all of it, with the empty line.
            stream_id: for the event.

        Returns:
            The event, and whether the peer lets the connection live on; None if an engine must read it.
        """
        block = head[head.find(b"\r\n") :]
        known = self._blocks.get(block)
        if known is None:
            return self._find_handshake(head, block, stream_id) if self._handshakes else None
        if (line := _plain_line(head)) is None:
            return None
        headers, persistent = known
        method, target = line.groups()
        # A copy: applications own the headers of their scope.
        return RequestReceived(
            stream_id, method.decode("ascii"), target, headers.copy(), "1.1", True
        ), persistent

    def _find_handshake(
        self, head: bytes, block: bytes, stream_id: int
    ) -> tuple[RequestReceived, bool] | None:
        cut = _cut_out(block)
        known = None if cut is None else self._handshakes.get(cut[0])
        if cut is None or known is None or (line := _plain_line(head)) is None or line[1] != b"GET":
            return None
        headers, (_, key, cookie) = known.headers.copy(), cut
        headers[known.key_at] = (b"sec-websocket-key", key)
        if known.cookie_at is not None:
            headers[known.cookie_at] = (b"cookie", cookie)
        asked = known.handshake
        handshake = Handshake(asked.subprotocols.copy(), key, asked.extensions)
        return RequestReceived(
            stream_id, "GET", line[2], headers, "1.1", True, upgrade=b"websocket", handshake=handshake
        ), True

    def remember(self, head: bytes, event: RequestReceived, persistent: bool) -> None:
        """Keep what was found out about a head, if it holds for others as well."""
        start = head.find(b"\r\n")
        if not event.ended or len(head) - start > _MAX_BLOCK or not _plain_line(head):
            return
        if event.upgrade:
            self._remember_handshake(head[start:], event, persistent)
            return
        _make_room(self._blocks)
        self._blocks[head[start:]] = event.headers.copy(), persistent

    def _remember_handshake(self, block: bytes, event: RequestReceived, persistent: bool) -> None:
        fields = dict(event.headers)
        cut = _cut_out(block) if event.upgrade == b"websocket" and persistent else None
        if cut is None or len(fields) != len(event.headers):
            return
        rest, key, cookie = cut
        try:
            handshake = accept_handshake(event)
        except HandshakeRejected:
            return
        if handshake.key != key or fields.get(b"cookie", b"") != cookie:
            return
        names = [name for name, _ in event.headers]
        cookie_at = names.index(b"cookie") if cookie else None
        shared = [(field[0], b"") if field[0] in _CUT else field for field in event.headers]
        handshake.key = b""
        _make_room(self._handshakes)
        self._handshakes[rest] = _KnownHandshake(
            shared, names.index(b"sec-websocket-key"), cookie_at, handshake
        )


def _make_room(blocks: dict[bytes, Any]) -> None:
    if len(blocks) >= _MAX_BLOCKS:
        blocks.clear()  # who is still here is back after its next request
