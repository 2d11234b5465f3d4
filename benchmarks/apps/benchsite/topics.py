"""What is measured of topics."""

from channels.topics import History, Topic


class Room(Topic):
    pattern = "room:<slug:name>"
    history = History(size=100, ttl=60)

    async def may_subscribe(self, user):
        return True

    async def may_publish(self, user, data):
        return True


class Missed(Topic):
    """Ten publications that everybody who comes has missed."""

    pattern = "missed:<slug:name>"
    history = History(size=100, ttl=3600)

    async def may_subscribe(self, user):
        return True


def prepare():
    for number in range(10):
        Missed(name="ten").publish({"number": number, "text": "x" * 40}, now=True)
