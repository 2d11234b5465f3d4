"""``manage.py doctor``: a project in processes of its own, right and wrong."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from channels.inspector.management.commands.realtime import _queue_lines
from channels.observability.doctor.local.redis_steps import redis_steps
from channels.observability.doctor.local.service_steps import task_steps
from channels.observability.doctor.site.target import Target
from channels.observability.doctor.site.websocket import workers_step
from channels.observability.doctor.steps import Status, Step, as_data, as_text, exit_code
from channels.observability.problems import KINDS
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer, Sentinel
from tests.support.served import environment, served

pytestmark = pytest.mark.timeout(120)

KEY = "a key of this project, which is long enough for the checks of deployments: 0123456789"
PROJECT = """
from pathlib import Path

BASE_DIR = Path(__file__).parent
SECRET_KEY = KEY_OF_TEST
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["channels"]
ASGI_APPLICATION = "site_asgi.application"
ROOT_URLCONF = "site_settings"
urlpatterns = []
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CHANNEL_LAYERS = {"default": BACKEND_OF_TEST}
"""
ASGI = """
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
import django
django.setup()

from channels.observability.doctor.probe import with_doctor
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

application = with_doctor(ProtocolTypeRouter({"http": get_asgi_application()}))
"""
HOST = '{"BACKEND": "channels.layers.host.HostChannelLayer", "CONFIG": {"path": str(BASE_DIR / "l")}}'
MEMORY = '{"BACKEND": "channels.layers.InMemoryChannelLayer"}'


@contextmanager
def project(folder: Path, layer: str, *options: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A project that is served; its address, and the environment of its commands."""
    (folder / "site_settings.py").write_text(
        PROJECT.replace("BACKEND_OF_TEST", layer).replace("KEY_OF_TEST", repr(KEY))
    )
    (folder / "site_asgi.py").write_text(ASGI)
    env = environment(DJANGO_SETTINGS_MODULE="site_settings", PYTHONPATH=str(folder))
    port = free_port()
    command = ["daphne", "-v", "0", "-p", str(port), *options, "site_asgi:application"]
    with served(command, port, folder=folder, log=folder / "log", env=env):
        yield f"http://127.0.0.1:{port}", env


def doctor(env: dict[str, str], *arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "django", "doctor", "--json", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=90)
    assert done.stdout, done.stderr
    return done.returncode, {step["name"]: step for step in json.loads(done.stdout)["steps"]}


def test_what_is_right_is_found_right(tmp_path: Path) -> None:
    with project(tmp_path, HOST, "--workers", "2") as (url, env):
        code, found = doctor(env, "--url", url, "--idle", "0.2")
    assert (code, [each for each in found.values() if each["status"] == "error"]) == (0, [])
    assert list(found)[:4] == ["settings", "layer default", "layer default expiry", "database default"]
    assert found["layer default"]["saw"].startswith("answered after")
    assert "idle" in found


class Alternating(Target):
    """A site whose sockets come to two servers in turn, as a balancer would have it."""

    ports: ClassVar[Iterator[int]]

    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{next(self.ports)}{self.path('socket')}"


