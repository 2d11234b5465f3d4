"""amqtt's broker, without passwords and without the topics it publishes of itself."""

import asyncio
import sys

from amqtt.broker import Broker

CONFIG = {
    "listeners": {"default": {"type": "tcp", "max_connections": 0}},
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


async def main(port):
    CONFIG["listeners"]["default"]["bind"] = f"127.0.0.1:{port}"
    await Broker(CONFIG).start()
    await asyncio.Event().wait()


asyncio.run(main(int(sys.argv[1])))
