"""A mistake in ``hosts`` is told at first use and by the system check, without a password."""

from __future__ import annotations

import logging
import traceback

import pytest

from channels.layers.redis.hosts.addresses import parse_entry
from channels.layers.redis.hosts.setting import Hosts, decode_hosts, mistakes_in
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.pubsub import RedisPubSubChannelLayer
from tests.layers.redis.tools import closing, receive

MISTAKES = [
    ([None], r"hosts\[0\] must be \(host, port\), a URL or a dict, got NoneType"),
    ([("h", None)], r"hosts\[0\] needs a number as port, got NoneType"),
    (["host:port"], r"hosts\[0\] must begin with redis://"),
    (
        [{"address": "redis://h", "ssl_ca_certs": "/x"}],
        r"hosts\[0\] has ssl_ca_certs but no TLS: write redis",
    ),
    (
        [{"address": None}],
        r"hosts\[0\] needs a URL or \(host, port\) as `address`, got NoneType; or write \{",
    ),
    ([("h", 1), (None, 1)], r"hosts\[1\] needs text as host, got NoneType"),
    ([{"host": "h", "protocol": "x"}], r"hosts\[0\] needs 2 or 3 as `protocol`, got 'x'"),
    (
        [{"sentinels": [("s", 1)], "master_name": "m", "sentinel_kwargs": {"no": 1}}],
        "`sentinel_kwargs` of",
    ),
]


@pytest.mark.parametrize("layer_class", [RedisChannelLayer, RedisPubSubChannelLayer])
@pytest.mark.parametrize(("hosts", "text"), MISTAKES)
async def test_a_mistake_is_raised_at_first_use(layer_class, hosts, text):
    layer = layer_class(hosts=hosts)
    assert "hosts that cannot be understood" in repr(layer)
    assert layer.ring_size == len(hosts)
    for call in (
        layer.group_send("g", {"type": "m"}),
        layer.new_channel(),
        layer.group_add("g", "x"),
        layer.send("queue", {"type": "m"}),
        layer.receive("queue"),
        layer.flush(),
    ):
        with pytest.raises((ValueError, TypeError), match=text):
            await call
    for send in (layer.sync.group_send, layer.sync.send):
        with pytest.raises((ValueError, TypeError), match=text):
            send("g", {"type": "m"})
    await layer.aclose()


@pytest.mark.parametrize("hosts", ["redis://h", b"redis://h", {"host": "h"}, 5])
def test_no_list_at_all_is_refused_at_once(hosts):
    """As on 4.3."""
    with pytest.raises(ValueError, match="You must pass a list of Redis hosts, even if there is only one"):
        RedisChannelLayer(hosts=hosts)


def test_all_mistakes_are_found_together():
    hosts = [None, ("h", 1), ("h", "x"), ("h", 1, {"password": "hunter2"}), "redis+cluster://h"]
    found = mistakes_in(hosts)
    assert [text.partition(":")[0].partition(" ")[0] for text in found[:2]] == ["hosts[0]", "hosts[2]"]
    assert "A cluster is one entry" in found[2]
    assert found[3].startswith("hosts[3]: what stands behind host and port is passed over")
    assert "hunter2" not in repr(found)
    assert mistakes_in("redis://h")[0].startswith("You must pass a list")
    assert mistakes_in(None) == mistakes_in([("h", 1)]) == mistakes_in(({"host": "h"},)) == []


async def test_a_third_item_is_passed_over_with_a_warning(server, caplog):
    layer = RedisChannelLayer(hosts=[(*server.address, {"password": "hunter2"})])
    with caplog.at_level(logging.WARNING):
        async with closing(layer):
            name = await layer.new_channel()
            await layer.send(name, {"type": "m"})
            assert (await receive(layer, name))["type"] == "m"
    lines = [record.getMessage() for record in caplog.records if record.name == "channels.layers.redis"]
    assert len(lines) == 1
    assert lines[0].startswith(
        "hosts[0]: what stands behind host and port is passed over; write options as a dict"
    )
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("form", [tuple, list])
async def test_an_address_may_be_a_pair(server, form):
    layer = RedisChannelLayer(hosts=[{"address": form(server.address), "db": 3}])
    assert layer.addresses[0].label == f"redis://127.0.0.1:{server.port}/3"
    async with closing(layer):
        await layer.send("pair", {"type": "m"})
        assert (await receive(layer, "pair"))["type"] == "m"


