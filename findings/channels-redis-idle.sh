#!/bin/sh
# channels_redis 4.3.0 allows any redis-py from 4.6 on, and waits for a message by one blocking command of five seconds after another.
# redis-py 8 gives up on an answer after five seconds by default (7 waited for ever), so that the two end at the same
# moment: with redis-py 8.1.0 `receive()` raises TimeoutError when nothing has come for five seconds, and a consumer that nobody writes to
# ends with its WebSocket. The layer that uses Redis's pub/sub waits as before. (`"socket_timeout": None` in the host helps.)
#
# Seen, what `receive()` gives for a message that comes after eight seconds:
#   {'core, redis-py 7.4.0': 'hello', 'core, redis-py 8.1.0': 'TimeoutError',
#    'core, redis-py 8.1.0, socket_timeout None': 'hello', 'pubsub, redis-py 8.1.0': 'hello'}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export PYTHONDONTWRITEBYTECODE=1
cat > probe.py <<'PROBE'
import asyncio
import socket
import subprocess
import sys
import time

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings

settings.configure()


async def outcome(layer):
    channel = await layer.new_channel()
    receiving = asyncio.ensure_future(layer.receive(channel))
    await asyncio.wait([receiving], timeout=8)
    await layer.send(channel, {"type": "hello"})
    try:
        return (await asyncio.wait_for(receiving, 10))["type"]
    except Exception as error:
        return type(error).__name__


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
redis = subprocess.Popen(["redis-server", "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)
try:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    host = {"host": "127.0.0.1", "port": port}
    for layer in {
        "core": [RedisChannelLayer(hosts=[host])],
        "core-none": [RedisChannelLayer(hosts=[{**host, "socket_timeout": None}])],
        "pubsub": [RedisPubSubChannelLayer(hosts=[host])],
    }[sys.argv[1]]:
        print(asyncio.run(outcome(layer)))
finally:
    redis.terminate()
    redis.wait()
PROBE
for version in 7.4.0 8.1.0; do
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install -q channels_redis==4.3.0 channels==4.3.2 redis==$version 2>/dev/null
done
ask() { "venv-$1/bin/python" probe.py "$2" 2>/dev/null; }
seen="{'core, redis-py 7.4.0': '$(ask 7.4.0 core)', 'core, redis-py 8.1.0': '$(ask 8.1.0 core)', 'core, redis-py 8.1.0, socket_timeout None': '$(ask 8.1.0 core-none)', 'pubsub, redis-py 8.1.0': '$(ask 8.1.0 pubsub)'}"
expected="{'core, redis-py 7.4.0': 'hello', 'core, redis-py 8.1.0': 'TimeoutError', 'core, redis-py 8.1.0, socket_timeout None': 'hello', 'pubsub, redis-py 8.1.0': 'hello'}"
echo "saw      $seen"
echo "expected $expected"
[ "$seen" = "$expected" ]
