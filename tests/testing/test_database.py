"""Applications see the rows of the open transaction, whatever runs the test, wherever sync code runs.

These tests, and those of the live server, run more than once: here, and by
``TestOtherRunners`` on a database file and under Django's own test runner.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import IsolatedAsyncioTestCase

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.db import connection, connections, transaction
from django.test import TestCase, TransactionTestCase, override_settings

from channels.db import database_sync_to_async
from channels.generic.websocket import WebsocketConsumer
from channels.testing import HttpCommunicator, WebsocketCommunicator
from channels.testing.database import _handler, _Lender, lend_connections, lent
from channels.typing import Receive, Scope, Send

PATIENCE = 30
LIVE = "tests.testing.test_live"


def register(name: str) -> list[str]:
    """Add a user, and return the names of all."""
    with transaction.atomic():
        User.objects.create(username=name)
    return names()


def names() -> list[str]:
    return sorted(User.objects.values_list("username", flat=True))


async def clerk(scope: Scope, receive: Receive, send: Send) -> None:
    """Register users in the three ways async code has."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        match message["text"]:
            case "bridge":
                found = await database_sync_to_async(register)("bridge")
            case "orm":
                await User.objects.acreate(username="orm")
                found = [user.username async for user in User.objects.order_by("username")]
            case "own thread":
                async with ThreadSensitiveContext():
                    found = await database_sync_to_async(register)("own thread")
        await send({"type": "websocket.send", "text": json.dumps(found)})


class SyncClerk(WebsocketConsumer):
    """Registers users in a sync handler."""

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.send(json.dumps(register("handler")))


async def scenario(*before: str) -> list[str]:
    """Let users be registered in every way; each time all are seen that were there before."""
    expected = list(before)
    communicator = WebsocketCommunicator(clerk, "/")
    assert await communicator.connect(PATIENCE) == (True, None)
    for way in ("bridge", "orm", "own thread"):
        await communicator.send_to(way)
        expected.append(way)
        assert await communicator.receive_json_from(PATIENCE) == sorted(expected)
    await communicator.disconnect(timeout=PATIENCE)

    consumer = WebsocketCommunicator(SyncClerk.as_asgi(), "/")
    assert await consumer.connect(PATIENCE) == (True, None)
    await consumer.send_to("")
    expected.append("handler")
    assert await consumer.receive_json_from(PATIENCE) == sorted(expected)
    await consumer.disconnect(timeout=PATIENCE)
    # Django closes connections around each request, in a transaction or not.
    response = await HttpCommunicator(get_asgi_application(), "GET", "/none/").get_response(PATIENCE)
    assert response["status"] == 404
    # What the test itself looks up after its applications have ended comes from the same place.
    assert await database_sync_to_async(names)() == sorted(expected)
    return expected


