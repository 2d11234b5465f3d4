"""URLs of hosts: what is wrong with one is said, and no password in it."""

from __future__ import annotations

import pytest

from channels.layers.redis.hosts.urls import options_in, scheme_shown, split_url

SECRET = "pa55"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("redis://host:1/2?a=b#c", ("redis", "host:1", "/2", "a=b", "c")),
        ("redis://user:pw@[::1]:1,[::2]:2/0", ("redis", "user:pw@[::1]:1,[::2]:2", "/0", "", "")),
        ("unix:///tmp/redis.sock?db=1", ("unix", "", "/tmp/redis.sock", "db=1", "")),
        ("unix://:pw@/tmp/redis.sock", ("unix", ":pw@", "/tmp/redis.sock", "", "")),
        ("redis://host?username=a@b", ("redis", "host", "", "username=a@b", "")),
        ("host", ("", "", "host", "", "")),
    ],
)
def test_parts(url, parts):
    assert tuple(split_url(url, "hosts[0]")) == parts


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}/x@host/0",
        f"redis://:{SECRET}#x@host/0",
        f"redis://:{SECRET}?x@host/0",
        f"unix://{SECRET}/x@/tmp/redis.sock",
    ],
)
def test_characters_that_were_not_encoded(url):
    with pytest.raises(ValueError, match=r"hosts\[0\] cannot be parsed as a URL.*percent-encoded") as caught:
        split_url(url, "hosts[0]")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [("redis://x", "'redis'"), (f"user:{SECRET}@host", "no scheme"), (f"{SECRET} x://host", "no scheme")],
)
def test_the_scheme_for_an_error(url, shown):
    assert scheme_shown(url) == shown


def options(url):
    return options_in(url, split_url(url, "hosts[0]"), "hosts[0]")


def test_options():
    assert options("redis://u:p@host:1/2?health_check_interval=3") == {
        "username": "u",
        "password": "p",
        "host": "host",
        "port": 1,
        "db": 2,
        "health_check_interval": 3,
    }
    assert options("unix:///tmp/redis.sock")["path"] == "/tmp/redis.sock"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (f"redis://:{SECRET}@host:port/0", "its port is no port number"),
        (f"redis://:{SECRET}@host/zero", "must end in the number of a database, such as /0, got 'zero'"),
        (f"redis://:{SECRET}@host?health_check_interval=x", "is no address"),
    ],
)
def test_what_redis_py_cannot_read_or_would_pass_over(url, text):
    with pytest.raises(ValueError, match=text) as caught:
        options(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
