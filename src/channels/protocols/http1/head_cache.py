"""Header lines seen before: beside its request line a client says the same from request to request.

To read and judge the lines of a head takes several times as long as to look them up. What is kept is the
verdict on a block that an engine has read and :mod:`channels.protocols.http.semantics` has judged, byte for
byte; a request line is read each time.

Of clients that are alike each has its own cookies or token, a handshake of a WebSocket its own key, and a
body its own length. These values are cut out of a block before it is looked up or kept, and read each time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.core.bounded_cache import BoundedCache
from channels.protocols.events import Handshake, Headers, RequestReceived
from channels.protocols.http.abnf import TCHAR, is_token_text
from channels.protocols.http.upgrade import HandshakeRejected, accept_handshake

#: How many blocks are kept, and how many bytes one may have: 1 MiB and what was read from it, at most.
_MAX_BLOCKS = 512
_MAX_BLOCK = 2048

# Narrower than what an engine takes: whatever is unusual about a request line, an engine shall read it.
_plain_line = re.compile(rb"(?!CONNECT )(" + TCHAR + rb"{1,32}) (/[\x21\x24-\x7e]*) HTTP/1\.1\r\n").match
_is_key = re.compile(rb"[0-9A-Za-z+/]{22}==").fullmatch
_is_secret = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?").fullmatch
_is_length = re.compile(rb"0|[1-9][0-9]{0,14}").fullmatch
#: What is cut out: the field, how browsers and libraries write it, and what its value may be. Narrower than
#: what an engine takes, too.
_PERSONAL = (
    (b"sec-websocket-key", b"\r\nSec-WebSocket-Key: ", _is_key),
    (b"cookie", b"\r\nCookie: ", _is_secret),
    (b"authorization", b"\r\nAuthorization: ", _is_secret),
    (b"content-length", b"\r\nContent-Length: ", _is_length),
)
_KEY, _LENGTH = 0, 3
#: Beside a length they mean something else where it is 0.
_MEANT_FOR_BODIES = frozenset({b"expect", b"transfer-encoding", b"upgrade"})
#: Characters of a subprotocol; what is longer, or could not be one, is somebody's secret.
_MAX_SUBPROTOCOL = 32
_NAMES = frozenset(name for name, _, _ in _PERSONAL)


def _cut_out(block: bytes) -> tuple[bytes, list[bytes]] | None:
    """Cut what is personal out of the lines of a head.

    Returns:
        What is left, and the values in the order of the table, b"" for what is not there. None: nothing is
        there, or an engine shall read it.
    """
    values = []
    for _, field, is_plain in _PERSONAL:
        value = b""
        found = block.find(field)
        if found >= 0:
            start = found + len(field)
            end = block.find(b"\r\n", start)
            value, block = block[start:end], block[:start] + block[end:]
            if not is_plain(value):
                return None
        values.append(value)
    return (block, values) if any(values) else None


@dataclass(frozen=True, slots=True)
class _Known:
    """What the lines of a head mean, but for what is personal.

    Attributes:
        headers: the fields; the values of personal ones are empty.
        names: their names.
        persistent: whether the peer lets the connection live on.
        places: of each personal field its name, and where it stands: in the headers, and in the table.
        handshake: what is asked for, if it may open a WebSocket.
    """

    headers: Headers
    names: frozenset[bytes]
    persistent: bool
    places: tuple[tuple[bytes, int, int], ...]
    handshake: Handshake | None


class HeadCache:
    """The blocks that one engine has read on any connection.

    Only those of HTTP/1.1 requests are kept that say the length of a body or have none, and of upgrades only
    the handshakes that may open a WebSocket: they mean the same behind every request line in origin form,
    a handshake behind every GET.
    """

    __slots__ = ("_blocks", "_cut")

    def __init__(self) -> None:
        self._blocks: BoundedCache[bytes, tuple[Headers, frozenset[bytes], bool]] = BoundedCache(
            "protocols.http1_heads", _MAX_BLOCKS
        )
        self._cut: BoundedCache[bytes, _Known] = BoundedCache("protocols.http1_personal_heads", _MAX_BLOCKS)

    def __len__(self) -> int:
        return len(self._blocks) + len(self._cut)

    def find(self, head: bytes, stream_id: int) -> tuple[RequestReceived, int, bool] | None:
        """Read a head whose lines are known.

        Args:
            head: all of it, with the empty line.
            stream_id: for the event.

        Returns:
            The event, the length of its body in bytes, and whether the peer lets the connection live on; None
            if an engine must read it.
        """
        block = head[head.find(b"\r\n") :]
        known = self._blocks.get(block)
        if known is None:
            return self._find_cut(head, block, stream_id) if self._cut else None
        if (line := _plain_line(head)) is None:
            return None
        headers, names, persistent = known
        method, target = line.groups()
        # A copy: applications own the headers of their scope.
        event = RequestReceived(stream_id, method.decode("ascii"), target, headers.copy(), "1.1", True)
        event.names = names  # by keyword it would cost several times as much
        return event, 0, persistent

    def _find_cut(
        self, head: bytes, block: bytes, stream_id: int
    ) -> tuple[RequestReceived, int, bool] | None:
        cut = _cut_out(block)
        known = None if cut is None else self._cut.get(cut[0])
        if cut is None or known is None or (line := _plain_line(head)) is None:
            return None
        values, headers = cut[1], known.headers.copy()
        for name, at, number in known.places:
            headers[at] = (name, values[number])
        method, target = line.groups()
        length = int(values[_LENGTH] or 0)
        event = RequestReceived(stream_id, method.decode("ascii"), target, headers, "1.1", not length)
        event.names = known.names
        asked = known.handshake
        if asked is not None:
            if method != b"GET":
                return None
            event.upgrade = b"websocket"
            event.handshake = Handshake(asked.subprotocols.copy(), values[_KEY], asked.extensions)
        return event, length, known.persistent

    def remember(self, head: bytes, event: RequestReceived, persistent: bool) -> None:
        """Keep what was found out about a head, if it holds for others as well."""
        start = head.find(b"\r\n")
        if len(head) - start > _MAX_BLOCK or not _plain_line(head):
            return
        fields = dict(event.headers)
        if b"content-length" not in fields:
            if not event.ended:
                return
        elif not _MEANT_FOR_BODIES.isdisjoint(fields):
            return
        if event.upgrade or not _NAMES.isdisjoint(fields):
            if len(fields) == len(event.headers):
                self._remember_cut(head[start:], event, fields, persistent)
        else:
            self._blocks.keep(head[start:], (event.headers.copy(), frozenset(fields), persistent))

    def _remember_cut(
        self, block: bytes, event: RequestReceived, fields: dict[bytes, bytes], persistent: bool
    ) -> None:
        cut, handshake = _cut_out(block), _handshake(event)
        if cut is None or (handshake is None) != (not event.upgrade):
            return
        rest, values = cut
        if [fields.get(name, b"") for name, _, _ in _PERSONAL] != values:
            return
        at = {name: number for number, name in enumerate(fields)}
        places = [(name, at[name], number) for number, (name, _, _) in enumerate(_PERSONAL) if name in at]
        headers = [(field[0], b"") if field[0] in _NAMES else field for field in event.headers]
        self._cut.keep(rest, _Known(headers, frozenset(fields), persistent, tuple(places), handshake))


def _handshake(event: RequestReceived) -> Handshake | None:
    """What a handshake asks for, without its key; None if it opens nothing, or only one client says it."""
    try:
        handshake = accept_handshake(event)
    except HandshakeRejected:
        return None
    offered = handshake.subprotocols
    if any(len(name) > _MAX_SUBPROTOCOL or not is_token_text(name) for name in offered):
        return None
    return handshake._replace(key=b"")
