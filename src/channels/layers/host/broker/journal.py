"""Named messages that wait, in a file: the next broker reads what a killed one has left."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

logger = logging.getLogger("channels.layers")

#: Bytes from which on a file is written anew if most of it is settled.
COMPACT_FROM: Final = 1024 * 1024

_LENGTH: Final = struct.Struct(">I")


class Enqueued(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A message that waits on ``channel`` until ``expires`` (seconds since 1970)."""

    key: str
    channel: str
    expires: float
    payload: bytes


class Acked(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """The message of that key was acknowledged, or has expired: it does not wait any more."""

    key: str


Record: TypeAlias = Enqueued | Acked
_decoder: Final = msgspec.msgpack.Decoder(Record)


class Journal:
    """The file; records are collected and written once per turn.

    A disk that is full costs the safety of what waits, not its delivery: that is logged once,
    and the file is written anew when there is room.

    Args:
        path: of the file; what it holds belongs to this user only.

    Attributes:
        unwritten: encoded records that were added since the last :meth:`flush`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unwritten: list[bytes] = []
        self._size = 0
        self._failed = False
        self._descriptor = self._open(path)

    def _open(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path, flags, 0o600)

    def restore(self) -> tuple[list[Enqueued], set[str]]:
        """Return what waits, in order, and the keys of all messages the file knows of.

        A record that was cut short by a crash is not one.
        """
        data = self._path.read_bytes()
        records = list(read_records(data))
        waiting: dict[str, Enqueued] = {}
        for record in records:
            if isinstance(record, Enqueued):
                waiting[record.key] = record
            else:
                waiting.pop(record.key, None)
        self._size = sum(len(encode_record(record)) for record in records)
        if self._size != len(data) or self._size > COMPACT_FROM:
            self.rewrite(waiting.values())
        return list(waiting.values()), {record.key for record in records}

    def add(self, record: Record) -> None:
        """Note ``record``; :meth:`flush` writes it."""
        self.unwritten.append(encode_record(record))

    def flush(self, waiting: Iterable[Enqueued], amount: int) -> None:
        """Write what was noted; a file of mostly settled messages is written anew.

        Args:
            waiting: all that waits now.
            amount: the bytes of that.
        """
        if not self.unwritten:
            return
        data, self.unwritten = b"".join(self.unwritten), []
        if self._failed or self._size + len(data) > max(COMPACT_FROM, 2 * amount):
            self.rewrite(waiting)
        else:
            self._write(self._descriptor, data)

    def _write(self, descriptor: int, data: bytes) -> None:
        try:
            write_all(descriptor, data)
        except OSError as error:
            self._note_failure(error)
        else:
            self._size += len(data)

    def rewrite(self, waiting: Iterable[Enqueued]) -> None:
        """Replace the file by one that holds nothing but ``waiting``."""
        fresh = self._path.with_name(self._path.name + ".new")
        data = b"".join(map(encode_record, waiting))
        try:
            fresh.unlink(missing_ok=True)
            descriptor = self._open(fresh)
            try:
                write_all(descriptor, data)
                os.replace(fresh, self._path)
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            self._note_failure(error)
            return
        self.close()
        self._descriptor, self._size, self._failed = descriptor, len(data), False

    def _note_failure(self, error: OSError) -> None:
        if not self._failed:
            logger.warning("Named messages would not survive the end of this process: %s.", error)
        self._failed = True

    def remove(self) -> None:
        """Remove the file: nothing waits."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        os.close(self._descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; raises OSError if there is no room for it."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def encode_record(record: Record) -> bytes:
    """Return ``record`` with its length in front."""
    body = msgspec.msgpack.encode(record)
    return _LENGTH.pack(len(body)) + body


def read_records(data: bytes) -> Iterator[Record]:
    """Yield the whole records of ``data``, up to one that cannot be read."""
    start = 0
    while (body := start + _LENGTH.size) <= len(data):
        end = body + _LENGTH.unpack_from(data, start)[0]
        if end > len(data):
            return
        try:
            yield _decoder.decode(data[body:end])
        except msgspec.MsgspecError:
            return
        start = end
