"""The system checks, each with its remedy."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.asgi import get_asgi_application
from django.urls import path

from channels.auth import AuthMiddlewareStack
from channels.checks import (
    check_asgi_application,
    check_channel_layers,
    check_containers,
    check_distributions,
    check_logging,
    check_origin_validation,
    check_redis_hosts,
    check_runserver,
    check_topics_served,
    check_topics_settings,
)
from channels.consumer import AsyncConsumer
from channels.process import platforms
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django_fairway import presence
from django_fairway.presence import Presence

consumer = AsyncConsumer.as_asgi()
bare = URLRouter([path("a/", consumer)])
partly = URLRouter([path("a/", AllowedHostsOriginValidator(consumer)), path("b/", consumer)])
each = URLRouter([path("a/", AllowedHostsOriginValidator(consumer))])


class Wrapper:
    """A middleware as other packages write them."""

    def __init__(self, app: Any) -> None:
        self.app = app


outside = ProtocolTypeRouter({"websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(bare))})
inside = ProtocolTypeRouter({"websocket": AuthMiddlewareStack(AllowedHostsOriginValidator(bare))})
per_route = ProtocolTypeRouter({"websocket": AuthMiddlewareStack(each)})
some_routes = ProtocolTypeRouter({"websocket": AuthMiddlewareStack(partly)})
unguarded = ProtocolTypeRouter({"websocket": AuthMiddlewareStack(bare)})
wrapped = Wrapper(unguarded)
one_consumer = ProtocolTypeRouter({"websocket": consumer})
pages = get_asgi_application()
http_only = ProtocolTypeRouter({"http": consumer})


def ids(found: list[checks.CheckMessage]) -> list[str | None]:
    assert all(message.hint for message in found)
    return [message.id for message in found]


@pytest.mark.parametrize(
    ("application", "found"),
    [
        (f"{__name__}.pages", ["channels.W006"]),
        (f"{__name__}.http_only", ["channels.W006"]),
        (f"{__name__}.wrapped", []),
        (f"{__name__}.consumer", []),
        ("no.such.module", []),
    ],
)
def test_a_project_with_topics_takes_websockets(application: str, found: list[str], settings: Any) -> None:
    settings.ASGI_APPLICATION = application
    assert check_topics_served(None) == []
    settings.INSTALLED_APPS = ["channels", "channels.topics"]
    assert ids(check_topics_served(None)) == found


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        (None, ["channels.W001"]),
        ("", ["channels.W001"]),
        ("no.such.module", ["channels.E001"]),
        (f"{__name__}.nothing", ["channels.E001"]),
        (3, ["channels.E001"]),
        (f"{__name__}.outside", []),
    ],
)
def test_asgi_application(setting: Any, found: list[str], settings: Any) -> None:
    settings.ASGI_APPLICATION = setting
    messages = check_asgi_application(None)
    assert ids(messages) == found
    if found == ["channels.E001"]:
        assert repr(setting) in messages[0].msg
    assert check_origin_validation(None) == []


def test_an_application_that_cannot_be_imported_is_shown_with_its_place(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_asgi.py").write_text("\nx = undefined\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings.ASGI_APPLICATION = "broken_asgi.application"
    (message,) = check_asgi_application(None)
    assert message.msg.endswith(f"name 'undefined' is not defined ({tmp_path}/broken_asgi.py:2)")


@pytest.mark.parametrize(
    ("command", "apps", "found"),
    [
        (["runserver"], [], ["channels.W004"]),
        (["runserver", "8001"], ["django.contrib.contenttypes"], ["channels.W004"]),
        (["runserver", "--noasgi"], [], []),
        (["runserver"], ["daphne"], []),
        (["check"], [], []),
        ([], [], []),
    ],
)
def test_runserver_without_our_app(
    command: list[str], apps: list[str], found: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["manage.py", *command])
    settings.INSTALLED_APPS = apps
    settings.ASGI_APPLICATION = "project.asgi.application"
    assert ids(check_runserver(None)) == found
    settings.ASGI_APPLICATION = None
    assert check_runserver(None) == []


def test_without_the_setting(settings: Any) -> None:
    del settings.ASGI_APPLICATION
    assert ids(check_asgi_application(None)) == ["channels.W001"]


@pytest.mark.parametrize(
    ("name", "guarded"),
    [
        ("outside", True),
        ("inside", True),
        ("per_route", True),
        ("some_routes", False),
        ("unguarded", False),
        ("wrapped", False),
        ("one_consumer", False),
        ("http_only", True),
        ("consumer", True),
    ],
)
def test_origin_validation(name: str, guarded: bool, settings: Any) -> None:
    settings.ASGI_APPLICATION = f"{__name__}.{name}"
    assert ids(check_origin_validation(None)) == ([] if guarded else ["channels.W002"])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Presence((), (), (), ()), ""),
        (
            Presence(("channels 4.3.2", "channels-redis 4.3.0"), (), (), ()),
            "channels 4.3.2, channels-redis 4.3.0",
        ),
        (Presence((), ("daphne/server.py",), (), ()), "1 of its files are gone, among them daphne/server.py"),
    ],
)
def test_distributions(found: Presence, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "look", lambda: found)
    messages = check_distributions(None)
    assert ids(messages) == (["channels.E002"] if said else [])
    if said:
        assert said in messages[0].msg
        assert f"Run '{presence.remedy()}'" in str(messages[0].hint)  # it depends on how Fairway is installed


class TestChannelLayers:
    def test_in_memory_ends_at_the_process(self, settings: Any) -> None:
        layer = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
        settings.CHANNEL_LAYERS = {"default": layer, "other": layer}
        found = check_channel_layers(None)
        assert ids(found) == ["channels.W003"]
        assert "'default', 'other'" in found[0].msg

    @pytest.mark.parametrize(
        "config", [{}, {"BACKEND": "no.such.Layer"}, {"BACKEND": "channels.db.sync_threads"}]
    )
    def test_others_are_not_its_business(self, config: dict[str, str], settings: Any) -> None:
        settings.CHANNEL_LAYERS = {"default": config}
        assert check_channel_layers(None) == []

    def test_without_the_setting(self, settings: Any) -> None:
        settings.CHANNEL_LAYERS = {}
        assert check_channel_layers(None) == []


def test_stores_of_topics_in_memory_end_there_too(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.host.HostChannelLayer"}}
    assert check_channel_layers(None) == []
    settings.CHANNELS_TOPICS = {"STORES": {"fast": {"BACKEND": "channels.topics.stores.memory.MemoryStore"}}}
    found = check_channel_layers(None)
    assert ids(found) == ["channels.W003"]
    assert "The store of topics 'fast' is in memory" in found[0].msg


@pytest.mark.parametrize(
    ("chosen", "said", "remedy"),
    [
        ({"API_KEY": "too short"}, "'API_KEY'] is a random text of 16 characters", "secrets.token_urlsafe"),
        ({"API_KEY": ["k" * 16, 7]}, "'API_KEY'] is a random text of 16 characters", "secrets.token_urlsafe"),
        ({"MAX_QUEUE_SIZE": 0}, "'MAX_QUEUE_SIZE'] is 0; it is a number above zero", "for the default"),
        ({"AUTHENTICATE": "no.such.function"}, "'AUTHENTICATE']: No module named 'no'", "package.module"),
        ({"TOKENS": {"SECRETS": "too short"}}, "'TOKENS']: SECRETS is unknown", "leave TOKENS out"),
    ],
)
def test_settings_of_topics_that_would_fail_at_first_use(
    chosen: dict[str, Any], said: str, remedy: str, settings: Any
) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "channels.topics"]
    settings.CHANNELS_TOPICS = chosen
    (found,) = check_topics_settings(None)
    assert found.id == "channels.E003"
    assert f"CHANNELS_TOPICS[{said}" in found.msg and remedy in str(found.hint)
    assert "too short" not in f"{found.msg}{found.hint}"
    assert found in checks.run_checks(tags=["channels"])
    settings.CHANNELS_TOPICS = {"API_KEY": ["k" * 16, "l" * 40], "TOKENS": {"SECRET": "s" * 32}}
    assert check_topics_settings(None) == []


@pytest.mark.parametrize(
    ("in_container", "config", "found"),
    [
        (True, {}, ["channels.W008"]),
        (True, {"CONFIG": {"project": "x"}}, ["channels.W008"]),
        (True, {"CONFIG": {"path": "/shared"}}, []),
        (False, {}, []),
    ],
)
def test_a_layer_for_one_host_in_a_container(
    in_container: bool,
    config: dict[str, Any],
    found: list[str],
    settings: Any,
    monkeypatch: Any,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(platforms, "CONTAINER_MARKS", (str(tmp_path if in_container else tmp_path / "no"),))
    memory = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    host = {"BACKEND": "channels.layers.host.HostChannelLayer", **config}
    settings.CHANNEL_LAYERS = {"default": host, "other": memory}
    assert ids(check_containers(None)) == found


def test_errors_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_logging(None) == []
    for name in ("channels", "channels.server"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [logging.NullHandler()])
        monkeypatch.setattr(logging.getLogger(name), "propagate", False)
    found = check_logging(None)
    assert ids(found) == ["channels.W007"] * len(found)
    assert "the logger 'channels' is without a handler that writes errors" in found[0].msg
    assert "'loggers': {'channels': {'handlers': ['console'], 'level': 'INFO'}}" in str(found[0].hint)
    assert not [message for message in found if "'channels.topics'" in message.msg]  # said by its parent


def test_loggers_that_are_disabled_by_default_are_told_at_once_with_the_switch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a LOGGING does that says nothing of ``disable_existing_loggers``."""
    for name in ("channels.server", "channels.topics", "channels.layers"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    (found,) = check_logging(None)
    assert "the loggers 'channels.layers', 'channels.server', 'channels.topics' are disabled." in found.msg
    assert "'disable_existing_loggers': False" in str(found.hint)


def layers_with(hosts: Any, backend: str = "channels_redis.core.RedisChannelLayer") -> dict[str, Any]:
    return {"default": {"BACKEND": backend, "CONFIG": {"hosts": hosts}}}


@pytest.mark.parametrize(
    ("hosts", "text"),
    [
        ([None], "['CONFIG']: hosts[0] must be (host, port), a URL or a dict, got NoneType"),
        ("redis://h", "You must pass a list of Redis hosts"),
        ([("h", 1, 2)], "is passed over"),
        (["redis://:secret#@h"], "percent-encoded"),
    ],
)
@pytest.mark.parametrize("backend", ["core.RedisChannelLayer", "pubsub.RedisPubSubChannelLayer"])
def test_hosts_of_redis_that_cannot_be_understood(settings: Any, hosts: Any, text: str, backend: str) -> None:
    settings.CHANNEL_LAYERS = layers_with(hosts, f"channels_redis.{backend}")
    (found,) = check_redis_hosts(None)
    assert (found.id, found.level) == ("channels.W005", checks.WARNING)  # migrate must run all the same
    assert text in found.msg
    assert "secret" not in found.msg


def test_hosts_of_a_store_of_topics_that_cannot_be_understood(settings: Any) -> None:
    backend = "channels.topics.stores.redis.RedisStore"
    for hosts, amount in (([None], 1), (["redis://:secret#@h"], 1), (["redis://h"], 0)):
        store = {"BACKEND": backend, "CONFIG": {"hosts": hosts}}
        settings.CHANNELS_TOPICS = {"STORES": {"far": store}}
        found = check_redis_hosts(None)
        assert [each.id for each in found] == ["channels.W005"] * amount
        assert all(each.msg.startswith("CHANNELS_TOPICS['STORES']['far']['CONFIG']") for each in found)
        assert "secret" not in str(found)


def test_hosts_that_are_in_order_or_not_ours(settings: Any) -> None:
    for layers in (
        layers_with([("h", 1)]),
        layers_with(None),
        layers_with([None], "channels.layers.InMemoryChannelLayer"),
        layers_with([None], "no.such.Layer"),
        {"default": {}},
        {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer"}},
    ):
        settings.CHANNEL_LAYERS = layers
        assert check_redis_hosts(None) == []
