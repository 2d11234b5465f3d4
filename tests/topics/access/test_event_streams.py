"""Plain event streams render for the user as they are now."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from channels.topics import Entry, History, Topic
from tests.access.sessions import cookie_of, session_for
from tests.topics.transports.streams import opened

pytestmark = pytest.mark.django_db(transaction=True)


class Greeting(Topic):
    pattern = "greeting:<int:number>"
    history = History(size=10, ttl=60)

    def may_subscribe(self, user: Any) -> bool:
        return True

    def render(self, publication: Entry, user: Any, request: Any) -> str:
        return f"{user.get_username()} {user.has_perm('auth.view_group')}"


async def test_a_changed_permission_shows_in_what_is_rendered(pages: str, ada: Any) -> None:
    session = await sync_to_async(session_for)(ada)
    headers = dict(cookie_of(session))
    async with opened(f"{pages}/sse/?topic=greeting:1", headers=headers) as stream:
        await stream.named("ready")
        await Greeting(number=1).apublish(1)
        assert (await stream.event()).data == "ada True"
        await sync_to_async(ada.user_permissions.clear)()
        async with asyncio.timeout(5):
            said = "ada True"
            while said == "ada True":
                await Greeting(number=1).apublish(1)
                said = (await stream.event()).data
        assert said == "ada False"
