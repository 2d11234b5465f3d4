from __future__ import annotations

import warnings

import pytest
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from channels.layers.redis.connect.clients import blocking_client, close_blocking_client
from channels.layers.redis.hosts.addresses import connection_to, parse_entry, shard_of
from channels.layers.redis.hosts.setting import Hosts


def parse(entry):
    return parse_entry(entry, "hosts[0]")


def test_nothing_means_localhost():
    for hosts in (None, "", []):
        assert [address.label for address in Hosts(hosts).addresses] == ["redis://localhost:6379/0"]


@pytest.mark.parametrize(
    ("entry", "label", "options"),
    [
        (("h", 1), "redis://h:1/0", {"host": "h", "port": 1}),
        (["h", 1], "redis://h:1/0", {"host": "h", "port": 1}),
        (("::1", 1), "redis://[::1]:1/0", {"host": "::1", "port": 1}),
        (("/run/redis.sock", None), "unix:///run/redis.sock?db=0", {"path": "/run/redis.sock"}),
        ("redis://u:p@h:1/2", "redis://h:1/2", {"username": "u", "password": "p", "db": 2}),
        ("redis://h", "redis://h:6379/0", {"host": "h", "port": 6379}),
        ("rediss://h?ssl_cert_reqs=none", "rediss://h:6379/0", {"tls": True, "ssl_cert_reqs": "none"}),
        ("unix:///a/b.sock?db=3", "unix:///a/b.sock?db=3", {"path": "/a/b.sock", "db": 3}),
        ({"address": "redis://h:1", "db": 4}, "redis://h:1/4", {"db": 4}),
        ({"host": "h", "port": 1, "password": "p", "max_connections": 3}, "redis://h:1/0", {"password": "p"}),
        ({"host": "h", "ssl": True}, "rediss://h:6379/0", {"tls": True}),
        ({"path": "/x.sock"}, "unix:///x.sock?db=0", {"path": "/x.sock"}),
    ],
)
def test_one_server(entry, label, options):
    address = parse(entry)
    assert (address.kind, address.label) == ("single", label)
    assert options.items() <= dict(address.options).items()
    assert "password" not in repr(address) and "'p'" not in repr(address)


def test_options_that_redis_py_deprecated_give_no_warning():
    host = {"host": "h", "port": 1, "retry_on_timeout": True, "health_check_interval": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        address = parse(host)
        close_blocking_client(blocking_client(address))
    assert dict(address.options) == {"host": "h", "port": 1, "health_check_interval": 3}


def test_sentinels():
    address = parse(
        {
            "sentinels": [("a", 1), ("b", "2")],
            "master_name": "m",
            "sentinel_kwargs": {"password": "x"},
            "db": 3,
            "socket_timeout": 2,
        }
    )
    assert (address.kind, address.label) == ("sentinel", "redis+sentinel://a:1,b:2/m/3")
    assert address.endpoints == (("a", 1), ("b", 2))
    assert address.sentinel_options == {"password": "x"}
    assert (address.timeout, address.connect_timeout) == (2, 5)
    by_url = parse("redis+sentinel://u:p%40@a:1,b/my%20m/3?sentinel_password=x&socket_timeout=2")
    assert by_url.endpoints == (("a", 1), ("b", 26379))
    assert by_url.master_name == "my m"
    assert by_url.options == {"username": "u", "password": "p@", "db": 3}
    assert by_url.sentinel_options == {"password": "x"}


def test_cluster():
    address = parse("rediss+cluster://u:p@a:1,[::1]:2?ssl_cert_reqs=none")
    assert (address.kind, address.label) == ("cluster", "rediss+cluster://a:1,[::1]:2")
    assert address.endpoints == (("a", 1), ("::1", 2))
    assert address.options["tls"] is True
    assert parse("redis+cluster://a").endpoints == (("a", 6379),)


@pytest.mark.parametrize(
    ("hosts", "error", "text"),
    [
        ("redis://h", ValueError, "You must pass a list of Redis hosts, even if there is only one"),
        ([5], ValueError, r"hosts\[0\] must be \(host, port\), a URL or a dict, got int"),
        ([("a", 1), b"ab"], ValueError, r"hosts\[1\]"),
        ([{"foo": 1}], TypeError, r"hosts\[0\] has an option .*foo"),
        ([{"sentinels": [("a", 1)]}], ValueError, "no `master_name`"),
        ([{"host": "h", "bogus": 1}], TypeError, r"hosts\[0\] has an option .*bogus"),
        (["http://h"], ValueError, "must begin with redis://.*got 'http'"),
        (["h:6379"], ValueError, "must begin with redis://"),
        (["redis+sentinel://a:1"], ValueError, "needs the master's name"),
        (["redis+sentinel:///m"], ValueError, "names no host"),
        (["redis+cluster://a:99999"], ValueError, "a number from 0 to 65535 as port"),
        (["redis+cluster://a", "redis+cluster://b"], ValueError, "A cluster is one entry"),
        ([("h", "abc")], ValueError, r"hosts\[0\] needs a number as port, got str"),
        ([{"host": "h", "port": None}], ValueError, r"hosts\[0\] needs a number as port, got NoneType"),
        (["redis://:secret@h:abc"], ValueError, r"hosts\[0\] is no address: its port is no port number"),
        (["redis://h/abc"], ValueError, r"hosts\[0\] must end in the number of a database.*got 'abc'"),
        (["redis+sentinel://h/m/abc"], ValueError, r"hosts\[0\] must end in the number of a database"),
        ([{"sentinels": ["s1:26379"], "master_name": "m"}], ValueError, r"hosts\[0\].*`sentinels` as pairs"),
    ],
)
def test_what_cannot_be_understood(hosts, error, text):
    with pytest.raises(error, match=text):
        Hosts(hosts).addresses  # noqa: B018 (it is understood when it is read)


def test_connections_are_of_the_right_kind():
    assert type(connection_to(parse("redis://h").options)) is Connection
    assert type(connection_to(parse("rediss://h").options)) is SSLConnection
    assert type(connection_to(parse("unix:///a").options)) is UnixDomainSocketConnection
    elsewhere = connection_to(parse("redis+cluster://h").options, ("other", 7))
    assert (elsewhere.host, elsewhere.port, elsewhere.socket_timeout) == ("other", 7, None)


def test_names_are_spread_as_4_3_spreads_them():
    assert [shard_of(f"g{n}", 3) for n in range(10)] == [2, 2, 2, 2, 2, 2, 1, 1, 1, 1]
    assert shard_of(b"test", 3) == shard_of("test", 3) == 2
    assert {shard_of(f"{n}", 5) for n in range(200)} == set(range(5))
    assert shard_of("anything", 1) == 0
