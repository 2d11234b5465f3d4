"""Counting the round trips of everybody who talks to a PostgreSQL: a socket before its socket."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator

from tests.support.databases.settings import Database

_NAME = ".s.PGSQL.5432"


class RoundTrips:
    """Passes on what clients and the server say.

    Attributes:
        amount: how often the server has said that it is ready for the next question.
    """

    def __init__(self, server: str) -> None:
        self._server = f"{server}/{_NAME}"
        self.folder = tempfile.mkdtemp(prefix="trips")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self.folder}/{_NAME}")
        self._listener.listen()
        self.amount = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
                threading.Thread(target=self._count, args=(server, client), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _count(self, source: socket.socket, target: socket.socket) -> None:
        """Each message of the server has a letter and its length; that of "ready" is Z."""
        waiting = b""
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(65536):
                waiting += data
                while len(waiting) >= 5 and len(waiting) > (size := int.from_bytes(waiting[1:5], "big")):
                    self.amount += waiting[:1] == b"Z"
                    waiting = waiting[size + 1 :]
                target.sendall(data)

    def close(self) -> None:
        self._listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def counted(database: Database) -> Iterator[tuple[Database, RoundTrips]]:
    """The same database by a way that counts."""
    trips = RoundTrips(database.settings["HOST"])
    yield Database(database.vendor, {**database.settings, "HOST": trips.folder}), trips
    trips.close()
