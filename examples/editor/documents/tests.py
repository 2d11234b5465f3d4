"""What documents promise, without a browser: the clients here are documents of pycrdt."""

import asyncio
import json

from django.contrib.auth import get_user_model
from django.test import TransactionTestCase
from pycrdt import Doc, Text

from channels.testing import WebsocketCommunicator
from documents import protocol
from documents.consumers import MOST_CLIENTS
from documents.models import COMPACTED_AT, EMPTY, Document
from documents.people import shown_as
from editor.asgi import application

ORIGIN = (b"origin", b"http://localhost")
#: Somebody says to be more clients than a connection may speak for.
CROWD = protocol.awareness({client: (1, b"{}") for client in range(MOST_CLIENTS + 1)})
#: What is no place in the text, for a page that would draw it.
NO_PLACES = (
    {},
    {"tname": "other"},
    {"item": {"client": "x", "clock": 0}},
    {"item": {"client": -1, "clock": 0}},
    1,
)


class Editor:
    """A client: its own document, and its socket."""

    def __init__(self, user, pk: int) -> None:
        self.doc = Doc()
        self.text = self.doc.get("content", type=Text)
        self.updates: list[bytes] = []
        self.subscription = self.doc.observe(lambda event: self.updates.append(event.update))
        self.socket = WebsocketCommunicator(application, f"/ws/documents/{pk}", headers=[ORIGIN])
        self.socket.scope["user"] = user
        self.told: list[int] = []

    async def connect(self) -> None:
        """Connect, and ask for what is missing, as y-websocket does."""
        await self.socket.connect()
        await self.socket.send_to(bytes_data=protocol.sync(protocol.STEP_1, self.doc.get_state()))
        await self.take_until(protocol.STEP_2)

    async def write(self, text: str) -> None:
        self.updates.clear()
        self.text += text
        await self.send(*self.updates)

    async def send(self, *updates: bytes) -> None:
        for update in updates:
            await self.socket.send_to(bytes_data=protocol.sync(protocol.UPDATE, update))

    async def take_until(self, step: int) -> None:
        """Take messages up to one of a step of ``sync``."""
        while await self.take() != (protocol.SYNC, step):
            pass

    async def take(self) -> tuple[int, int]:
        reader = protocol.Reader(await self.socket.receive_from())
        kind = reader.number()
        if kind != protocol.SYNC:
            return kind, 0
        step, data = reader.number(), reader.array()
        if step == protocol.STEP_1:
            await self.socket.send_to(bytes_data=protocol.sync(protocol.STEP_2, self.doc.get_update(data)))
        else:
            self.doc.apply_update(data)
        return kind, step