class OpenTransaction(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        User.objects.create(username="class")

    def setUp(self) -> None:
        User.objects.create(username="set up")

    def tearDown(self) -> None:
        assert connection.in_atomic_block
        assert names() != []

    async def test_async(self) -> None:
        await scenario("class", "set up")

    def test_sync(self) -> None:
        assert sorted(async_to_sync(scenario)("class", "set up")) == names()

    def test_nothing_is_left(self) -> None:
        assert names() == ["class", "set up"]


class OpenTransactionInALoop(IsolatedAsyncioTestCase, TestCase):
    def setUp(self) -> None:
        User.objects.create(username="set up")

    async def asyncSetUp(self) -> None:
        assert await database_sync_to_async(int)("3") == 3

    async def test_async(self) -> None:
        await scenario("set up")

    def test_nothing_is_left(self) -> None:
        assert names() == ["set up"]


class OpenTransactionOutsideALoop(TestCase, IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        User.objects.create(username="set up")

    async def test_async(self) -> None:
        await scenario("set up")

    def test_nothing_is_left(self) -> None:
        assert names() == ["set up"]


class NoTransaction(TransactionTestCase):
    def setUp(self) -> None:
        User.objects.create(username="set up")

    async def test_async(self) -> None:
        await scenario("set up")

    def test_sync(self) -> None:
        assert sorted(async_to_sync(scenario)("set up")) == names()

    def test_nothing_is_left(self) -> None:
        assert names() == ["set up"]


@pytest.fixture
def user(db: None) -> Iterator[None]:
    """A row in the transaction of the test, which works to the end and is rolled back."""
    assert not User.objects.exists()
    User.objects.create(username="fixture")
    yield
    assert connection.in_atomic_block
    assert "fixture" in names()


@pytest.mark.usefixtures("user")
class TestUnderPytest:
    async def test_in_a_loop_of_its_own(self) -> None:
        await scenario("fixture")

    async def test_nothing_is_left_of_it(self) -> None:
        await scenario("fixture")

    @pytest.mark.asyncio(loop_scope="class")
    async def test_in_the_loop_of_the_class(self) -> None:
        await scenario("fixture")

    @pytest.mark.asyncio(loop_scope="module")
    async def test_in_the_loop_of_the_module(self) -> None:
        await scenario("fixture")

    @pytest.mark.asyncio(loop_scope="session")
    async def test_in_the_loop_of_the_session(self) -> None:
        await scenario("fixture")

    def test_in_sync_code(self) -> None:
        assert sorted(async_to_sync(scenario)("fixture")) == names()


async def committer(scope: Scope, receive: Receive, send: Send) -> None:
    """Say what has been committed of a transaction of its own."""
    committed: list[str] = []

    def commit() -> None:
        with transaction.atomic():
            transaction.on_commit(lambda: committed.append("committed"))
        connection.close_if_unusable_or_obsolete()

    await receive()
    await database_sync_to_async(commit)()
    await send({"type": "websocket.accept", "subprotocol": committed[0] if committed else "waits"})


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(("whose", "answer"), [("shared", "waits"), ("own", "committed")])
async def test_whose_connections_the_application_uses_is_a_setting(whose: str, answer: str) -> None:
    with override_settings(CHANNELS_TEST_DATABASE=whose):
        assert await WebsocketCommunicator(committer, "/").connect(PATIENCE) == (True, answer)


@pytest.mark.django_db(transaction=True)
class TestUnderPytestWithoutTransaction:
    async def test_async(self) -> None:
        await database_sync_to_async(register)("before")
        await scenario("before")

    def test_a_transaction_the_test_opens_itself_is_shared(self) -> None:
        with transaction.atomic():
            register("before")
            assert sorted(async_to_sync(scenario)("before")) == names()
            transaction.set_rollback(True)
        assert names() == []


def connection_of_a_new_thread() -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(connections["default"]))
    thread.start()
    thread.join(PATIENCE)
    return found[0]


class TestLoans:
    async def borrowed(self) -> Any:
        lend_connections()
        return await sync_to_async(connection_of_a_new_thread)()

    def test_lasts_as_long_as_the_transaction(self, transactional_db: None) -> None:
        ours = connections["default"]
        with transaction.atomic():
            assert async_to_sync(self.borrowed)() is ours
            assert ours.allow_thread_sharing
            with transaction.atomic():
                assert async_to_sync(self.borrowed)() is ours
            assert connection_of_a_new_thread() is ours
        assert connection_of_a_new_thread() is not ours
        assert not ours.allow_thread_sharing
        assert not isinstance(_handler._connections, _Lender)

    def test_a_transaction_that_follows_is_lent_anew(self, transactional_db: None) -> None:
        ours = connections["default"]
        for _ in range(2):
            with transaction.atomic():
                assert connection_of_a_new_thread() is not ours
                assert async_to_sync(self.borrowed)() is ours
                ours.close_if_unusable_or_obsolete()
            assert ours.close_at is None or ours.is_in_memory_db() or ours.connection is not None
            ours.close_if_unusable_or_obsolete()
        assert async_to_sync(self.borrowed)() is not ours

    def test_without_a_transaction_nothing_is_lent(self, transactional_db: None) -> None:
        assert async_to_sync(self.borrowed)() is not connections["default"]

    def test_for_a_block(self, transactional_db: None) -> None:
        ours, other = connections["default"], connections.create_connection("default")
        with lent([ours]):
            assert connection_of_a_new_thread() is ours
            with lent([other]):
                assert connection_of_a_new_thread() is other
            assert not other.allow_thread_sharing
        assert connection_of_a_new_thread() is not ours
        assert not ours.allow_thread_sharing

    def test_the_storage_behind_works_on(self, transactional_db: None) -> None:
        ours, other = connections["default"], connections.create_connection("default")
        with lent([ours]):
            connections["default"] = other
            assert connections["default"] is ours
            del connections["default"]
            with pytest.raises(AttributeError):
                _ = _handler._connections.nothing
        connections["default"] = ours

    def test_without_settings_there_is_nothing_to_lend(self) -> None:
        code = "import asyncio; from channels.testing import HttpCommunicator as C\n" + (
            "async def app(scope, receive, send):\n"
            "    await send({'type': 'http.response.start', 'status': 200})\n"
            "    await send({'type': 'http.response.body', 'body': b'ok'})\n"
            "async def main(): assert (await C(app, 'GET', '/').get_response(30))['body'] == b'ok'\n"
            "asyncio.run(main())\n"
        )
        environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)


@pytest.mark.skipif("FAIRWAY_OTHER_RUNNER" in os.environ, reason="runs the others")
class TestOtherRunners:
    @pytest.mark.parametrize(
        "command",
        [
            [
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:cov",
                "--ds=tests.testing.disk_settings",
                __file__,
                LIVE.replace(".", "/") + ".py",
            ],
            ["django", "test", __name__, LIVE, "--settings=tests.testing.disk_settings"],
            ["django", "test", __name__, LIVE, "--settings=tests.settings"],
        ],
    )
    def test_pass(self, command: list[str]) -> None:
        environment = {**os.environ, "FAIRWAY_OTHER_RUNNER": "1"}
        run = subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            env=environment,
            cwd=Path(__file__).parents[2],
        )
        assert run.returncode == 0, run.stdout + run.stderr
