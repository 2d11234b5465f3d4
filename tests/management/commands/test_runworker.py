"""``manage.py runworker``, with the worker it is given and with the real one."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command

from channels.consumer import AsyncConsumer
from channels.layers.manager import get_channel_layer
from channels.management.commands.runworker import Command
from channels.routing import ChannelNameRouter, ProtocolTypeRouter
from channels.typing import Message
from channels.worker import Worker

MEMORY = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
handled: list[int] = []


class Resize(AsyncConsumer):
    """Handles one message and ends the worker as an operator would."""

    async def image_resize(self, message: Message) -> None:
        handled.append(message["n"])
        os.kill(os.getpid(), signal.SIGTERM)


application = ProtocolTypeRouter({"channel": ChannelNameRouter({"thumbnails": Resize.as_asgi()})})


@pytest.fixture
def project(settings: Any) -> Any:
    settings.ASGI_APPLICATION = f"{__name__}.application"
    settings.CHANNEL_LAYERS = {"default": MEMORY, "other": MEMORY}
    return settings


class Noting(Worker):
    """A worker that does not work."""

    made: list[tuple[Any, Any, Any]] = []

    def run(self) -> None:
        self.made.append((self.application, self.channels, self.channel_layer))


@pytest.mark.parametrize(("options", "alias"), [([], "default"), (["--layer", "other"], "other")])
def test_makes_the_worker(
    options: list[str], alias: str, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Command, "worker_class", Noting)
    monkeypatch.setattr(Noting, "made", [])
    call_command("runworker", *options, "one", "two")
    assert Noting.made == [(application, ["one", "two"], get_channel_layer(alias))]


def test_runs_consumers_until_it_is_told_to_stop(project: Any, caplog: pytest.LogCaptureFixture) -> None:
    handled.clear()
    caplog.set_level(logging.INFO)
    async_to_sync(get_channel_layer().send)("thumbnails", {"type": "image.resize", "n": 1})
    call_command("runworker", "thumbnails")
    assert handled == [1]
    assert f"Its layer is {get_channel_layer()!r}" in caplog.messages


def test_says_which_layer_is_missing(project: Any) -> None:
    with pytest.raises(CommandError, match="no channel layer 'nope'.*CHANNEL_LAYERS"):
        call_command("runworker", "--layer", "nope", "one")
    project.CHANNEL_LAYERS = {}
    with pytest.raises(CommandError, match="You do not have any CHANNEL_LAYERS configured"):
        call_command("runworker", "one")
    with pytest.raises(CommandError, match="required: channels"):
        call_command("runworker")


def test_channels_are_required_without_tasks_only(settings) -> None:
    with pytest.raises(CommandError, match="the following arguments are required: channels"):
        call_command("runworker")
    with pytest.raises(CommandError, match="nowhere"):
        call_command("runworker", "--tasks", "--backend", "nowhere")
    settings.TASKS = {"default": {"BACKEND": "nothing.of.this.Name"}}
    with pytest.raises(CommandError, match=r"nothing\.of\.this"):
        call_command("runworker", "--tasks")
