"""What the market promises, without a browser."""

from django.contrib.auth import get_user_model
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from channels.testing import TopicsCommunicator, TopicsError
from market.management.commands.feed import Command
from market.models import Instrument, Star
from market.prices import Market
from market.topics import Quote, Tick
from ticker.asgi import application

ORIGIN = [(b"origin", b"http://localhost")]


class PricesTests(SimpleTestCase):
    def test_prices_stay_near_where_the_day_began(self) -> None:
        market = Market([("AAAA", 100.0), ("BBBB", 5.0)], seed=1)
        prices = dict(market.move(20_000))
        self.assertEqual(set(prices), {"AAAA", "BBBB"})
        self.assertTrue(70 < prices["AAAA"] < 130 and 3.5 < prices["BBBB"] < 6.5)


class QuoteTests(TransactionTestCase):
    async def connected(self, user=None) -> TopicsCommunicator:
        client = TopicsCommunicator(application, user=user, headers=ORIGIN)
        await client.connect()
        return client

    async def test_who_comes_has_the_newest_price_at_once(self) -> None:
        await Quote(symbol="AAAA").apublish(Tick(10.5, 1))
        await Quote(symbol="AAAA").apublish(Tick(11.0, 2))
        client = await self.connected()
        result = await client.subscribe(Quote(symbol="AAAA"))
        self.assertEqual([each["data"] for each in result["publications"]], [{"price": 11.0, "at": 2}])
        await client.disconnect()

    async def test_the_feed_reaches_who_looks(self) -> None:
        client = await self.connected()
        await client.subscribe(Quote(symbol="BBBB"))
        for symbol, price in Market([("BBBB", 20.0)], seed=1).move(1):
            await Quote(symbol=symbol).apublish(Tick(price, 1))
        self.assertEqual((await client.receive_publication())["price"], price)
        await client.disconnect()

    async def test_stars_are_of_people(self) -> None:
        await Instrument.objects.acreate(symbol="AAAA", name="A", opening=10.0)
        ada = await get_user_model().objects.acreate(username="ada")
        client = await self.connected(ada)
        for on, count in ((True, 1), (True, 1), (False, 0)):
            await client.rpc("quote:AAAA/star", {"on": on})
            self.assertEqual(await Star.objects.filter(user=ada).acount(), count)
        await client.disconnect()
        stranger = await self.connected()
        with self.assertRaisesMessage(TopicsError, "permission denied"):
            await stranger.rpc("quote:AAAA/star", {"on": True})
        await stranger.disconnect()

    async def test_nonsense_is_refused_and_logs_nothing(self) -> None:
        await Instrument.objects.acreate(symbol="AAAA", name="A", opening=10.0)
        client = await self.connected(await get_user_model().objects.acreate(username="ada"))
        calls = (
            *(("quote:AAAA/star", {"on": on}) for on in ("yes", 1, None)),
            ("quote:AAAA/star", {}),
            ("quote:NONE/star", {"on": True}),
            ("quote:a b/star", {"on": True}),
            ("quote:AAAA/buy", {}),
        )
        with self.assertNoLogs(level="ERROR"):
            for method, data in calls:
                with self.subTest(method=method, data=data), self.assertRaises(TopicsError):
                    await client.rpc(method, data)
            with self.assertRaises(TopicsError):
                await client.publish(Quote(symbol="AAAA"), {"price": 0.01, "at": 1})
        await client.disconnect()


class PageTests(TestCase):
    def test_the_page_has_all_instruments(self) -> None:
        page = self.client.get("/")
        self.assertContains(page, Instrument.objects.first().symbol)
        self.assertEqual(len(page.context["instruments"]), 2000)

    def test_whoever_joins_is_logged_in(self) -> None:
        form = {"username": "ben", "password1": "correct horse", "password2": "correct horse"}
        self.assertRedirects(self.client.post("/join/", form), "/")
        self.assertContains(self.client.get("/"), "Starred")


class FeedTests(TestCase):
    def test_it_publishes_at_its_rate(self) -> None:
        command = Command()
        published = []
        command.publish = lambda market, count: published.append(count)
        command.handle(rate=1000, seconds=0.3)
        self.assertTrue(150 <= sum(published) <= 300)
