"""Which connections are checked together, and what happens if they cannot be."""

import asyncio
import logging
from contextvars import ContextVar
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model

from channels import telemetry
from channels.access import watch
from channels.access.announcements import Change, hear
from channels.access.check import check
from channels.access.credentials import Credentials, Reason, credentials_of
from channels.access.watch import Watcher, running_watcher

pytestmark = pytest.mark.django_db(transaction=True)
tenant: ContextVar[str] = ContextVar("tenant", default="")


class Connection:
    """Notes what it is told."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.told: asyncio.Queue[Any] = asyncio.Queue()

    def access_ended(self, reason: Reason) -> None:
        self.told.put_nowait(reason)

    def user_changed(self, user: Any, permissions: bool) -> None:
        self.credentials = self.credentials._replace(user=user)
        self.told.put_nowait((user.first_name, permissions))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The tenant and the number of connections of each check."""
    asked: list[tuple[str, int]] = []

    def noted(connections: list[Credentials]) -> Any:
        asked.append((tenant.get(), len(connections)))
        return check(connections)

    monkeypatch.setattr(watch, "check", noted)
    return asked


async def connections(number: int) -> list[Connection]:
    users = [await get_user_model().objects.acreate(username=f"u{each}") for each in range(number)]
    return [Connection(credentials_of(user)) for user in users]  # type: ignore[arg-type]


async def told(connection: Connection) -> Any:
    async with asyncio.timeout(5):
        return await connection.told.get()


async def test_those_who_are_due_together_are_checked_at_once(
    asked: list[tuple[str, int]], settings: Any
) -> None:
    settings.CHANNELS_ACCESS_INTERVAL = 3600.0
    watcher, watched = running_watcher(), await connections(5)
    for connection in watched:
        watcher.add(connection)
    hear(Change(user=watched[0].credentials.user_id, permissions=True))
    await asyncio.gather(*(watcher.refresh([each]) for each in watched))
    assert asked == [("", 5)]
    assert await told(watched[0]) == ("", True)
    assert await told(watched[1]) == ("", False)
    for connection in watched:
        watcher.discard(connection)


async def test_the_regular_check_goes_on_until_nobody_is_left(
    asked: list[tuple[str, int]], settings: Any
) -> None:
    settings.CHANNELS_ACCESS_INTERVAL = 0.05
    watcher, (first, second) = Watcher(asyncio.get_running_loop()), await connections(2)
    watcher.add(first)
    watcher.add(second)
    await get_user_model().objects.filter(pk=first.credentials.user.pk).aupdate(first_name="Ada")
    assert await told(first) == ("Ada", False)
    await get_user_model().objects.aupdate(is_active=False)
    assert await told(first) == await told(second) == Reason.DEACTIVATED
    checks = len(asked)
    await asyncio.sleep(0.2)
    assert len(asked) == checks
    assert first.told.empty()


async def test_many_are_checked_in_slices(
    asked: list[tuple[str, int]], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHANNELS_ACCESS_INTERVAL = 0.05
    monkeypatch.setattr(watch, "AT_ONCE", 2)
    monkeypatch.setattr(watch, "PAUSE", 0.01)
    watcher, watched = Watcher(asyncio.get_running_loop()), await connections(5)
    for connection in watched:
        watcher.add(connection)
    await get_user_model().objects.aupdate(is_active=False)
    assert [await told(each) for each in watched] == [Reason.DEACTIVATED] * 5
    assert [number for _, number in asked][-3:] == [2, 2, 1]


async def test_context_variables_of_connections_are_kept_apart(
    asked: list[tuple[str, int]], settings: Any
) -> None:
    settings.CHANNELS_ACCESS_INTERVAL = 3600.0
    watcher, watched = Watcher(asyncio.get_running_loop()), await connections(4)
    for number, connection in enumerate(watched):
        tenant.set("even" if number % 2 == 0 else "odd")
        watcher.add(connection)
    await watcher.refresh(watched)
    assert sorted(asked) == [("even", 2), ("odd", 2)]
    for connection in watched:
        watcher.discard(connection)


async def test_what_cannot_be_checked_does_not_end(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CHANNELS_ACCESS_INTERVAL = 0.05
    down = [True]

    def fail(connections: list[Credentials]) -> Any:
        if down[0]:
            raise ConnectionError("the database is away")
        return check(connections)

    monkeypatch.setattr(watch, "check", fail)
    watcher, (connection,) = Watcher(asyncio.get_running_loop()), await connections(1)
    before = telemetry.counters["security.access_check_failed"]
    with caplog.at_level(logging.WARNING):
        watcher.add(connection)
        async with asyncio.timeout(5):
            while telemetry.counters["security.access_check_failed"] < before + 2:
                await asyncio.sleep(0.01)
    assert connection.told.empty()
    assert "the database is away" in caplog.text
    down[0] = False
    await sync_to_async(get_user_model().objects.all().delete)()
    assert await told(connection) == Reason.DEACTIVATED


def test_a_loop_that_is_closed_is_told_nothing() -> None:
    loop = asyncio.new_event_loop()
    watcher = Watcher(loop)
    loop.close()
    watcher.hear(Change())
