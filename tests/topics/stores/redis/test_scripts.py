"""The scripts of topics."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.layers.redis.connect.scripts import Script
from channels.topics.stores.redis import scripts

ALL = {name: script for name, script in vars(scripts).items() if isinstance(script, Script)}
FILES = Path(scripts.__file__).parent / "lua"


@pytest.mark.parametrize("name", ALL)
def test_redis_takes_each_script_under_the_name_we_expect(server, name):
    assert server.ask("SCRIPT", "LOAD", ALL[name].text) == ALL[name].sha.encode()


def test_every_file_is_used():
    texts = [script.text for script in ALL.values()]
    for file in FILES.rglob("*.lua"):
        assert any(file.read_text() in text for text in texts), file


def test_no_script_says_what_redis_6_does_not_know():
    for script in ALL.values():
        assert not script.text.startswith("#!")