@pytest.mark.parametrize(("layer", "says"), [(HOST, "heard after"), (MEMORY, "nothing was heard")])
def test_two_servers_hear_each_other_where_the_layer_reaches(
    tmp_path: Path, layer: str, says: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr("channels.observability.doctor.site.websocket._HEARD", 1.0)
    with project(tmp_path, layer, "--workers", "1") as (one, _), project(tmp_path, layer) as (other, _):
        settings.SECRET_KEY = KEY
        Alternating.ports = itertools.cycle(urlsplit(url).port or 0 for url in (one, other))
        found = workers_step(Alternating(one))
    assert found.saw.startswith(says)
    assert found.status is (Status.OK if layer == HOST else Status.ERROR)


def test_a_layer_in_memory_is_named(tmp_path: Path) -> None:
    with project(tmp_path, MEMORY) as (_, env):
        code, found = doctor(env)
    assert code == 0
    assert found["layer default"]["status"] == "warning"


def test_a_site_that_is_away_is_found(tmp_path: Path) -> None:
    with project(tmp_path, HOST) as (_, env):
        pass
    code, found = doctor(env, "--url", f"http://127.0.0.1:{free_port()}")
    assert code == 1
    assert found["request"]["status"] == "error"
    assert "refused" in found["request"]["saw"]


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


def test_policies_of_redis_that_lose_messages_are_named(redis_server: RedisServer) -> None:
    config = {"hosts": [redis_server.url]}
    (right,) = redis_steps("layer default", config)
    assert (right.status, "version" in right.saw) == (Status.OK, True)
    client = redis_server.client()
    client.config_set("maxmemory", "100mb")
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("client-output-buffer-limit", "pubsub 65536 65536 60")
    client.config_set("timeout", "5")
    (wrong,) = redis_steps("layer default", config)
    assert wrong.status is Status.WARNING
    for said in ("maxmemory-policy is allkeys-lru", "pubsub is 65536 bytes", "timeout is 5 s"):
        assert said in wrong.saw
    assert "noeviction" in wrong.remedy


def test_redis_that_is_away_is_named_in_the_words_of_the_inspector() -> None:
    (found,) = redis_steps("layer default", {"hosts": [("127.0.0.1", free_port())]})
    assert found.status is Status.ERROR
    assert "does not answer: " in found.saw and found.remedy == KINDS["dropped.unreachable"].remedy


def test_a_store_of_tasks_that_is_away_is_named_in_the_words_of_the_inspector(settings: Any) -> None:
    options = {"store": "redis", "hosts": [("127.0.0.1", free_port())]}
    settings.TASKS = {"away": {"BACKEND": "channels.tasks.TaskBackend", "QUEUES": [], "OPTIONS": options}}
    (found,) = task_steps()
    assert (found.status, found.remedy) == (Status.ERROR, KINDS["tasks_away"].remedy)
    assert found.saw.startswith("away: the store of tasks does not answer: StoreUnavailable: ")
    assert _queue_lines("away") == [f"tasks {found.saw}"]


def test_each_shard_is_looked_at(redis_server: RedisServer) -> None:
    away = free_port()
    hosts = [redis_server.url, f"redis://:secret@127.0.0.1:{away}", ("127.0.0.1", redis_server.port)]
    redis_server.client().config_set("timeout", "5")
    found = list(redis_steps("layer default", {"hosts": hosts}))
    assert [(each.name, each.status) for each in found] == [
        ("layer default redis 0", Status.WARNING),
        ("layer default redis 1", Status.ERROR),
        ("layer default redis 2", Status.WARNING),
    ]
    assert str(away) in found[1].saw
    assert "secret" not in as_text(found)


def test_the_master_behind_sentinels_is_looked_at_and_each_sentinel() -> None:
    with RedisServer() as primary, Sentinel(primary.port, "orders") as sentinel:
        away = free_port()
        primary.client().config_set("timeout", "5")
        url = f"redis+sentinel://127.0.0.1:{sentinel.port},127.0.0.1:{away}/orders/0"
        sentinels, master = redis_steps("layer default", {"hosts": [url]})
    assert (sentinels.status, master.status) == (Status.WARNING, Status.WARNING)
    assert f"1 of 2 answer; 127.0.0.1:{away}: ConnectionError" in sentinels.saw
    assert "timeout is 5 s" in master.saw


def test_hosts_that_cannot_be_read_are_named() -> None:
    (found,) = redis_steps("layer default", {"hosts": ["http://127.0.0.1"]})
    assert (found.status, "hosts[0] must begin with redis://" in found.saw) == (Status.ERROR, True)


def test_what_is_said_is_a_table_and_the_exit_code_is_for_deployments() -> None:
    steps = [
        Step("dns", "looked up a", "192.0.2.1"),
        Step("tls", "shook hands", "refused", Status.ERROR, "Renew it."),
    ]
    assert as_text(steps).splitlines() == [
        "   ok  dns: looked up a",
        "       192.0.2.1",
        "ERROR  tls: shook hands",
        "       refused",
        "       -> Renew it.",
        "2 steps, 1 errors, 0 warnings.",
    ]
    assert (exit_code(steps), exit_code(steps[:1])) == (1, 0)
    assert as_data(steps)["ok"] is False
