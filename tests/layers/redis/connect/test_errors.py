"""What people are told when Redis cannot do its part: through real servers, async and sync alike."""

from __future__ import annotations

import asyncio
import gc

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from channels.exceptions import ChannelLayerUnavailable
from channels.layers.redis.connect.errors import RedisUnavailable, unavailable
from channels.layers.redis.layer import RedisChannelLayer
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer

PASSWORD = "s3cret"

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def _no_remains():
    """redis-py leaves the sockets of a cluster that it cannot use to the collector: not in another test."""
    yield
    gc.collect()


async def what_users_see(host, **config):
    """The errors of first use, by each way to use a layer."""
    layer = RedisChannelLayer(hosts=[host], **config)
    for call in (
        lambda: layer.group_send("g", {"type": "m"}),
        lambda: layer.receive("queue"),
        lambda: layer.new_channel(),
        lambda: asyncio.to_thread(layer.sync.group_send, "g", {"type": "m"}),
        lambda: asyncio.to_thread(layer.sync.send, "queue", {"type": "m"}),
    ):
        with pytest.raises(ChannelLayerUnavailable) as caught:
            await asyncio.wait_for(call(), 20)
        yield str(caught.value)
    await layer.aclose()
    layer.sync.close()


def impatient(port):
    timeouts = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    return {"host": "127.0.0.1", "port": port, "password": PASSWORD, **timeouts}


async def check(host, *parts):
    async for text in what_users_see(host):
        for part in (*parts, "127.0.0.1", "`hosts` (CHANNEL_LAYERS, CONFIG)"):
            assert part in text
        assert PASSWORD not in text
        assert "object at 0x" not in text
        assert "Error Check" not in text


async def test_a_database_that_is_not_there(server):
    await check(f"redis://127.0.0.1:{server.port}/99", "answers, but", "DB index is out of range. ")


async def test_a_server_that_is_no_sentinel(server):
    host = f"redis+sentinel://127.0.0.1:{server.port}/mymaster?sentinel_username=x"
    await check(host.partition("?")[0], "answers, but", "redis+sentinel://")


async def test_a_server_that_is_no_cluster(server):
    await check(f"redis+cluster://127.0.0.1:{server.port}", "answers, but", "(redis+cluster://)")


async def test_a_password_where_none_is_wanted(server):
    for scheme in ("redis", "redis+cluster"):
        host = f"{scheme}://:{PASSWORD}@127.0.0.1:{server.port}"
        await check(host, "refused the user name or password", "Check username and password")


async def test_sentinels_that_are_not_there():
    host = f"redis+sentinel://:{PASSWORD}@127.0.0.1:{free_port()},127.0.0.1:{free_port()}/mymaster"
    await check(host, "No sentinel of", "/mymaster/0", "`master_name` and `sentinel_kwargs`")


async def test_a_cluster_that_is_not_there():
    await check(f"redis+cluster://:{PASSWORD}@127.0.0.1:{free_port()}", "cannot be reached")


async def test_a_server_that_says_nothing():
    async def say_nothing(reader, writer):
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    await check(impatient(silent.sockets[0].getsockname()[1]), "cannot be reached", "redis-cli ping")
    silent.close()


async def test_a_server_without_memory():
    """Redis' own troubles are told as such, by both faces."""
    with RedisServer("--maxmemory", "1", "--maxmemory-policy", "noeviction") as server:
        layer = RedisChannelLayer(hosts=[server.address])
        for call in (layer.send, lambda *args: asyncio.to_thread(layer.sync.send, *args)):
            with pytest.raises(
                RedisUnavailable, match="answers, but.*used memory > 'maxmemory'.*log of Redis"
            ):
                await call("queue", {"type": "m"})
        await layer.aclose()
        layer.sync.close()


def test_an_error_can_be_shown_and_has_what_redis_py_gives_its_own():
    error = unavailable("redis://h:1/0", TimeoutError())
    assert repr(error) == f"RedisUnavailable({str(error)!r})"
    assert "cannot be reached: No answer in time. Check" in str(error)
    theirs = vars(RedisConnectionError()).keys()  # `status_code` and more, from redis-py 7.2
    assert theirs <= vars(error).keys()
