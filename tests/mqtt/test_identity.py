"""Who may connect: tokens, the project's own function, and clients that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from channels.mqtt.identity import Refused, default_authenticate, user_of
from channels.protocols.mqtt.codes import Reason
from channels.protocols.mqtt.packets import Connect
from channels.topics.tokens.issuing import create_connection_token

SCOPE: dict[str, Any] = {"type": "tcp"}


async def refusal(connect: Connect) -> Reason:
    with pytest.raises(Refused) as refused:
        await default_authenticate(SCOPE, connect)
    return refused.value.reason


@pytest.mark.django_db(transaction=True)
async def test_a_password_alone_is_a_token(settings: Any) -> None:
    settings.CHANNELS_TOPICS = {"TOKENS": {"SECRET": "a text that only servers know, long enough"}}
    ada = await get_user_model().objects.acreate_user("ada")
    token = create_connection_token(ada)
    assert await default_authenticate(SCOPE, Connect("c", password=token.encode())) == ada
    assert await refusal(Connect("c", password=b"no token")) == Reason.BAD_USER_NAME_OR_PASSWORD
    assert await refusal(Connect("c", password=b"\xff")) == Reason.BAD_USER_NAME_OR_PASSWORD


@pytest.mark.django_db(transaction=True)
async def test_a_password_that_is_no_text_is_wrong() -> None:
    assert await refusal(Connect("c", username="ada", password=b"\xff")) == Reason.BAD_USER_NAME_OR_PASSWORD


async def test_clients_that_nobody_knows_may_be_refused(settings: Any) -> None:
    assert (await default_authenticate(SCOPE, Connect("c"))).is_anonymous
    settings.CHANNELS_TOPICS = {"ANONYMOUS": False}
    assert await refusal(Connect("c")) == Reason.NOT_AUTHORIZED


async def test_a_function_of_the_project_may_be_sync() -> None:
    anybody = AnonymousUser()
    assert await user_of(lambda scope, connect: anybody, SCOPE, Connect("c")) is anybody
    with pytest.raises(Refused):
        await user_of(lambda scope, connect: None, SCOPE, Connect("c"))
