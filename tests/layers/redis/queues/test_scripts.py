from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from redis import Redis

from channels.layers.redis.connect.scripts import Script
from channels.layers.redis.queues import scripts

ALL = {name: script for name, script in vars(scripts).items() if isinstance(script, Script)}
FILES = Path(scripts.__file__).parent / "lua"


@pytest.mark.parametrize("name", ALL)
def test_redis_takes_each_script_under_the_name_we_expect(server, name):
    script = ALL[name]
    with Redis.from_url(server.url) as client:
        loaded = client.script_load(script.text)
    assert loaded == script.sha == hashlib.sha1(script.text.encode()).hexdigest()


def test_every_file_is_part_of_a_script():
    for path in FILES.glob("*.lua"):
        assert any(path.read_text() in script.text for script in ALL.values()), path.name


def test_no_script_begins_with_what_redis_6_cannot_read():
    assert not [name for name, script in ALL.items() if script.text.startswith("#!")]


def test_every_script_is_given_its_keys_and_arguments(server):
    command = scripts.TAKE.by_name(("{q}.r", "{q}.t", "{q}.l", "{q}.h"), 1000)
    assert command[:3] == ("EVALSHA", scripts.TAKE.sha, 4)
    with Redis.from_url(server.url) as client:
        text = scripts.TAKE.by_text(("{q}.r", "{q}.t", "{q}.l", "{q}.h"), 1000)
        assert client.execute_command(*text) == client.execute_command(*command) == [0]
