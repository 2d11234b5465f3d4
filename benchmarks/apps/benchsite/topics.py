"""What is measured of topics."""

from django.conf import settings
from django.core.management import call_command
from django.db import transaction

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


class Journal(Topic):
    """What a client says is published in a transaction, and nothing else."""

    pattern = "journal:<slug:name>"
    history = History(size=100, ttl=60)
    store = "default" if settings.STORE == "layer" else "database"

    async def may_subscribe(self, user):
        return True

    def may_publish(self, user, data):
        with transaction.atomic():
            self.publish(data)
        return False


def prepare():
    if settings.STORE != "layer":
        call_command("migrate", verbosity=0)
    for number in range(10):
        Missed(name="ten").publish({"number": number, "text": "x" * 40}, now=True)
