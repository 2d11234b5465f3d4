"""Who is told what, and when, without a browser."""

from io import StringIO

from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client, SimpleTestCase, TransactionTestCase

from channels.exceptions import RouteNotFound
from channels.testing import WebsocketCommunicator
from channels.topics import history
from notifications.asgi import application
from orders.models import Order, advance, mark_as_read, shown_to
from orders.topics import OrdersOf


class ApplicationTests(SimpleTestCase):
    async def test_a_handshake_finds_no_route_which_a_server_answers_with_404(self) -> None:
        with self.assertRaises(RouteNotFound):
            await WebsocketCommunicator(application, "/connection/websocket").connect()


class OrdersTests(TransactionTestCase):
    def setUp(self) -> None:
        users = get_user_model().objects
        self.ada, self.ben = (users.create_user(name) for name in ("ada", "ben"))
        self.order = Order.objects.create(owner=self.ada, item="A lamp")
        self.before = self.told(self.ada), self.told(self.ben)

    def told(self, user) -> int:
        return history(OrdersOf(owner=user.pk)).position.offset

    def news(self) -> tuple[int, int]:
        """How often ada and ben were told since the test began."""
        return self.told(self.ada) - self.before[0], self.told(self.ben) - self.before[1]

    def test_the_owner_is_told_and_nobody_else(self) -> None:
        advance(self.order)
        self.assertEqual(self.news(), (1, 0))

    def test_a_transaction_that_is_rolled_back_tells_nobody(self) -> None:
        with transaction.atomic():
            advance(self.order)
            transaction.set_rollback(True)
        self.assertEqual(self.news(), (0, 0))

    def test_the_command_changes_all_or_none(self) -> None:
        other = Order.objects.create(owner=self.ben, item="A lamp")
        with self.assertRaises(CommandError):
            call_command("advance", self.order.pk, 999, stdout=StringIO())
        self.assertEqual(self.news(), (0, 1))
        call_command("advance", stdout=StringIO())
        other.refresh_from_db()
        self.assertEqual((other.status, self.news()), ("packed", (1, 2)))

    def test_the_admin_tells_the_owner(self) -> None:
        self.client.force_login(get_user_model().objects.create_superuser("root"))
        form = {"owner": self.ada.pk, "item": "A lamp", "status": "shipped"}
        self.client.post(f"/admin/orders/order/{self.order.pk}/change/", form)
        self.assertEqual(self.news(), (1, 0))
        self.client.post(f"/admin/orders/order/{self.order.pk}/delete/", {"post": "yes"})
        self.assertEqual(self.news(), (2, 0))

    def test_the_badge_counts_what_has_changed_since_somebody_looked(self) -> None:
        self.client.force_login(self.ada)
        self.assertContains(self.client.get("/"), "hidden>0</output>")
        advance(self.order)
        self.assertContains(self.client.get("/"), ">1</output>")
        self.assertEqual(self.client.post("/read/", headers={"HX-Request": "true"}).status_code, 204)
        mark_as_read(self.ada.pk)
        self.assertEqual(self.news(), (2, 0))
        self.assertContains(self.client.get("/"), "hidden>0</output>")

    def test_strangers_see_nothing(self) -> None:
        self.assertRedirects(self.client.get("/"), "/login/?next=/")
        self.client.force_login(self.ben)
        self.assertNotContains(self.client.get("/"), "A lamp")

    def test_what_has_changed_is_one_sentence(self) -> None:
        self.assertEqual(shown_to(self.ada.pk, self.order.pk)["news"], f"A lamp, no. {self.order.pk}: Placed")
        self.assertIn("not in the list", shown_to(self.ben.pk, self.order.pk)["news"])
        self.assertIn("marked as read", shown_to(self.ada.pk)["news"])

    async def test_topics_that_are_none_are_refused_and_log_nothing(self) -> None:
        await self.async_client.aforce_login(self.ada)
        with self.assertNoLogs(level="ERROR"):
            for topic in ("", "orders", "orders:", "orders:ada", "orders:-1", f"orders:{2**70}", "x" * 300):
                with self.subTest(topic=topic):
                    stream = await self.async_client.get("/sse/", {"topic": topic})
                    self.assertIn(stream.status_code, (400, 403, 404))

    def test_forms_need_their_method_and_their_token(self) -> None:
        self.client.force_login(self.ada)
        with self.assertNoLogs(level="ERROR"):
            for path in ("/buy/", "/read/"):
                self.assertEqual(self.client.get(path).status_code, 405)
            stranger = Client(enforce_csrf_checks=True)
            stranger.force_login(self.ben)
            self.assertEqual(stranger.post("/buy/").status_code, 403)
        self.assertEqual(Order.objects.count(), 1)

    async def test_strangers_hear_nothing(self) -> None:
        await self.async_client.aforce_login(self.ben)
        for owner, status in ((self.ada, 403), (self.ben, 200)):
            stream = await self.async_client.get(f"/sse/?topic=orders:{owner.pk}")
            self.assertEqual(stream.status_code, status)
            stream.close()
