"""Topics in the database in tests of users, whose transaction is never committed."""

from __future__ import annotations

from django.db import transaction
from django.test import TestCase

from channels.journal.models import Pending
from channels.topics import ahistory, history
from channels.topics.stores.manager import set_store
from tests.journal.topics import Kept


class UsersTests(TestCase):
    """The transaction of the test case is none of the code under test."""

    def setUp(self):
        self.addCleanup(set_store, "database", set_store("database", None))

    def test_what_is_published_is_in_the_history(self):
        room = Kept(name="tested")
        with transaction.atomic():
            room.publish("in a transaction")
            assert history(room).entries == []
        assert Pending.objects.count() == 1
        published = room.publish("at once", now=True)
        assert published.position.offset == 2
        assert [entry.data for entry in history(room).entries] == ["in a transaction", "at once"]

    async def test_async_code_publishes_in_the_transaction_of_the_test(self):
        room = Kept(name="tested")
        await room.apublish("first")
        await Pending.objects.acount()
        await room.apublish("second")
        assert [entry.data for entry in (await ahistory(room)).entries] == ["first", "second"]

    def test_nothing_of_it_is_left(self):
        assert history(Kept(name="tested")).position.offset == 0