def test_what_is_left_out_is_this_machine():
    """As redis-py and so 4.3 have it."""
    assert [address.label for address in Hosts([{}, {"port": "7"}, {"db": 2}]).addresses] == [
        "redis://localhost:6379/0",
        "redis://localhost:7/0",
        "redis://localhost:6379/2",
    ]


def test_as_4_3_has_it_in_layer_hosts():
    assert decode_hosts(None) == [{"address": "redis://localhost:6379"}]
    entries = [("h", 1), ["h", 1, 2], "redis://x", {"host": "h"}, None]
    decoded = [{"host": "h", "port": 1}, {"host": "h", "port": 1}, {"address": "redis://x"}, {"host": "h"}]
    assert decode_hosts(entries) == [*decoded, {"address": None}]
    assert RedisChannelLayer(hosts=[("h", 1)]).hosts == decoded[:1]
    with pytest.raises(ValueError, match="You must pass a list"):
        decode_hosts("redis://h")


# URLs that hold a password

SECRETS = [
    "redis://:hunter2#x@localhost:6379/0",
    "redis://:hunter2/x@localhost:6379/0",
    "redis://:hunter2?x@localhost:6379/0",
    "redis://user:hunter2/@localhost",
    "redis://:12?hunter2=1@localhost:6379/0",
    "redis://:a@b/hunter2@localhost:6379/0",
    "redis://:a@b?hunter2@localhost:6379/0",
    "redis://user:hunter2",
    "redis://:hunter2[@localhost:6379",
    "redis://:hunter2]@localhost:6379",
    "rediss://user:hunter2/@h:1/0?ssl_cert_reqs=none",
    "redis+sentinel://user:hunter2/m",
    "redis+sentinel://user:hunter2/x@s1:26379,s2/m/0",
    "redis+sentinel://s1:26379/m/0?sentinel_hunter2#x@=1",
    "redis+cluster://:hunter2#@a:1,b:2",
    "unix://user:hunter2/x@/run/redis.sock",
    "hunter2@localhost:6379",
    "user:hunter2@localhost:6379",
    "hunter2://localhost@",
]


@pytest.mark.parametrize("url", SECRETS)
async def test_no_part_of_a_password_is_shown(url, caplog):
    for hosts in ([url], [{"address": url}]):
        layer = RedisChannelLayer(hosts=hosts)
        with pytest.raises((ValueError, TypeError), match=r"^hosts\[0\] ") as caught:
            await layer.group_send("g", {"type": "m"})
        shown = "".join(traceback.format_exception(caught.value)) + repr(layer) + str(mistakes_in(hosts))
        shown = "\n".join(line for line in shown.splitlines() if "hunter2://" not in url or "got" not in line)
        assert "hunter2" not in shown + caplog.text
    if "@" in url and "://" in url and not url.startswith("hunter2"):
        assert 'percent-encoded, as urllib.parse.quote(password, safe="") does' in str(caught.value)


def test_a_password_that_is_encoded():
    options = parse_entry("redis://us%2Fer:p%23w%40%3A%3F@h:1/2", "hosts[0]").options
    assert (options["username"], options["password"], options["db"]) == ("us/er", "p#w@:?", 2)
    assert parse_entry("redis://h?password=p@w", "hosts[0]").options["password"] == "p@w"
    assert parse_entry("redis://:p@w@h", "hosts[0]").options["password"] == "p@w"
    assert parse_entry("unix:///run/a@b.sock", "hosts[0]").options["path"] == "/run/a@b.sock"
