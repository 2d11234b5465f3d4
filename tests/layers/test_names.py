from __future__ import annotations

import pytest

from channels.layers.names import CHANNEL_NAME, GROUP_NAME, is_process_local, non_local_name


@pytest.mark.parametrize("name", ["a", "Z-9_.", "a!", "a!b", "specific.inmemory!x"])
def test_channel_names_that_fit(name):
    assert CHANNEL_NAME.match(name)


@pytest.mark.parametrize("name", ["", "!", "!a", "a!b!c", "a b", "é", "a\n", "a!\n", "٣"])
def test_channel_names_that_do_not(name):
    assert not CHANNEL_NAME.match(name)


@pytest.mark.parametrize("name", ["a!b", "", "a/b", "a\n"])
def test_group_names_that_do_not_fit(name):
    assert not GROUP_NAME.match(name)


def test_the_part_that_other_processes_route_by():
    assert non_local_name("prefix.x!y") == "prefix.x!"
    assert non_local_name("chat") == "chat"
    assert is_process_local("a!b")
    assert not is_process_local("ab")
