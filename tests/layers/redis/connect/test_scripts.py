"""Scripts, and the commands that run them."""

from __future__ import annotations

import redis

from channels.layers.redis.connect.scripts import Script, script_of


def test_a_script_runs_by_text_and_then_by_name(server):
    script = Script("return {KEYS[1], ARGV[1]}")
    with redis.Redis(port=server.port) as client:
        client.script_flush()
        assert client.execute_command(*script.by_text(("key",), "value")) == [b"key", b"value"]
        assert client.execute_command(*script.by_name((b"key",), 1)) == [b"key", b"1"]
        assert client.script_exists(script.sha) == [True]


def test_a_script_is_made_of_files_in_order(tmp_path):
    (tmp_path / "common.lua").write_text("local x = 'é'\n", "utf-8")
    (tmp_path / "get.lua").write_text("return x\n", "utf-8")
    script = script_of(tmp_path, "common", "get")
    assert script.text == "local x = 'é'\nreturn x\n"
    assert script_of(tmp_path, "get").sha != script.sha
