"""What the fleet promises, without a browser."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.test import TestCase, TransactionTestCase

from channels.protocols.mqtt.packets import Will
from channels.testing import MQTTCommunicator, TopicsCommunicator, TopicsError
from devices.asgi import application
from fleet.keys import key_of
from fleet.models import Device
from fleet.topics import DeviceState, Fleet, switch

ORIGIN = [(b"origin", b"http://localhost")]
NOT_AUTHORIZED = 0x87
SAID = b'{"online": true, "on": true, "watts": 720}'
LOST = Will("devices/pump-1/state", b'{"online": false}', 1)


class FleetTests(TransactionTestCase):
    def setUp(self) -> None:
        for name in ("pump-1", "pump-2"):
            Device.objects.create(name=name, site="Alder", rated=750)

    async def device(self, name: str = "pump-1", **fields) -> MQTTCommunicator:
        device = MQTTCommunicator(application)
        answer = await device.connect(name, username=name, password=key_of(name), **fields)
        self.assertEqual(answer.reason, 0)
        return device

    async def page(self, user=None) -> TopicsCommunicator:
        page = TopicsCommunicator(application, user=user, headers=ORIGIN)
        await page.connect()
        return page

    async def refused(self, name: str, key: str) -> bool:
        device = MQTTCommunicator(application)
        return (await device.connect(name, username=name, password=key)).reason != 0

    async def test_a_device_needs_its_key_and_may_be_kept_out(self) -> None:
        self.assertTrue(await self.refused("pump-1", key_of("pump-2")))
        await Device.objects.filter(name="pump-2").aupdate(is_active=False)
        self.assertTrue(await self.refused("pump-2", key_of("pump-2")))
        await (await self.device()).disconnect()

    async def test_pages_see_what_a_device_says_of_itself_and_of_no_other(self) -> None:
        page, device = await self.page(), await self.device()
        await page.subscribe(DeviceState(name="pump-1"))
        self.assertEqual((await device.publish("devices/pump-1/state", SAID)).reason, 0)
        self.assertEqual(await page.receive_publication(), {"online": True, "on": True, "watts": 720.0})
        for topic, data in (("devices/pump-2/state", SAID), ("devices/pump-1/wanted", b"true")):
            self.assertEqual((await device.publish(topic, data)).reason, NOT_AUTHORIZED)
        await device.disconnect()
        await page.disconnect()

    async def test_a_device_that_is_lost_is_shown_as_lost(self) -> None:
        page, device = await self.page(), await self.device(will=LOST)
        await page.subscribe(DeviceState(name="pump-1"))
        await device.connection.disconnect()
        self.assertFalse((await page.receive_publication())["online"])
        await page.disconnect()

    async def test_a_page_switches_a_device_which_hears_it_now_or_when_it_is_back(self) -> None:
        ada = await get_user_model().objects.acreate(username="ada")
        page, device = await self.page(ada), await self.device()
        await page.subscribe(Fleet())
        await device.subscribe("devices/pump-1/wanted", 1)
        both = {"names": ["pump-1", "pump-2", "nothing"], "on": True}
        self.assertEqual(await page.rpc("fleet/switch", both), 2)
        self.assertEqual((await device.receive_publish()).payload, b"true")
        self.assertEqual((await page.receive_publication())["names"], ["pump-1", "pump-2"])
        self.assertEqual(await page.rpc("fleet/switch", both), 0)
        late = await self.device("pump-2")
        await late.subscribe("devices/pump-2/wanted", 1)
        self.assertEqual((await late.receive_publish()).payload, b"true")
        for each in (device, late, page):
            await each.disconnect()

    async def test_nonsense_is_refused_and_logs_nothing(self) -> None:
        page = await self.page(await get_user_model().objects.acreate(username="ada"))
        device = await self.device()
        calls = (
            *(("switch", {"names": names, "on": True}) for names in (["nothing"], "pump-1", [5], None)),
            *(("switch", {"names": ["pump-1"], "on": on}) for on in ("on", 1, None)),
            ("switch", {"names": ["pump-1"]}),
            ("explode", {}),
        )
        with self.assertNoLogs(level="ERROR"):
            for method, data in calls:
                with self.subTest(method=method, data=data), self.assertRaises(TopicsError):
                    await page.rpc(f"fleet/{method}", data)
            for topic in (DeviceState(name="pump-1"), Fleet()):
                with self.assertRaises(TopicsError):
                    await page.publish(topic, {"online": False})
            for said in (
                b"",
                b"nonsense",
                b"[]",
                b"{}",
                b'{"online": "yes"}',
                b'{"online": true, "watts": "1"}',
            ):
                with self.subTest(said=said):
                    self.assertGreaterEqual((await device.publish("devices/pump-1/state", said)).reason, 0x80)
        self.assertFalse(await Device.objects.filter(wanted=True).aexists())
        await device.disconnect()
        await page.disconnect()

    async def test_strangers_look_and_switch_nothing(self) -> None:
        page = await self.page(AnonymousUser())
        with self.assertRaisesMessage(TopicsError, "permission denied"):
            await page.rpc("fleet/switch", {"names": ["pump-1"], "on": True})
        self.assertFalse(await Device.objects.filter(wanted=True).aexists())
        await page.disconnect()


class PageTests(TestCase):
    def test_the_page_has_all_devices_and_what_is_wanted_of_them(self) -> None:
        self.assertEqual(Device.objects.count(), 500)
        switch(["pump-001"], True)
        facts = self.client.get("/").context["facts"]
        self.assertEqual(len(facts["devices"]), 500)
        self.assertIn(("pump-001", "Alder", 750, True), facts["devices"])
        self.assertFalse(facts["may_switch"])

    def test_whoever_joins_is_logged_in_and_may_switch(self) -> None:
        form = {"username": "ben", "password1": "correct horse", "password2": "correct horse"}
        self.assertRedirects(self.client.post("/join/", form), "/")
        self.assertTrue(self.client.get("/").context["facts"]["may_switch"])

    def test_the_admin_switches_devices(self) -> None:
        self.client.force_login(get_user_model().objects.create_superuser("root"))
        chosen = {"action": "switch_off", "_selected_action": ["pump-001", "pump-002"]}
        Device.objects.filter(name__startswith="pump").update(wanted=True)
        self.client.post("/admin/fleet/device/", chosen)
        self.assertEqual(Device.objects.filter(name__startswith="pump", wanted=False).count(), 2)
