"""The store in Redis, or Valkey: the contract of stores, each step a script."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError

from channels import telemetry
from channels.layers.redis.connect.blocking import BlockingClient, BlockingClients
from channels.layers.redis.connect.errors import UNREACHABLE, RedisUnavailable
from channels.layers.redis.hosts.setting import Hosts
from channels.tasks.definition.states import State
from channels.tasks.exceptions import StoreUnavailable
from channels.tasks.stores.base import Closable, TaskStore, changes_of, work_of
from channels.tasks.stores.records import Claim, Outcome, Overview, TaskRecord, lost_error
from channels.tasks.stores.redis.encoding import record_of, texts_of, texts_of_outcome
from channels.tasks.stores.redis.glance import FAILED, failure_of, overview_of
from channels.tasks.stores.redis.scripts import REPEATABLE, script
from channels.tasks.stores.redis.server import what_to_know
from channels.tasks.stores.redis.wakeups import Hearing

logger = logging.getLogger("channels.tasks")

#: Tasks that are written, or looked through, by one script at most.
_AT_ONCE: Final = 1000


class RedisStore(TaskStore):
    """Tasks in Redis. They are written at the commit of who enqueues them, not in the transaction.

    Args:
        hosts: as the channel layer has it, of one entry: a server, sentinels or a cluster.
        prefix: begins the names of all keys, as their hash tag.

    Raises:
        ImproperlyConfigured: it has several entries, or cannot be understood.
    """

    def __init__(self, hosts: Any, prefix: str) -> None:
        super().__init__()
        try:
            found = Hosts(hosts)
        except ValueError as error:
            raise ImproperlyConfigured(f"The option `hosts` of the store of tasks: {error}") from error
        if len(found) != 1:
            raise ImproperlyConfigured(
                f"The option `hosts` of the store of tasks has {len(found)} entries; it has one: tasks that "
                "wait for each other have to be in one place."
            )
        self._base = f"{{{prefix}}}"
        self._clients = BlockingClients(lambda: found.addresses)

    def disconnect(self) -> None:
        """Close all connections; new ones are made when they are needed again."""
        self._clients.close()

    def tell(self, backend: str) -> None:
        """See :class:`TaskStore`. Scripts that write tasks do it by themselves."""

    def tell_all(self, backend: str) -> None:
        """See :class:`TaskStore`."""
        self._call(lambda client: client.redis.publish(self._channel(changes_of(backend)), b""))

    def hear(self, backend: str, work: Callable[[], None], changes: Callable[[], None]) -> Sequence[Closable]:
        """See :class:`TaskStore`."""
        callbacks = {self._channel(work_of(backend)): work, self._channel(changes_of(backend)): changes}
        hearing = Hearing(self._clients, callbacks)
        hearing.start()
        return [hearing]

    def add(self, records: Sequence[TaskRecord]) -> None:
        """See :class:`TaskStore`. More than a thousand are written by several steps."""
        for start in range(0, len(records), _AT_ONCE):
            self._run("add", 0, *texts_of(records[start : start + _AT_ONCE]))

    def add_unique(self, record: TaskRecord) -> TaskRecord:
        """See :class:`TaskStore`."""
        while True:
            (task_id,) = self._run("add", 0, *texts_of([record]))
            if task_id.decode() == record.id:
                return record
            if (found := self.get(task_id.decode())) is not None:
                return found

    def add_groups(self, sizes: Mapping[str, int], records: Sequence[TaskRecord]) -> None:
        """See :class:`TaskStore`."""
        groups = [part for group in sizes.items() for part in group]
        self._run("add", len(sizes), *groups, *texts_of(records))

    def get(self, task_id: str) -> TaskRecord | None:
        """See :class:`TaskStore`."""
        found = self._run("get", task_id)
        return record_of(found[0]) if found else None

    def of_group(self, group: str) -> list[TaskRecord]:
        """See :class:`TaskStore`."""
        return [record_of(each) for each in self._run("members", group)]

    def last_tick(self, name: str) -> int:
        """See :class:`TaskStore`."""
        return int(self._run("last_tick", name))

    def tick(self, name: str, last: int, newest: int, records: Sequence[TaskRecord]) -> bool:
        """See :class:`TaskStore`."""
        return bool(self._run("tick", name, last, newest, *texts_of(records)))

    def turn(
        self,
        owner: str,
        outcomes: Sequence[Outcome],
        claims: Sequence[Claim],
        backend: str,
        queues: tuple[str, ...],
    ) -> list[TaskRecord]:
        """See :class:`TaskStore`."""
        ended = [text for outcome in outcomes for text in texts_of_outcome(outcome)]
        wanted = [text for claim in claims for text in (claim.lane, claim.count, _state(claim))]
        refused, taken = self._run(
            "turn", owner, backend, len(queues), *queues, len(outcomes), *ended, len(claims), *wanted
        )
        for number in refused:
            move = outcomes[number].move
            telemetry.count("tasks.outcome_refused", reason=f"taken over before: {move}")
        return sorted(map(record_of, taken), key=lambda record: (-record.priority, record.id))

    def has_work(self, backend: str) -> bool:
        """See :class:`TaskStore`."""
        return bool(self._run("has_work", backend))

    def promote(self) -> tuple[bool, int | None]:
        """See :class:`TaskStore`."""
        promoted = False
        while True:
            count, due = self._run("promote")
            if not count:
                return promoted, int(due) if due else None
            promoted = True

    def join(self, owner: str, about: str) -> None:
        """See :class:`TaskStore`. It is told if the server may lose tasks by its configuration."""
        self._run("join", owner, about)
        for warning in self._call(what_to_know):
            logger.warning("%s", warning)

    def beat(self, owner: str) -> bool:
        """See :class:`TaskStore`."""
        return bool(self._run("beat", owner))

    def leave(self, owner: str) -> None:
        """See :class:`TaskStore`."""
        self._run("leave", owner)

    def owners(self) -> dict[str, int]:
        """See :class:`TaskStore`."""
        return {owner.decode(): int(beats) for owner, beats in self._run("owners")}

    def recover(self, owner: str, beats: int, max_losses: int) -> tuple[int, list[str]]:
        """See :class:`TaskStore`."""
        error = json.dumps(lost_error(max_losses))
        again, dead = self._run("recover", owner, beats, max_losses, error)
        if dead:
            telemetry.count("tasks.dead", len(dead), reason="its workers were lost")
        return again, [task_id.decode() for task_id in dead]

    def held(self, owner: str) -> dict[str, bool]:
        """See :class:`TaskStore`."""
        return {task_id.decode(): bool(cancelled) for task_id, cancelled in self._run("held", owner)}

    def cancel(self, task_id: str) -> State | None:
        """See :class:`TaskStore`."""
        state = self._run("cancel", task_id).decode()
        return State(state) if state else None

    def revive(self, task_id: str) -> bool:
        """See :class:`TaskStore`."""
        return bool(self._run("revive", task_id))

    def prune(self, states: tuple[State, ...], before: int) -> int:
        """See :class:`TaskStore`."""
        return int(self._run("prune", before, *map(str, states)))

    def prune_workers(self, before: int) -> None:
        """See :class:`TaskStore`."""
        self._run("prune_workers", before)

    def overview(self) -> Overview:
        """See :class:`TaskStore`."""
        failures = [
            failure_of(state, each)
            for state in FAILED
            for each in self._run("ended", str(state), 0, 10, "path", "finished_at", "attempts", "errors")
        ]
        return overview_of(self._run("overview"), failures, self.now())

    def listing(self, state: State, most: int) -> list[TaskRecord]:
        """See :class:`TaskStore`."""
        return [record_of(each) for each in self._run("listing", str(state), most)]

    def failed_ids(self, path: str, limit: int) -> list[str]:
        """See :class:`TaskStore`."""
        found: list[str] = []
        for task_id, its_path in self._failed():
            if len(found) >= limit:
                break
            if path in ("", its_path):
                found.append(task_id)
        return found

    def _failed(self) -> Iterator[tuple[str, str]]:
        for state in FAILED:
            start = 0
            while some := self._run("ended", str(state), start, _AT_ONCE, "path"):
                yield from ((task_id.decode(), path.decode()) for task_id, (path,) in some)
                start += _AT_ONCE

    def _channel(self, name: str) -> bytes:
        return f"{self._base}:{name}".encode()

    def _run(self, name: str, *arguments: Any) -> Any:
        command = script(name)

        def call(client: BlockingClient) -> Any:
            bare = {NEVER_DECODE: True}
            given = ((self._base,), self.now(), *arguments)
            try:
                return client.redis.execute_command(*command.by_name(*given), **bare)
            except NoScriptError:
                return client.redis.execute_command(*command.by_text(*given), **bare)

        def call_twice(client: BlockingClient) -> Any:
            try:
                return call(client)
            except UNREACHABLE:  # a connection that was open for long, perhaps
                return call(client)

        return self._call(call_twice if name in REPEATABLE else call)

    def _call(self, call: Callable[[BlockingClient], Any]) -> Any:
        try:
            return self._clients.run("", call)
        except RedisUnavailable as error:
            text = str(error).replace("(CHANNEL_LAYERS, CONFIG)", "(TASKS, OPTIONS)")
            raise StoreUnavailable(text) from error


def _state(claim: Claim) -> str:
    return str(State.RECOVERED if claim.recovered else State.READY)