class DocumentTests(TransactionTestCase):
    def setUp(self) -> None:
        users = get_user_model().objects
        self.ada, self.ben = users.create_user("ada"), users.create_user("ben")
        self.document = Document.objects.create(title="Plan", owner=self.ada)

    async def editor(self, user) -> Editor:
        editor = Editor(user, self.document.pk)
        await editor.connect()
        return editor

    async def test_what_one_writes_the_other_has(self) -> None:
        await self.document.writers.aadd(self.ben)
        ada, ben = await self.editor(self.ada), await self.editor(self.ben)
        await ada.write("hello")
        await ben.take_until(protocol.UPDATE)
        self.assertEqual(str(ben.text), "hello")
        for editor in (ada, ben):
            await editor.socket.disconnect()

    async def test_what_was_written_offline_is_merged(self) -> None:
        ada = await self.editor(self.ada)
        await ada.write("one ")
        await ada.take_until(protocol.UPDATE)
        await ada.socket.disconnect()
        ada.text += "two "
        other = await self.editor(self.ada)
        await other.write("three ")
        await other.take_until(protocol.UPDATE)
        again = Editor(self.ada, self.document.pk)
        again.doc.apply_update(ada.doc.get_update())
        await again.connect()  # the server asks for what it lacks, and gets it
        await other.take_until(protocol.UPDATE)
        self.assertEqual(sorted(str(other.text).split()), ["one", "three", "two"])
        self.assertEqual(str(again.text), str(other.text))
        for editor in (again, other):
            await editor.socket.disconnect()

    async def test_a_reader_reads_and_does_not_write(self) -> None:
        ada, ben = await self.editor(self.ada), await self.editor(self.ben)
        await ada.write("hello")
        await ben.take_until(protocol.UPDATE)
        self.assertEqual(str(ben.text), "hello")
        await ben.write(" and nonsense")
        while (await ben.take())[0] != protocol.AUTH:
            pass
        self.assertEqual(await self.document.updates.acount(), 1)
        for editor in (ada, ben):
            await editor.socket.disconnect()

    async def test_who_loses_the_right_to_write_writes_no_more(self) -> None:
        await self.document.writers.aadd(self.ben)
        ben = await self.editor(self.ben)
        await ben.write("hello")
        await ben.take_until(protocol.UPDATE)
        await self.document.writers.aremove(self.ben)
        async with asyncio.timeout(30):  # the open editor hears of it by the channel layer
            answer = (protocol.SYNC, protocol.UPDATE)
            while answer[0] != protocol.AUTH:
                kept = await self.document.updates.acount()
                await ben.write(" more")
                while (answer := await ben.take()) not in (
                    (protocol.SYNC, protocol.UPDATE),
                    (protocol.AUTH, 0),
                ):
                    pass
        self.assertEqual(await self.document.updates.acount(), kept)
        await ben.socket.disconnect()

    async def test_who_leaves_is_seen_to_leave(self) -> None:
        ada, other = await self.editor(self.ada), await self.editor(self.ada)
        await ada.socket.send_to(bytes_data=protocol.awareness({77: (3, b"{}")}))
        while (await ada.take())[0] != protocol.AWARENESS:  # it is sent back: alone is not lost
            pass
        await ada.socket.disconnect()
        # With the number that was last heard: who is back already has a higher one, and stays.
        while await other.socket.receive_from() != protocol.awareness({77: (3, b"null")}):
            pass
        await other.socket.disconnect()

    async def test_nobody_speaks_for_others_or_sends_what_pages_cannot_draw(self) -> None:
        ben = await self.editor(self.ben)
        end = {"type": None, "item": None, "tname": "content", "assoc": -1}
        told = {
            1: {"user": {"name": "ada"}},
            2: None,
            3: {"user": {"name": "ben", "color": "red; inset: 0"}, "cursor": {"anchor": end, "head": end}},
            **{
                number: {"user": {"name": "ben"}, "cursor": {"anchor": end, "head": place}}
                for number, place in enumerate(NO_PLACES, 4)
            },
            99: "no state",
        }
        states = {client: (1, json.dumps(state).encode()) for client, state in told.items()}
        states[100] = 1, b'{"deep":' + b"[" * 2000
        await ben.socket.send_to(bytes_data=protocol.awareness(states))
        message = b""
        while not message or message[0] != protocol.AWARENESS:
            message = await ben.socket.receive_from()
        [(client, (_, data))] = protocol.read_awareness(protocol.Reader(message, 1).array()).items()
        self.assertEqual(client, 3)
        shown = {"user": shown_as("ben"), "cursor": {"anchor": end, "head": end}}
        self.assertEqual(json.loads(data), shown)
        await ben.socket.disconnect()

    async def test_strangers_are_refused_for_good(self) -> None:
        from django.contrib.auth.models import AnonymousUser

        for user, pk in ((AnonymousUser(), self.document.pk), (self.ada, 999)):
            editor = Editor(user, pk)
            await editor.socket.connect()
            self.assertEqual((await editor.socket.receive_output())["code"], 4403)

    async def test_nonsense_ends_the_connection(self) -> None:
        for nonsense in (
            b"",
            b"\x00\x02\x05ab",
            b"\x00\x02\x03\x01\x02\x03",
            b"\xff" * 12,
            b"\x01\x04\x02\x01",
            b"\x00\x00\x03\xff\xff\xff",
            CROWD,
            "text",
        ):
            editor = await self.editor(self.ada)
            kind = "text_data" if isinstance(nonsense, str) else "bytes_data"
            await editor.socket.send_to(**{kind: nonsense})
            while (message := await editor.socket.receive_output(10))["type"] != "websocket.close":
                pass
            self.assertEqual(message["code"], 4400)


class CompactionTests(TransactionTestCase):
    def setUp(self) -> None:
        owner = get_user_model().objects.create_user("ada")
        self.document = Document.objects.create(title="Plan", owner=owner)
        self.doc, self.updates = Doc(), []
        self.text = self.doc.get("content", type=Text)
        self.subscription = self.doc.observe(lambda event: self.updates.append(event.update))

    def content(self) -> str:
        doc = Doc()
        doc.apply_update(self.document.content())
        return str(doc.get("content", type=Text))

    def test_updates_become_a_snapshot_without_what_was_deleted(self) -> None:
        for number in range(COMPACTED_AT // 2):
            self.text += f"{number:03}" * 50
            del self.text[0 : len(self.text)]
        for update in self.updates:
            self.document.append(update)
        self.assertEqual(self.document.updates.count(), 0)
        self.assertLess(len(self.document.content()), 200)
        self.text += "rest"
        self.document.append(self.updates[-1])
        self.assertEqual(self.content(), "rest")

    def test_an_update_that_waits_for_another_outlives_compaction(self) -> None:
        self.text += "first "
        self.text += "second"
        first, second = self.updates
        self.document.append(second)
        self.document.compact()
        self.assertEqual(self.content(), "")
        self.document.append(first)
        self.assertEqual(self.content(), "first second")

    def test_what_is_no_update_is_not_kept(self) -> None:
        with self.assertRaises(ValueError):
            self.document.append(b"\x01\x02\x03")
        self.document.append(EMPTY)
        self.assertEqual(self.document.updates.count(), 1)


class PagesTests(TransactionTestCase):
    def test_owners_let_others_write(self) -> None:
        users = get_user_model().objects
        ada, ben = users.create_user("ada"), users.create_user("ben")
        self.client.force_login(ada)
        page = self.client.post("/", {"title": "Plan"}, follow=True)
        document = Document.objects.get()
        self.assertContains(page, "Plan")
        self.assertContains(
            self.client.post(document.get_absolute_url(), {"name": "nobody"}), "Nobody has that name."
        )
        self.client.post(document.get_absolute_url(), {"name": "ben"})
        self.assertTrue(document.may_write(ben))
        self.client.force_login(ben)
        self.client.post(document.get_absolute_url(), {"name": "ben"})
        self.assertContains(self.client.get("/"), "Plan")
