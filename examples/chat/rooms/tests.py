"""What is kept, and who is told, without a browser."""

from django.contrib.auth import get_user_model
from django.test import TransactionTestCase

from channels.testing import TopicsCommunicator, TopicsError, WebsocketCommunicator
from channels.topics import ahistory, history
from chat.asgi import application
from rooms.models import Room, Visit
from rooms.topics import RoomTopic, unread_lines

ORIGIN = [(b"origin", b"http://localhost")]


class RoomTests(TransactionTestCase):
    def setUp(self) -> None:
        self.ada, self.ben = (get_user_model().objects.create_user(name) for name in ("ada", "ben"))
        Room.objects.get_or_create(slug="lobby")

    async def enter(self, user: object = None) -> TopicsCommunicator:
        client = TopicsCommunicator(application, user=user, headers=ORIGIN)
        await client.connect()
        await client.subscribe(RoomTopic(slug="lobby"))
        return client

    async def test_a_line_said_again_counts_once(self) -> None:
        client = await self.enter(self.ada)
        for _ in range(2):  # the page does not know whether the first one arrived
            await client.rpc("room:lobby/say", {"text": " hello ", "key": "1"})
        line = await client.receive_publication(timeout=10)
        self.assertEqual(line, {"name": "ada", "text": "hello", "key": "1"})
        with self.assertRaisesMessage(TopicsError, "nothing to say"):
            await client.rpc("room:lobby/say", {"text": " "})
        await client.disconnect()
        self.assertEqual(len((await ahistory(RoomTopic(slug="lobby"))).entries), 1)

    async def test_who_has_no_name_stays_outside(self) -> None:
        with self.assertRaisesMessage(TopicsError, "permission denied"):
            await self.enter()

    async def test_reading_is_noted_and_never_taken_back(self) -> None:
        client = await self.enter(self.ben)
        for text in "one", "two":
            await client.rpc("room:lobby/say", {"text": text})
        for offset, unread in ((1, 1), (2, 0), (1, 0)):
            await client.rpc("room:lobby/read", {"offset": offset})
            self.assertEqual(await client.rpc("rooms/unread"), {"lobby": unread})
        await client.disconnect()

    async def test_nonsense_is_refused_and_logs_nothing(self) -> None:
        client = await self.enter(self.ada)
        calls = (
            *(("say", {"text": text}) for text in ("a" * 1001, 5, None, ["a"])),
            *(("read", {"offset": offset}) for offset in (-1, 1, 2**70, "1", None)),
            ("say", {}),
            ("say", {"text": "hello", "color": "red"}),
            ("shout", {"text": "hello"}),
            ("ephemeral", "typing a lot"),
        )
        with self.assertNoLogs(level="ERROR"):
            for method, data in calls:
                with self.subTest(method=method, data=data), self.assertRaises(TopicsError):
                    await client.rpc(f"room:lobby/{method}", data)
            await client.rpc("room:lobby/say", {"text": "a" * 1000})
        await client.disconnect()
        self.assertEqual(len((await ahistory(RoomTopic(slug="lobby"))).entries), 1)

    async def test_a_consumer_that_gets_no_json_closes(self) -> None:
        frames = ({"text_data": "nonsense"}, {"bytes_data": b"\x00"}, {"text_data": '{"text": "\\ud800"}'})
        with self.assertNoLogs(level="ERROR"):
            for frame in frames:
                socket = WebsocketCommunicator(application, "/ws/room/lobby/", headers=ORIGIN)
                socket.scope["user"] = self.ada
                await socket.connect()
                for passed_over in ("[]", "5", '{"text": 5}', '{"text": " "}'):
                    await socket.send_to(text_data=passed_over)
                await socket.send_to(**frame)
                with self.subTest(frame=frame):
                    while (message := await socket.receive_output(10))["type"] != "websocket.close":
                        self.assertNotIn('"message"', message["text"])
                    self.assertEqual(message["code"], 4400)

    async def test_there_are_no_sockets_to_rooms_that_are_not_there(self) -> None:
        socket = WebsocketCommunicator(application, "/ws/room/nowhere/", headers=ORIGIN)
        socket.scope["user"] = self.ada
        await socket.connect()
        self.assertEqual((await socket.receive_output(10))["code"], 4404)
        self.assertFalse(await Visit.objects.aexists())

    def test_the_list_shows_what_is_unread(self) -> None:
        RoomTopic(slug="lobby").publish({"name": "ben", "text": "hello", "key": ""})
        self.assertEqual(history(RoomTopic(slug="lobby")).position.offset, unread_lines(self.ada)["lobby"])
        self.client.force_login(self.ada)
        self.assertContains(self.client.get("/"), 'aria-label="unread lines">1</output>')
