"""How user code for topics, live queries and tasks looks to a type checker. Nothing here is run.

A line that ends with ``# wrong`` is a mistake that both mypy and pyright have to find; they find no other.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

import msgspec
from django.contrib.auth.models import User
from django.db.models import QuerySet

from channels.consumer import AsyncConsumer
from channels.live import LiveQuery, changed
from channels.tasks import Step, Task, chain, cron, every, task
from channels.tasks.context import Context
from channels.testing import TopicsCommunicator, WebsocketCommunicator
from channels.topics import History, RPCError, Topic, publish_many, rpc
from channels.typing import ASGIApp


class Note(msgspec.Struct):
    text: str
    stars: int = 0


class Board(Topic[Note]):
    pattern = "board:<slug:name>"
    history = History(size=50, ttl=timedelta(days=1))
    presence = True
    message = Note
    name: str

    def may_subscribe(self, user: Any) -> bool:
        return bool(user.is_authenticated)

    def may_publish(self, user: Any, data: Note) -> bool:
        assert_type(data, Note)
        return data.stars < 5

    @rpc
    def post(self, user: Any, text: str, stars: int = 0) -> int:
        if not text:
            raise RPCError(400, "empty")
        self.publish(Note(text, stars), tags={"kind": "note"}, idempotency_key="k")
        return stars

    @rpc
    async def clear(self, user: Any) -> None:
        await self.apublish(Note("cleared"))


class Free(Topic):
    """Without a type: any JSON."""

    pattern = "free"
    slow_clients = "latest"


def publishing(board: Board, free: Free) -> None:
    assert_type(board.name, str)
    assert_type(board.post(None, "hello"), int)
    free.publish({"any": ["json"]})
    free.publish("text", now=True)
    publish_many([board, free], {"text": "x"})
    board.publish({"text": "x"})  # wrong
    board.publish(Note(1))  # wrong
    board.publish(Note("x"), tag={"kind": "note"})  # wrong
    board.publish(Note("x"), tags={"kind": 1})  # wrong
    board.publish(Note("x"), idempotency=1)  # wrong
    board.post(None, text=1)  # wrong
    board.post(None, "x", colour="red")  # wrong
    RPCError("400", "empty")  # wrong
    History(size="50", ttl=timedelta(1))  # wrong
    print(board.title)  # wrong


async def apublishing(board: Board) -> None:
    position = (await board.apublish(Note("x"))).position
    assert_type(position.offset, int)
    await board.apublish("x")  # wrong


class Wrong(Topic[Note]):
    slow_clients = "slowest"  # wrong
    presence = "yes"  # wrong

    def may_publish(self, user: Any, data: int) -> bool:  # wrong
        return True


class Members(LiveQuery):
    pattern = "members"
    fields = ["id", "username"]
    interval = 0.2

    def queryset(self) -> QuerySet[User]:
        return User.objects.all()

    def visible_to(self, user: Any, row: Any) -> bool:
        return True


class WrongMembers(LiveQuery):
    max_rows = "many"  # wrong

    def queryset(self) -> list[User]:  # wrong
        return []


def querying() -> None:
    assert_type(Members().queryset(), QuerySet[User])
    changed(User, [7])
    changed(User, 7)  # wrong
    Members().queryset(7)  # wrong


@task(max_attempts=3, backoff=2.0, timeout=60, unique="report-{0}")
def report(year: int, *, draft: bool = False) -> str:
    return str(year)


@task
async def mail(to: str) -> None:
    pass


@every(minutes=5)
@task(takes_context=True)
def count(context: Context, number: int) -> int:
    context.progress(0.5, "half")
    context.raise_if_cancelled()
    assert_type(context.is_cancelled, bool)
    assert_type(context.attempt, int)
    context.progress("half")  # wrong
    context.progress(0.5, 7)  # wrong
    return number


@cron("@daily")
@task(priority=5, queue_name="slow")
def clean() -> None:
    pass


@task(attempts=3)  # wrong
def with_another_word() -> None:
    pass


@task(timeout="1 minute")  # wrong
def with_a_text() -> None:
    pass


def enqueuing(user: User) -> None:
    result = report.enqueue(2026, draft=True)
    assert_type(result.return_value, str)
    assert_type(count.enqueue(7).return_value, int)
    assert_type(report.using(viewer=user, priority=9).enqueue(2026).return_value, str)
    assert_type(report.step(2026), Step)
    chain(report.step(2026), mail.step("ada@example.org"))
    report.enqueue("2026")  # wrong
    report.enqueue(2026, final=True)  # wrong
    report.enqueue()  # wrong
    count.enqueue("seven")  # wrong
    report.step("2026")  # wrong
    report.using(attempts=3)  # wrong
    mail.enqueue(7)  # wrong
    clean.enqueue(7)  # wrong
    number: int = report.enqueue(2026).return_value  # wrong
    print(number)


async def aenqueuing(any_task: Task[[int], str]) -> str:
    result = await any_task.aenqueue(7)
    await any_task.aenqueue("7")  # wrong
    return result.return_value


class Reading(AsyncConsumer):
    async def read_scope(self) -> None:
        assert_type(self.scope["path"], str)
        assert_type(self.scope["query_string"], bytes)
        assert_type(self.scope["subprotocols"], list[str])
        assert_type(self.scope["url_route"]["kwargs"], dict[str, Any])
        path: bytes = self.scope["path"]  # wrong
        print(self.scope["url_route"]["keywords"], path)  # wrong
        await self.channel_layer.group_send("all", "text")  # wrong


async def talking(application: ASGIApp) -> None:
    client = TopicsCommunicator(application, headers=[(b"origin", b"http://testserver")])
    assert_type(await client.connect(), dict[str, Any])
    assert_type(await client.subscribe(Board(name="test")), dict[str, Any])
    await client.publish("board:test", {"text": "x"})
    await client.receive_push(timeout=2)
    await client.receive_push(timeout="2")  # wrong
    await client.rpc(7)  # wrong
    TopicsCommunicator(application, headers={"origin": "x"})  # wrong
    await WebsocketCommunicator(application, 7).connect()  # wrong
