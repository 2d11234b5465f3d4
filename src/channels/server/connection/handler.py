"""What a connection asks of the protocol that it speaks at present."""

from __future__ import annotations

from typing import Protocol


class Handler(Protocol):
    """The protocol that a connection speaks at present."""

    def data_received(self, data: bytes) -> None:
        """The peer sent ``data``."""
        ...

    def read_on(self) -> None:
        """A turn of the loop is over: parse what was left by ``read_later``; harmless if nothing was."""
        ...

    def eof_received(self) -> bool:
        """The peer will send nothing more. Returns True to keep the way to it open."""
        ...

    def peer_closed(self) -> None:
        """The peer has closed behind data that nobody has taken yet; told again while it is so."""
        ...

    def connection_lost(self) -> None:
        """The connection is gone, both ways."""
        ...

    def stop(self) -> None:
        """The server stops: finish what runs, take nothing new."""
        ...
