"""Files as parts of response bodies: what an application names, and how it is read.

See the ASGI extensions "Path Send" and "Zero Copy Send".
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from channels.typing import Message

#: How much is read at a time, in bytes; a file that is not larger is not worth a system call of its own.
PIECE = 65_536
#: Reads what is in memory and nothing else, so that the loop does not wait for a disk (Linux only).
_NOWAIT = getattr(os, "RWF_NOWAIT", None)
#: How files are opened, with what a system has of it: without waiting, not inherited, as they are.
_OPEN = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _OPEN |= getattr(os, _name, 0)


class BodySink(Protocol):
    """What takes the parts of a response body, as fast as its peer reads them."""

    @property
    def congested(self) -> bool:
        """Whether senders should wait: the peer does not read fast enough."""
        ...

    @property
    def gone(self) -> bool:
        """Whether nothing that is sent reaches anybody any more."""
        ...

    async def wait_writable(self) -> None:
        """Wait until it is not congested any more, or the peer is gone."""
        ...

    def send_body(self, data: bytes) -> None:
        """Send a part of the body that is not the last."""
        ...


@dataclass(slots=True)
class FilePart:
    """Bytes of an open file.

    Attributes:
        fileno: its descriptor.
        offset: where they begin.
        count: how many there are.
    """

    fileno: int
    offset: int
    count: int

    def advance(self, size: int) -> None:
        """Go on behind the first ``size`` bytes.

        Raises:
            OSError: there are none, as the file has become shorter.
        """
        if not size:
            raise OSError(f"The file ended {self.count} bytes early: it became shorter while it was sent.")
        self.offset += size
        self.count -= size


def opened(message: Message) -> contextlib.AbstractContextManager[FilePart]:
    """Open the file that a message names, or take the one that it brings, for as long as it is sent.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no regular file, its path is not absolute, or offset or count are out of range.
        TypeError: something is of the wrong type.
    """
    return FILES[message["type"]](message)


@contextlib.contextmanager
def _by_path(message: Message) -> Iterator[FilePart]:
    path = message.get("path")
    if not isinstance(path, str):
        raise TypeError(f"'path' of http.response.pathsend is a str, got {path!r}.")
    if not os.path.isabs(path):
        raise ValueError(
            f"'path' of http.response.pathsend is absolute, got {path!r}. Use os.path.abspath()."
        )
    # Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
    fileno = os.open(path, _OPEN)
    try:
        yield FilePart(fileno, 0, _size(fileno, path))
    finally:
        os.close(fileno)


@contextlib.contextmanager
def _by_descriptor(message: Message) -> Iterator[FilePart]:
    fileno = _descriptor(message.get("file"))
    size = _size(fileno, message.get("file"))
    offset = _number(message, "offset")
    start = os.lseek(fileno, 0, os.SEEK_CUR) if offset is None else offset
    count, left = _number(message, "count"), max(0, size - start)
    part = FilePart(fileno, start, left if count is None else min(count, left))
    yield part
    if offset is None:
        os.lseek(fileno, part.offset, os.SEEK_SET)  # as reading it would have moved it


#: The types of messages that name a file.
FILES: dict[str, Callable[[Message], contextlib.AbstractContextManager[FilePart]]] = {
    "http.response.pathsend": _by_path,
    "http.response.zerocopysend": _by_descriptor,
}


def _descriptor(file: Any) -> int:
    fileno = file if isinstance(file, int) else getattr(file, "fileno", None)
    if callable(fileno):
        fileno = fileno()
    if not isinstance(fileno, int) or isinstance(fileno, bool):
        raise TypeError(f"'file' of http.response.zerocopysend is an open file, got {file!r}.")
    return fileno


def _size(fileno: int, name: Any) -> int:
    found = os.fstat(fileno)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"Only regular files can be sent, and {name!r} is none.")
    return found.st_size


def _number(message: Message, key: str) -> int | None:
    value = message.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(f"{key!r} of http.response.zerocopysend is a number of bytes, got {value!r}.")
    if value is not None and value < 0:
        raise ValueError(f"{key!r} of http.response.zerocopysend is 0 or more, got {value}.")
    return value


async def pump(sink: BodySink, part: FilePart) -> None:
    """Read a file and send it, one piece at a time, as fast as the peer takes them.

    Raises:
        OSError: the file cannot be read, or has become shorter.
        ValueError: it is more than the Content-Length promised.
    """
    while part.count and not sink.gone:
        data = await _read(part)
        part.advance(len(data))
        sink.send_body(data)
        if sink.congested:
            await sink.wait_writable()


async def _read(part: FilePart) -> bytes:
    size = min(part.count, PIECE)
    if _NOWAIT is not None:
        buffer = bytearray(size)
        with contextlib.suppress(OSError):  # not in memory, or a file system that cannot tell
            return bytes(memoryview(buffer)[: os.preadv(part.fileno, [buffer], part.offset, _NOWAIT)])
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, _pread, part.fileno, size, part.offset)


def _read_at(fileno: int, size: int, offset: int) -> bytes:
    os.lseek(fileno, offset, os.SEEK_SET)
    return os.read(fileno, size)


#: Windows reads at a place only after going there: the descriptor's own place moves with it.
_pread = getattr(os, "pread", _read_at)
