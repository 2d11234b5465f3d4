"""The rules, the worker and the pages, without a browser."""

import asyncio

from django.contrib.auth import get_user_model
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from arena.consumers import RunningMatch
from arena.engine import FIELD, GEMS, LENGTH, MOST_PLAYERS, TICKS, Refused, World
from arena.models import Match
from arena.topics import MatchTopic
from channels.testing import TopicsCommunicator, TopicsError
from game.asgi import application

ORIGIN = [(b"origin", b"http://localhost")]


class RulesTests(SimpleTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.world.join(1)
        self.ship = self.world.ships[1]
        self.ship.x = self.ship.y = 500.0

    def advance(self, ticks: int) -> None:
        for _ in range(ticks):
            self.world.gems = [(0.0, 0.0)] * GEMS
            self.world.advance()

    def test_a_ship_flies_at_one_speed_in_all_directions(self) -> None:
        for dx, dy, x, y in ((1, 0, 740, 500), (0, -1, 740, 260), (-1, 1, 570.3, 429.7)):
            self.world.steer(1, self.ship.seq + 1, dx, dy)
            self.advance(TICKS)
            self.assertAlmostEqual(self.ship.x, x, 1)
            self.assertAlmostEqual(self.ship.y, y, 1)

    def test_the_field_ends_at_its_sides(self) -> None:
        self.world.steer(1, 1, 1, 1)
        self.advance(10 * TICKS)
        self.assertEqual((self.ship.x, self.ship.y), (FIELD, FIELD))

    def test_an_old_input_does_not_count(self) -> None:
        self.world.steer(1, 65535, -1, 0)  # before 0
        self.world.steer(1, 2, 1, 0)
        self.world.steer(1, 1, -1, 0)
        self.assertEqual((self.ship.dx, self.ship.seq), (1, 2))
        self.world.steer(99, 1, 1, 0)

    def test_gems_are_got_and_new_ones_come(self) -> None:
        self.world.gems = [(510.0, 500.0)] * 3 + [(0.0, 0.0)] * (GEMS - 3)
        self.world.advance()
        self.assertEqual((self.ship.score, len(self.world.gems)), (3, GEMS - 3))
        self.world.advance()
        self.assertEqual(len(self.world.gems), GEMS)

    def test_eight_play_and_no_more(self) -> None:
        for user in range(1, MOST_PLAYERS + 1):
            self.world.join(user)
        with self.assertRaisesMessage(Refused, "full"):
            self.world.join(99)
        self.world.tick = LENGTH
        self.world.join(1)  # who plays has the ship
        self.assertTrue(self.world.over)

    def test_a_world_comes_back_from_the_database(self) -> None:
        self.advance(3)
        again = World.load(Match(state=self.world.dump()).state)
        self.assertEqual(again.snapshot(), self.world.snapshot())


class MatchTests(TransactionTestCase):
    async def test_what_players_do_reaches_the_worker(self) -> None:
        ada = await get_user_model().objects.acreate(username="ada")
        match = await Match.objects.acreate()
        client = TopicsCommunicator(application, user=ada, headers=ORIGIN)
        await client.connect()
        await client.subscribe(MatchTopic(pk=match.pk))
        await client.rpc(f"match:{match.pk}/join")
        await client.rpc(f"match:{match.pk}/steer", {"seq": 1, "dx": 1, "dy": 0})
        await client.disconnect()

    async def test_names_are_told_of_those_who_play_here(self) -> None:
        ada, ben = [await get_user_model().objects.acreate(username=name) for name in ("ada", "ben")]
        world = World()
        world.join(ada.pk)
        match = await Match.objects.acreate(state=world.dump())
        client = TopicsCommunicator(application, headers=ORIGIN)
        await client.connect()
        await client.subscribe(MatchTopic(pk=match.pk))
        names = await client.rpc(f"match:{match.pk}/names", {"players": [ada.pk, ben.pk]})
        self.assertEqual(names, {str(ada.pk): "ada"})
        await client.disconnect()

    async def test_spectators_do_not_play(self) -> None:
        match = await Match.objects.acreate()
        stranger = TopicsCommunicator(application, headers=ORIGIN)
        await stranger.connect()
        await stranger.subscribe(MatchTopic(pk=match.pk))
        with self.assertRaisesMessage(TopicsError, "permission denied"):
            await stranger.rpc(f"match:{match.pk}/join")
        with self.assertRaisesMessage(TopicsError, "permission denied"):
            await stranger.subscribe("match:999")
        await stranger.disconnect()

    async def test_nonsense_is_refused_and_logs_nothing(self) -> None:
        ada = await get_user_model().objects.acreate(username="ada")
        match = await Match.objects.acreate()
        client = TopicsCommunicator(application, user=ada, headers=ORIGIN)
        await client.connect()
        turn = {"seq": 1, "dx": 1, "dy": 0}
        wrong = (
            {"dx": "left"},
            {"dx": 2},
            {"dy": 0.5},
            {"dy": None},
            {"seq": -1},
            {"seq": 2**70},
            {"speed": 9},
        )
        calls = (
            *((f"match:{match.pk}/steer", turn | each) for each in wrong),
            *(
                (f"match:{match.pk}/names", {"players": players})
                for players in ([2**70], [0], ["ada"], [1] * 9)
            ),
            (f"match:{match.pk}/win", {}),
            (f"match:{2**70}/steer", turn),
            ("match:first/steer", turn),
        )
        with self.assertNoLogs(level="ERROR"):
            for method, data in calls:
                with self.subTest(method=method, data=data), self.assertRaises(TopicsError):
                    await client.rpc(method, data)
        await client.disconnect()

    async def test_a_match_goes_on_where_the_worker_has_left_it(self) -> None:
        match = await Match.objects.acreate(state={"tick": LENGTH - 2})
        running = RunningMatch(match)
        running.world.join(7)
        await asyncio.wait_for(running.task, 10)
        await match.arefresh_from_db()
        self.assertTrue(match.over)
        self.assertEqual((match.state["tick"], match.scores()[0][0]), (LENGTH, 7))


class PagesTests(TestCase):
    def test_who_has_a_name_begins_a_match(self) -> None:
        self.client.post("/")
        self.assertEqual(Match.objects.count(), 0)
        form = {"username": "ben", "password1": "correct horse", "password2": "correct horse"}
        self.client.post("/join/", form)
        page = self.client.post("/", follow=True)
        self.assertContains(page, f"match:{Match.objects.get().pk}")
        self.assertContains(self.client.get("/"), "open")
