"""What topics say to a user, and why one says no to everybody."""

from typing import Any, ClassVar

import pytest

from channels.topics import Topic
from channels.topics.session.permissions import may_publish, may_publish_ephemeral, may_subscribe


class Answers(Topic):
    pattern = "answers:<slug:name>"
    name: str
    asked: ClassVar[list[Any]] = []

    def may_subscribe(self, user: Any) -> bool:
        self.asked.append(user)
        return self.name == "open"

    async def may_publish(self, user: Any, data: Any) -> bool:
        return bool(data == "good")


class Silent(Topic):
    pattern = "silent"


async def test_sync_and_async_methods_are_asked() -> None:
    assert await may_subscribe(Answers(name="open"), "ada")
    assert not await may_subscribe(Answers(name="closed"), "ada")
    assert Answers.asked == ["ada", "ada"]
    assert await may_publish(Answers(name="open"), "ada", "good")
    assert not await may_publish(Answers(name="open"), "ada", "bad")
    assert await may_publish_ephemeral(Answers(name="open"), "ada", "anything")


async def test_who_says_nothing_says_no_and_the_log_says_why_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        assert not await may_subscribe(Silent(), "ada")
        assert not await may_publish(Silent(), "ada", "data")
    texts = [record.getMessage() for record in caplog.records]
    assert texts == [
        f"silent was refused, as it is to everybody: {__name__}.Silent has no {method}()."
        for method in ("may_subscribe", "may_publish")
    ]


async def test_a_method_that_is_replaced_is_asked_as_what_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = Answers(name="open")
    assert await may_publish(topic, "ada", "good")
    monkeypatch.setattr(Answers, "may_publish", lambda self, user, data: data == "bad")
    assert await may_publish(topic, "ada", "bad")
    assert not await may_publish(topic, "ada", "good")
