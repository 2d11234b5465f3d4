"""Many processes behind one set of listening sockets.

The supervisor opens the sockets once and never closes them while it serves, so that a
connection finds somebody whatever happens to a single worker. Workers are fresh
interpreters: what is deployed while the old ones serve is what the new ones import.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from channels import telemetry
from channels.server.config import Config
from channels.server.endpoints import systemd
from channels.server.endpoints.endpoints import address_of, open_sockets, parse_endpoint, remove_unix_socket
from channels.server.processes.child import GRACE, ChildProcess, Companion, WorkerSpec, ending
from channels.server.reports.health import DRAINING, STARTING, probe_config
from channels.server.server import Server

logger = logging.getLogger("channels.server")

#: A worker that lived so long (seconds) is replaced at once; one that did not waits.
STEADY = 10.0
#: Seconds before the first repeated start; doubled each time.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class WorkerSlot:
    """Keeps one worker running, and replaces it when it has ended.

    Args:
        number: from 1.
        staff: every living worker; kept up to date.
        recipe: how to start one.
    """

    def __init__(self, number: int, staff: set[ChildProcess], recipe: WorkerSpec) -> None:
        self.number = number
        self.worker: ChildProcess | None = None
        self._staff = staff
        self._recipe = recipe
        self._lock = asyncio.Lock()

    async def fill(self) -> bool:
        """Start a worker if there is none.

        Returns:
            Whether one serves now.
        """
        async with self._lock:
            if self.worker is None:
                self.worker = await self._start()
            return self.worker is not None

    async def renew(self, limit: float | None) -> bool:
        """Start a new worker; when it serves, let the old one drain.

        Args:
            limit: seconds until the old one is killed; None for no limit.

        Returns:
            False if the new one did not come to serve; the old one then still does.
        """
        async with self._lock:
            fresh = await self._start()
            if fresh is None:
                return False
            old, self.worker = self.worker, fresh
        if old is not None:
            old.drain()
            await old.wait_at_most(limit)
            self._staff.discard(old)
        return True

    async def keep(self) -> None:
        """Start a worker whenever none runs, until cancelled."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        while True:
            started = loop.time()
            if await self.fill():
                await self.watch()
            if loop.time() - started >= STEADY:
                pause = 0.0
            if self.worker is None:
                logger.info("%s %d is started again in %.1f s.", self._recipe.name, self.number, pause)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * pause))

    async def vacate(self, grace: float) -> None:
        """Let the worker drain, if there is one, and end it when ``grace`` (seconds) is over."""
        worker, self.worker = self.worker, None
        if worker is None:
            return
        worker.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(worker.wait(), grace)
        worker.end()
        await worker.wait_at_most(GRACE)
        self._staff.discard(worker)

    async def watch(self) -> None:
        """Return when the worker in this place has ended, or was replaced and has ended."""
        worker = self.worker
        if worker is None:
            return
        code = await worker.wait()
        self._staff.discard(worker)
        if self.worker is worker:
            self.worker = None
            telemetry.count("server.worker_died", code=code)
            logger.error("%s ended %s while it served.", worker, ending(code))

    async def _start(self) -> ChildProcess | None:
        try:
            worker = await ChildProcess.start(self.number, self._recipe)
        except OSError as error:
            logger.error("%s %d cannot be started: %s", self._recipe.name, self.number, error)
            return None
        self._staff.add(worker)
        if await worker.wait_ready():
            logger.info("%s serves.", worker)
            return worker
        code = await worker.wait_at_most(GRACE)
        self._staff.discard(worker)
        telemetry.count("server.worker_failed", code=code)
        # One that gave up itself has said why.
        level = logging.INFO if code == 1 else logging.ERROR
        logger.log(level, "%s ended %s before it served.", worker, ending(code))
        return None


