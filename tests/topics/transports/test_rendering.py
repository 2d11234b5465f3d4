"""Publications as HTML in plain event streams."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from tests.topics.topics_for_tests import Card, Room, Shown
from tests.topics.transports.streams import opened

TEMPLATE = """{% load i18n %}<div id="card">
  {{ data.text }} {% if data.text == "who" %}{{ user.is_anonymous }}{% endif %} {{ 1.5 }}
</div>"""


@pytest.fixture(autouse=True)
def templates() -> Iterator[None]:
    loader = ("django.template.loaders.locmem.Loader", {"card.html": TEMPLATE})
    engine = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [loader]},
    }
    Shown.renderings.clear()
    with override_settings(
        TEMPLATES=[engine],
        MIDDLEWARE=["django.middleware.locale.LocaleMiddleware"],
        LANGUAGES=[("en", "English"), ("de", "Deutsch")],
    ):
        yield


async def test_a_template_makes_html_that_is_escaped_and_in_the_language_of_the_client(address: str) -> None:
    url = f"{address}/sse/?topic=card:1"
    async with (
        opened(url, headers={"Accept-Language": "en"}) as english,
        opened(url, headers={"Accept-Language": "de"}) as german,
    ):
        await english.named("ready")
        await german.named("ready")
        Card(number=1).publish({"text": "<b>"})
        event = await english.event()
        assert event.data == '<div id="card">\n  &lt;b&gt;  1.5\n</div>'
        assert event.id.startswith("1:")
        assert (await german.event()).data == '<div id="card">\n  &lt;b&gt;  1,5\n</div>'
        Card(number=1).publish({"text": "who"})
        assert "who True" in (await english.event()).data


async def test_what_was_missed_is_rendered_too(address: str) -> None:
    async with opened(f"{address}/sse/?topic=card:1") as stream:
        await stream.named("ready")
        Card(number=1).publish({"text": "0"})
        last = (await stream.event()).id
    for number in range(1, 5):
        Card(number=1).publish({"text": str(number)})
    async with opened(f"{address}/sse/?topic=card:1&last_event_id={last}") as stream:
        await stream.named("ready")
        assert [(await stream.event()).data.split()[2] for _ in range(4)] == ["1", "2", "3", "4"]


async def test_it_is_rendered_once_for_all_and_in_a_thread(address: str) -> None:
    url = f"{address}/sse/?topic=shown:shared"
    async with opened(f"{url}&name=a") as a, opened(f"{url}&name=b") as b, opened(f"{url}&name=c") as c:
        for stream in (a, b, c):
            await stream.named("ready")
        Shown(kind="shared").publish(1)
        assert {(await stream.event()).data for stream in (a, b, c)} == {"<p>1</p>\n<p>all</p>"}
    assert len(Shown.renderings) == 1
    assert threading.get_ident() not in Shown.renderings


async def test_it_is_rendered_for_each_where_it_is_asked_for_whom(address: str) -> None:
    url = f"{address}/sse/?topic=shown:personal"
    async with opened(f"{url}&name=a") as a, opened(f"{url}&name=b") as b:
        for stream in (a, b):
            await stream.named("ready")
        Shown(kind="personal").publish(1)
        assert [(await stream.event()).data for stream in (a, b)] == [
            "<p>1</p>\n<p>a</p>",
            "<p>1</p>\n<p>b</p>",
        ]


async def test_nothing_is_sent_to_whom_it_is_not_shown_but_the_stream_moves_on(address: str) -> None:
    url = f"{address}/sse/?topic=shown:shared"
    async with opened(f"{url}&name=owner") as owner, opened(f"{url}&name=other") as other:
        for stream in (owner, other):
            await stream.named("ready")
        Shown(kind="shared").publish("hidden")
        Shown(kind="shared").publish("shown")
        assert "hidden" in (await owner.event()).data
        event = await other.event()
        assert "shown" in event.data
        assert event.id.startswith("2:")


async def test_a_rendering_that_fails_costs_its_publication_only(address: str, caplog: Any) -> None:
    async with opened(f"{address}/sse/?topic=shown:shared") as stream:
        await stream.named("ready")
        Shown(kind="shared").publish("broken")
        Shown(kind="shared").publish("next")
        event = await stream.event()
        assert "next" in event.data
        assert event.id.startswith("2:")
    assert "could not be rendered" in caplog.text


async def test_topics_that_are_rendered_and_others_share_a_stream_in_order(address: str) -> None:
    query = "topic=room:lobby&topic=shown:shared"
    async with opened(f"{address}/sse/?{query}") as stream:
        await stream.named("ready")
        for number in range(10):
            Shown(kind="shared").publish(number)
        found = [await stream.event() for _ in range(10)]
        Room(name="lobby").publish({"plain": True})
        last = await stream.event()
        assert [each.data.partition("</p>")[0] for each in found] == [f"<p>{n}" for n in range(10)]
        assert json.loads(last.data) == {"plain": True}
        assert [part.partition(":")[0] for part in last.id.split(",")] == ["1", "10"]
