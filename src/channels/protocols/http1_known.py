"""Header lines seen before: beside its request line a client says the same from request to request.

To read and judge the lines of a head takes several times as long as to look them up. What is kept is the
verdict on a block that an engine has read and :mod:`channels.protocols.http1_head` has judged, byte for byte;
a request line is read each time.
"""

from __future__ import annotations

import re

from channels.protocols.events import Headers, RequestReceived

#: How many blocks are kept, and how many bytes one may have: 1 MiB and what was read from it, at most.
_MAX_BLOCKS = 512
_MAX_BLOCK = 2048

# Narrower than what an engine takes: whatever is unusual about a request line, an engine shall read it.
_plain_line = re.compile(
    rb"(?!CONNECT )([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) (/[\x21\x24-\x7e]*) HTTP/1\.1\r\n"
).match


class KnownBlocks:
    """The blocks that one engine has read on any connection.

    Only those of HTTP/1.1 requests without a body, an expectation or an upgrade are kept: they mean the same
    behind every request line in origin form.
    """

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[bytes, tuple[Headers, bool]] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    def find(self, head: bytes, stream_id: int) -> tuple[RequestReceived, bool] | None:
        """Read a head whose lines are known.

        Args:
            head: all of it, with the empty line.
            stream_id: for the event.

        Returns:
            The event, and whether the peer lets the connection live on; None if an engine must read it.
        """
        known = self._blocks.get(head[head.find(b"\r\n") :])
        if known is None or (line := _plain_line(head)) is None:
            return None
        headers, persistent = known
        method, target = line.groups()
        # A copy: applications own the headers of their scope.
        return RequestReceived(
            stream_id, method.decode("ascii"), target, headers.copy(), "1.1", True
        ), persistent

    def remember(self, head: bytes, event: RequestReceived, persistent: bool) -> None:
        """Keep what was found out about a head, if it holds for others as well."""
        start = head.find(b"\r\n")
        if not event.ended or event.upgrade or len(head) - start > _MAX_BLOCK or not _plain_line(head):
            return
        if len(self._blocks) >= _MAX_BLOCKS:
            self._blocks.clear()  # who is still here is back after its next request
        self._blocks[head[start:]] = event.headers.copy(), persistent
