"""One run: every row, every contender in turn, again and again, with what is left to do on the terminal."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from websockets.exceptions import WebSocketException

from . import environment
from .children import Child
from .contenders import APPS
from .databases import postgresql_server
from .load import LoadFailed, Settings
from .machine import now
from .results import Cell, Reading, Run, Table
from .rows import Entry, Row
from .servers import SERVER_CORE, Server, ServerFailed, answers, free_port, serving


@dataclass(frozen=True)
class Site:
    """What all servers of one run share: a folder, a database, a session."""

    folder: Path
    cookie: str

    @classmethod
    def prepared(cls, folder: Path) -> Site:
        """Make the database with one user, and that user's session."""
        env = environment.variables(
            BENCH_DATABASE=str(folder / "site.sqlite3"), PYTHONPATH=str(environment.ROOT / "src")
        )
        command = [sys.executable, "prepare.py"]
        done = subprocess.run(command, cwd=APPS, env=env, capture_output=True, text=True, check=True)
        return cls(folder, done.stdout.strip())

    def environment(self, **extra: str) -> dict[str, str]:
        """What the site's settings read."""
        return {"BENCH_DATABASE": str(self.folder / "site.sqlite3"), **extra}


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis of the run's own on the server's core; gives its URL.

    Raises:
        ServerFailed: it is not installed or does not start.
    """
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    child = Child(
        SERVER_CORE, ["redis-server", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            if child.ended:
                raise ServerFailed("redis-server does not run here (apt-get install redis-server)")
            if answers(port):
                break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}"
    finally:
        child.stop()


@contextlib.contextmanager
def served(entry: Entry, site: Site) -> Iterator[Server]:
    """The entry's server with all it needs.

    Raises:
        ServerFailed: something did not start.
    """
    with contextlib.ExitStack() as stack:
        extra = site.environment(BENCH_LAYER=entry.layer, BENCH_STORE=entry.store)
        if entry.store == "sqlite":
            extra["BENCH_DATABASE"] = stack.enter_context(tempfile.TemporaryDirectory()) + "/journal.sqlite3"
        elif entry.store == "postgresql":
            extra["BENCH_POSTGRESQL"] = stack.enter_context(postgresql_server())
        if entry.layer in ("redis", "pubsub"):
            extra["BENCH_REDIS"] = stack.enter_context(redis_server(site.folder))
        elif entry.layer == "host":
            extra["BENCH_MEETING"] = stack.enter_context(tempfile.TemporaryDirectory()) + "/layer"
        ports = [free_port() for _ in range(entry.processes)]
        commands = [entry.contender.command_on(port) for port in ports]
        env = entry.contender.environment(**extra)
        log, greeting = site.folder / "server.log", entry.contender.greeting
        yield stack.enter_context(serving(commands, ports, APPS, env, log, greeting))


class Runner:
    """Measures rows.

    Args:
        rows: what, in the order of the summary.
        settings: how long and with what.
        rounds: how often each contender of a row has its turn.
        site: the folder and the session.
        installed: the peers' distributions by name.
    """

    def __init__(
        self, rows: Sequence[Row], settings: Settings, rounds: int, site: Site, installed: dict[str, str]
    ):
        self.rows = rows
        self.settings = settings
        self.rounds = rounds
        self.site = site
        self.installed = installed
        self._turns = sum(self._rounds_of(row) * len(row.entries) for row in rows)
        self._done = 0
        self._begun = time.monotonic()

    def run(self, into: Run) -> None:
        """Measure every row and add its table to ``into`` as soon as it is whole."""
        self._begun = time.monotonic()
        for row in self.rows:
            table = self._row(row, into.commands)
            table.measured = f"{now()}, revision {into.machine.revision}"
            into.tables.append(table)

    def _rounds_of(self, row: Row) -> int:
        return min(self.rounds, row.most_rounds)

    def _row(self, row: Row, commands: dict[str, str]) -> Table:
        print(f"\n{row.title} ({row.unit})", flush=True)
        table = Table(row.id, row.title, row.unit, row.better)
        table.cells = [Cell(entry.title, entry.contender.family) for entry in row.entries]
        for _ in range(self._rounds_of(row)):
            for entry, cell in zip(row.entries, table.cells, strict=True):
                commands[entry.title] = _shown(entry)
                # Who had nothing to show in one round does not hold up the next.
                failed = cell.readings and cell.readings[-1].value is None
                reading = cell.readings[-1] if failed else self._turn(row, entry)
                cell.readings.append(reading)
                self._report(entry, reading)
        return table

    def _turn(self, row: Row, entry: Entry) -> Reading:
        """One measurement; what goes wrong becomes its note."""
        absent = entry.contender.missing(self.installed)
        if absent:
            return Reading(None, note=absent)
        try:
            with served(entry, self.site) as server:
                return row.load.measure(server, entry.path, self.settings)
        except (ServerFailed, LoadFailed, OSError, subprocess.SubprocessError, WebSocketException) as error:
            return Reading(None, note=str(error) or type(error).__name__)

    def _report(self, entry: Entry, reading: Reading) -> None:
        self._done += 1
        took = time.monotonic() - self._begun
        left = took / self._done * (self._turns - self._done)
        value = (
            "-"
            if reading.value is None
            else f"{reading.value:,.4g}"
            if reading.value < 100
            else f"{reading.value:,.0f}"
        )
        cpu = "" if reading.cpu_us is None else f"{reading.cpu_us:9.2f} µs"
        words = f"  {reading.note}" if reading.note else ""
        clock = f"{int(left // 60)}:{int(left % 60):02d} left"
        print(
            f"  {entry.title:<45}{value:>12}{cpu:>13}  [{self._done}/{self._turns}, {clock}]{words}",
            flush=True,
        )


def _shown(entry: Entry) -> str:
    """The command as it goes into the record: without this machine's folders."""
    words = [word.replace(str(environment.ROOT) + "/", "") for word in entry.contender.command_on(0)]
    return " ".join([Path(words[0]).name, *words[1:]]).replace(" 0 ", " PORT ").replace(":0", ":PORT")
