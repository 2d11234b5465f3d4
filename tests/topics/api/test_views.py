"""The API as HTTP: who may ask, what is refused, how errors look."""

import json
import logging
from typing import Any

import aiohttp
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels import telemetry
from channels.server.config import Config
from channels.topics.api.keys import api_keys
from channels.topics.api.views import METHODS
from tests.topics.api.conftest import KEYS

AUTHORIZED = {"X-API-Key": KEYS[0]}


@pytest.fixture
def url(ports: tuple[int, int]) -> str:
    return f"http://127.0.0.1:{ports[0]}/api/"


async def asked(url: str, body: Any = None, method: str = "POST", **options: Any) -> tuple[int, Any]:
    """Send a request; returns the status, and the body as JSON or else as text."""
    if body is not None:
        options["data"] = body if isinstance(body, bytes) else json.dumps(body)
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:
        text = await response.text()
        return response.status, json.loads(text) if response.content_type == "application/json" else text


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-API-Key": KEYS[0]}, ""),
        ({"X-API-Key": KEYS[1]}, ""),
        ({"Authorization": f"apikey {KEYS[0]}"}, ""),
        ({"Authorization": f"ApiKey {KEYS[1]}"}, ""),
        ({}, f"?api_key={KEYS[0]}"),
    ],
)
async def test_a_key_is_shown_in_three_ways(url: str, headers: dict[str, str], query: str) -> None:
    status, answer = await asked(f"{url}publish{query}", {"channel": "room:a", "data": 1}, headers=headers)
    assert (status, answer["result"]["offset"]) == (200, 1)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"X-API-Key": "wrong"}, ""),
        ({"X-API-Key": KEYS[0][:-1]}, ""),
        ({"X-API-Key": "ü"}, ""),
        ({"Authorization": f"Bearer {KEYS[0]}"}, ""),
        ({}, "?api_key="),
    ],
)
async def test_who_shows_no_key_gets_nothing(
    url: str, headers: dict[str, str], query: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert await asked(f"{url}info{query}", {}, headers=headers) == (401, "")
    assert await asked(f"{url}nothing{query}", {}, headers=headers) == (401, "")
    assert KEYS[0][:-1] not in caplog.text


async def test_a_key_does_not_stand_in_a_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []
    detach = telemetry.attach(lambda event, facts: seen.append(f"{event} {facts}"))
    caplog.set_level(logging.DEBUG)
    await asked(f"{url}nothing?api_key={KEYS[0]}", {})
    await asked(f"{url}info?api_key={KEYS[0]}x", {})
    detach()
    assert any(each.startswith("topics.api_refused") for each in seen)
    assert "api_key" in str(Config.__dataclass_fields__["access_log_mask"].default)
    assert KEYS[0] not in caplog.text
    assert KEYS[0] not in " ".join(seen)


async def test_it_is_off_without_a_key(url: str) -> None:
    with override_settings(CHANNELS_TOPICS={}):
        status, words = await asked(f"{url}info", {}, headers={"X-API-Key": ""})
    assert status == 404
    assert "API_KEY" in words


@pytest.mark.parametrize("keys", ["short", ["a-key-that-is-long-enough", "short"], [17], ["x" * 15]])
def test_a_key_is_a_long_text(keys: Any) -> None:
    with (
        override_settings(CHANNELS_TOPICS={"API_KEY": keys}),
        pytest.raises(ImproperlyConfigured, match="16 characters") as raised,
    ):
        api_keys()
    assert "short" not in str(raised.value)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "info", None, 405),
        ("OPTIONS", "info", None, 405),
        ("POST", "nothing", {}, 404),
        ("POST", "map_publish", {}, 404),
        ("POST", "publish", b"{", 400),
        ("POST", "publish", b"[]", 400),
        ("POST", "publish", b'{"channel": 1}', 400),
        ("POST", "publish", b'{"channel": "room:a", "data": "\xff"}', 400),
        ("POST", "batch", b'{"commands": 1}', 400),
        ("POST", "publish", b" " * 1_048_577, 413),
    ],
)
async def test_what_is_no_request_is_refused(
    url: str, method: str, path: str, body: Any, status: int
) -> None:
    found, _ = await asked(url + path, body, method, headers=AUTHORIZED)
    assert found == status


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("publish", {"channel": "nowhere", "data": 1}, 404, 102),
        ("publish", {"channel": "room:a"}, 400, 107),
        ("publish", {"channel": "room:a", "b64data": "!"}, 400, 107),
        ("publish", {"channel": "room:a", "b64data": "eA=="}, 400, 107),
        ("presence", {"channel": "typed:1"}, 400, 108),
        ("history", {"channel": "room:a", "since": {"offset": 1, "epoch": "x"}}, 416, 112),
        ("rpc", {"method": "nothing"}, 404, 104),
        ("channels", {"pattern": "x" * 256}, 400, 107),
    ],
)
async def test_errors_are_statuses_where_that_is_wanted(
    url: str, path: str, body: Any, status: int, code: int
) -> None:
    found, answer = await asked(url + path, body, headers=AUTHORIZED)
    assert (found, answer["error"]["code"]) == (200, code)
    headers = {**AUTHORIZED, "X-Centrifugo-Error-Mode": "transport"}
    found, answer = await asked(url + path, body, headers=headers)
    assert (found, answer["code"]) == (status, code)
    assert answer["message"]


async def test_what_clients_may_call_the_api_calls_too(url: str) -> None:
    body = {"method": "add", "params": {"numbers": [1, 2]}}
    assert await asked(f"{url}rpc", body, headers=AUTHORIZED) == (200, {"result": {"data": 3}})
    body = {"method": "room:lobby/rename", "params": {"title": "taken"}}
    status, answer = await asked(f"{url}rpc", body, headers=AUTHORIZED)
    assert (status, answer["error"]["code"]) == (200, 409)
    body = {"method": "add", "params": {"numbers": "x"}}
    status, answer = await asked(f"{url}rpc", body, headers=AUTHORIZED)
    assert (answer["error"]["code"], "$.numbers" in answer["error"]["message"]) == (107, True)


async def test_a_batch_answers_each_command_by_its_name_or_with_its_error(url: str) -> None:
    commands = [
        {"publish": {"channel": "room:a", "data": 1}},
        {"publish": {"channel": "nowhere", "data": 1}},
        {"nothing": {}},
        {"publish": {"channel": 1}},
        {},
    ]
    status, answer = await asked(f"{url}batch", {"commands": commands}, headers=AUTHORIZED)
    first, *others = answer["replies"]
    assert (status, first["publish"]["offset"]) == (200, 1)
    assert [each["error"]["code"] for each in others] == [102, 104, 107, 104]
    status, answer = await asked(f"{url}batch", {"commands": [{}] * 1001}, headers=AUTHORIZED)
    assert answer["error"]["code"] == 107


async def test_methods_without_parameters_need_no_body(url: str) -> None:
    status, answer = await asked(f"{url}channels", headers=AUTHORIZED)
    assert (status, answer) == (200, {"result": {"channels": {}}})


def test_the_methods_are_those_of_centrifugo_that_apply() -> None:
    assert METHODS.keys() == {
        "publish", "broadcast", "subscribe", "unsubscribe", "disconnect", "refresh", "presence",
        "presence_stats", "history", "history_remove", "channels", "info", "rpc",
    }  # fmt: skip
