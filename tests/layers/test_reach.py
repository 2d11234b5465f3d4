"""Layers in memory end at the border of their process: whoever starts several is told."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.test import override_settings

from channels.layers import InMemoryChannelLayer
from channels.layers.reach import layers_in_memory, warn_of_several_processes, warn_worker


class Subclass(InMemoryChannelLayer):
    """One of a project's own."""


MEMORY = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
HOST = {"BACKEND": "channels.layers.host.HostChannelLayer"}


@pytest.mark.parametrize(
    ("layers", "inside"),
    [
        ({"default": MEMORY}, ["default"]),
        ({"default": HOST, "other": MEMORY, "own": {"BACKEND": f"{__name__}.Subclass"}}, ["other", "own"]),
        ({"default": HOST}, []),
        ({"default": {"BACKEND": "nowhere.Layer"}, "empty": {}}, []),
        ({"default": {"BACKEND": "channels.layers.reach.layers_in_memory"}}, []),
        ({}, []),
    ],
)
def test_which_layers_end_with_the_process(layers, inside):
    with override_settings(CHANNEL_LAYERS=layers):
        assert layers_in_memory() == inside


def test_the_warning_names_them_and_the_remedy(caplog):
    with override_settings(CHANNEL_LAYERS={"default": MEMORY, "other": MEMORY}):
        warn_of_several_processes()
    assert "The channel layer of 'default', 'other' is in memory" in caplog.text
    assert "channels.layers.host.HostChannelLayer" in caplog.text


def test_there_is_none_where_all_are_reached(caplog):
    with override_settings(CHANNEL_LAYERS={"default": HOST}):
        warn_of_several_processes()
    assert caplog.text == ""


def test_a_process_without_settings_has_no_layers():
    program = "from channels.layers.reach import warn_of_several_processes as warn; warn(); print('fine')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_without_settings_in_this_process(monkeypatch, caplog):
    from django.core.exceptions import ImproperlyConfigured

    def unset() -> list[str]:
        raise ImproperlyConfigured("no settings")

    monkeypatch.setattr("channels.layers.reach.layers_in_memory", unset)
    warn_of_several_processes()
    assert caplog.text == ""


def test_a_worker_of_a_layer_in_memory_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(CHANNEL_LAYERS={"default": HOST, "other": MEMORY}):
        warn_worker("default")
        assert not caplog.messages
        warn_worker("other")
    assert caplog.messages[0].startswith(
        "The channel layer 'other' is in memory, so this worker gets nothing"
    )