class Supervisor:
    """Serves with several processes.

    SIGHUP replaces the workers one by one; SIGTERM and SIGINT let them drain, the second
    one ends them at once.

    Args:
        command: what starts one worker: a program that takes its
            :class:`~channels.server.control_channel.SupervisorLink`.
        endpoints: where to listen, as endpoint strings, in the order of the workers' configuration.
        workers: how many; 0: the companions are all there is.
        backlog: how many connections may wait to be accepted.
        drain_limit: seconds that a worker may take to end; None for no limit.
        start_limit: seconds that a worker may take to serve; None for no limit.
        health: address and port of the health port; None for none.
        metrics: the settings of the server on the metrics port; None for none.

    Attributes:
        addresses: where it listens, (host, port) or a Unix socket's path.
        probe, metrics: the servers on the health port and the metrics port; None without one.
        drain_limit: as given.
        start_limit: as given.
        companions: processes beside those that serve; set before it runs.
        staff: every living worker.
        renew_asked: set when SIGHUP came.
    """

    def __init__(
        self,
        command: Sequence[str],
        endpoints: Sequence[str],
        *,
        workers: int = 1,
        backlog: int = 2048,
        drain_limit: float | None = 30.0,
        start_limit: float | None = 120.0,
        health: tuple[str, int] | None = None,
        metrics: Config | None = None,
    ) -> None:
        self.addresses: list[tuple[str, int] | str] = []
        self._endpoints = [parse_endpoint(text) for text in endpoints]
        self._command = command
        self._workers = workers
        self.companions: Sequence[Companion] = ()
        self._backlog = backlog
        self.drain_limit = drain_limit
        self.start_limit = start_limit
        self.probe = Server(probe_config(*health, self._obstacle)) if health is not None else None
        self.metrics = Server(metrics) if metrics is not None else None
        self._folder = starting_folder()
        self._stop_asked = asyncio.Event()
        self._hurry = asyncio.Event()
        self.staff: set[ChildProcess] = set()
        self.renew_asked = asyncio.Event()

    def run(self) -> int:
        """Serve until told to stop.

        Returns:
            The exit code: 0, or 1 if the first worker could not serve. It has said why.

        Raises:
            ListenError: an address cannot be listened on.
        """
        return asyncio.run(self.serve())

    async def serve(self, *, signals: bool = True) -> int:
        """As :meth:`run`, in the running event loop.

        Args:
            signals: heed SIGINT, SIGTERM and SIGHUP; only in the main thread.
        """
        if signals:
            self._handle_signals()
        try:
            with self._listening() as sockets:
                for server in self._beside:
                    await server.start()
                recipe = WorkerSpec(self._command, self._folder, sockets, self.start_limit)
                return await self._until_stopped(self.work(recipe))
        finally:
            await self._dismiss()
            for server in self._beside:
                await server.stop()

    @property
    def _beside(self) -> list[Server]:
        return [each for each in (self.probe, self.metrics) if each is not None]

    def _obstacle(self) -> str:
        """What keeps the workers from taking requests; while they are replaced, nothing does."""
        if self._stop_asked.is_set():
            return DRAINING
        return "" if any(worker.serves and worker.listens for worker in self.staff) else STARTING

    async def _until_stopped(self, work: Coroutine[Any, Any, int]) -> int:
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stop_asked.wait())
        try:
            await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else 0
        finally:
            stop.cancel()
            task.cancel()
            await asyncio.wait([task])

    @contextlib.contextmanager
    def _listening(self) -> Iterator[list[list[socket.socket]]]:
        """Open the sockets; closed first when it ends, so that nobody queues for what will not come."""
        opened: list[list[socket.socket]] = []
        try:
            for endpoint in self._endpoints:
                opened.append(open_sockets(endpoint, self._backlog))
            self.addresses = [address_of(sock) for sockets in opened for sock in sockets]
            for address in self.addresses:
                where = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else address
                logger.info("Listening on %s", where)
            yield opened
        finally:
            for endpoint, sockets in zip(self._endpoints, opened, strict=False):
                for sock in sockets:
                    if endpoint.kind == "unix":
                        remove_unix_socket(sock)
                    sock.close()

    def _handle_signals(self) -> None:
        """Handle signals for as long as the loop lives: the second one comes while workers drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self.ask_to_renew)

    def ask_to_stop(self) -> None:
        """Let the workers drain and end; asked a second time, end them at once."""
        systemd.notify(STOPPING="1", STATUS="Draining.")
        if self._stop_asked.is_set():
            self._hurry.set()
        self._stop_asked.set()

    def ask_to_renew(self) -> None:
        """Replace every worker by a new one; asked meanwhile, once more afterwards."""
        self.renew_asked.set()

    async def work(self, recipe: WorkerSpec) -> int:
        """Keep every place taken until cancelled.

        Returns:
            1 if the first worker could not serve.
        """
        places = [WorkerSlot(number, self.staff, recipe) for number in range(1, self._workers + 1)]
        places += self.beside(recipe)
        # What keeps one from serving keeps all: one of them says it.
        if not await places[0].fill():
            return 1
        systemd.notify(READY="1", STATUS=f"Serving with {len(places)} workers.")
        async with asyncio.TaskGroup() as group:
            for place in places:
                group.create_task(place.keep())
            while True:
                await self.renew_asked.wait()
                self.renew_asked.clear()
                await self._renew(places)

    def beside(self, recipe: WorkerSpec) -> list[WorkerSlot]:
        """Return the places of the companions."""
        return [
            WorkerSlot(
                number,
                self.staff,
                WorkerSpec(each.command, recipe.folder, (), recipe.start_limit, each.name, each.environment),
            )
            for each in self.companions
            for number in range(1, each.count + 1)
        ]

    async def _renew(self, places: Sequence[WorkerSlot]) -> None:
        logger.info("Replacing %d workers, one by one.", len(places))
        systemd.notify_reloading()
        renewed = await self._renew_each(places)
        systemd.notify(READY="1", STATUS="Serving." if renewed else "Serving: the new code does not start.")

    async def _renew_each(self, places: Sequence[WorkerSlot]) -> bool:
        """Return whether every worker is a new one."""
        for place in places:
            if not await place.renew(self.drain_limit):
                telemetry.count("server.renewal_failed")
                logger.error(
                    "The new code does not serve, so the old workers go on. Repair it and send SIGHUP again."
                )
                return False
        logger.info("All workers are replaced.")
        return True

    async def _dismiss(self) -> None:
        """Let every worker drain, and return when none is left."""
        for worker in self.staff:
            worker.drain()
        gone = asyncio.ensure_future(self._all_gone(self.drain_limit))
        hurry = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait([gone, hurry], return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not gone.done():
            for worker in self.staff:
                worker.end()
            await self._all_gone(GRACE)
        await gone
        self.staff.clear()

    async def _all_gone(self, limit: float | None) -> None:
        await asyncio.gather(*(worker.wait_at_most(limit) for worker in self.staff))


def starting_folder() -> str:
    """Return the working directory as the shell calls it.

    Through a symbolic link such as ``current``, so that it leads to the new release after
    the link was moved.
    """
    here, called = os.getcwd(), os.environ.get("PWD", "")
    with contextlib.suppress(OSError):
        if called and os.path.samefile(called, here):
            return called
    return here
