"""A change list of the admin, live, in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings
from django.urls import include, path
from selenium.webdriver import Chrome

from channels.live.admin import LiveAdminMixin
from channels.live.admin.changelist import ChangeList
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import websocket_urlpatterns
from tests import settings
from tests.live.conftest import create_tables
from tests.live.shop.models import Customer, Order
from tests.support.browser import DESKTOP, PHONE, chromium, resize
from tests.support.databases import Database
from tests.topics.clients.test_browser import wait_for

site = AdminSite(name="shopadmin")


@admin.register(Order, site=site)
class OrderAdmin(LiveAdminMixin, admin.ModelAdmin):
    list_display = ("number", "status", "total", "customer_name")
    list_filter = ("status",)
    search_fields = ("number",)
    ordering = ("number",)
    list_select_related = ("customer",)
    list_per_page = 5

    @admin.display
    def customer_name(self, row: Order) -> str:
        return row.customer.name if row.customer else "-"


class CustomerAdmin(LiveAdminMixin, admin.ModelAdmin):
    list_display = ("name", "active")
    list_editable = ("active",)


site.register(Customer, CustomerAdmin)
urlpatterns = [path("admin/", site.urls), path("", include("channels.topics.urls"))]
PROJECT: dict[str, Any] = {
    "ROOT_URLCONF": __name__,
    "INSTALLED_APPS": [
        *settings.INSTALLED_APPS,
        "django.contrib.admin.apps.SimpleAdminConfig",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "channels.topics",
        "channels.live",
    ],
    "MIDDLEWARE": [*settings.MIDDLEWARE, "django.contrib.messages.middleware.MessageMiddleware"],
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    "CHANNELS_ACCESS_INTERVAL": 3600,
}
LIST = "[...document.querySelectorAll('#result_list tbody tr')].map(row => row.cells[1].textContent)"


@pytest.fixture
def address(sqlite: Database) -> Iterator[str]:
    with sqlite.as_default(), override_settings(**PROJECT):
        call_command("migrate", verbosity=0)
        if Order._meta.db_table not in connections["default"].introspection.table_names():
            create_tables()
        pages = ASGIStaticFilesHandler(get_asgi_application())
        app = ProtocolTypeRouter({"http": pages, "websocket": URLRouter(websocket_urlpatterns)})
        with ServerThread(app) as server:
            yield f"http://127.0.0.1:{server.port}/admin/"


def staff(window: Chrome, address: str, *models: Any) -> User:
    """Log somebody in who may see some models."""
    user = User.objects.create_user("ada", password=None, is_staff=True)
    for model in models:
        kind = ContentType.objects.get_for_model(model)
        user.user_permissions.add(*Permission.objects.filter(content_type=kind))
    client = Client()
    client.force_login(user)
    window.get(f"{address}login/")
    window.add_cookie({"name": "sessionid", "value": client.cookies["sessionid"].value})
    return user


@pytest.mark.browser
@pytest.mark.timeout(120)
def test_rows_change_appear_and_vanish_without_a_reload(address: str, tmp_path: Path) -> None:
    ada = Customer.objects.create(name="ada")
    orders = [Order.objects.create(number=number, customer=ada) for number in (10, 20, 30)]
    with chromium(tmp_path / "profile") as window:
        staff(window, address, Order)
        window.get(f"{address}shop/order/?status=open")
        wait_for(window, "document.querySelector('.channels-live-state')?.dataset.state", "live")
        window.execute_script("window.mine = 1; document.querySelectorAll('input.action-select')[2].click()")
        Order.objects.filter(number=20).update(number=21)
        wait_for(window, LIST, ["10", "21", "30"])
        Order.objects.create(number=5, customer=ada)
        wait_for(window, LIST, ["5", "10", "21", "30"])
        marked = "[...document.querySelectorAll('input.action-select:checked')].map(each => each.value)"
        assert window.execute_script(f"return {marked}") == [str(orders[2].pk)]
        assert "1 of 4" in window.execute_script(
            "return document.querySelector('.action-counter').textContent"
        )
        window.execute_script("document.getElementById('action-toggle').click()")
        assert window.execute_script(f"return {marked}.length") == 4
        window.save_screenshot(str(tmp_path / "desk.png"))
        Order.objects.filter(number=10).update(status="done")
        wait_for(window, LIST, ["5", "21", "30"])
        Customer.objects.update(name="Ada Lovelace")
        wait_for(
            window, "document.querySelector('#result_list tbody tr').cells[4].textContent", "Ada Lovelace"
        )
        resize(window, PHONE)
        Order.objects.bulk_create([Order(number=number) for number in range(40, 44)])
        wait_for(window, LIST, ["5", "21", "30", "40", "41"])
        wait_for(window, "document.querySelector('.paginator').textContent.includes('7 orders')")
        window.save_screenshot(str(tmp_path / "phone.png"))
        resize(window, DESKTOP)
        Order.objects.all().delete()
        wait_for(window, LIST, [])
        Order.objects.create(number=1)
        wait_for(window, LIST, ["1"])
        assert window.execute_script("return window.mine") == 1


@pytest.mark.browser
@pytest.mark.timeout(120)
def test_a_list_that_is_edited_in_place_keeps_what_was_typed(address: str, tmp_path: Path) -> None:
    Customer.objects.create(name="ada")
    with chromium(tmp_path / "profile") as window:
        staff(window, address, Customer)
        window.get(f"{address}shop/customer/")
        wait_for(window, "document.querySelector('.channels-live-state')?.dataset.state", "live")
        window.execute_script("document.querySelector('#id_form-0-active').click()")
        Customer.objects.update(name="bob")
        wait_for(window, "Boolean(document.querySelector('.channels-live-notice a'))")
        assert window.execute_script("return document.querySelector('#id_form-0-active').checked") is False


def test_who_may_not_see_the_list_may_not_subscribe(address: str) -> None:
    topic = ChangeList(site="shopadmin", label="shop.order")
    user = User.objects.create_user("eve", is_staff=True)
    assert topic.may_subscribe(user) is False
    kind = ContentType.objects.get_for_model(Order)
    user.user_permissions.add(Permission.objects.get(content_type=kind, codename="view_order"))
    user = User.objects.get(pk=user.pk)
    assert topic.may_subscribe(user) is True
    user.is_staff = False
    assert topic.may_subscribe(user) is False


@pytest.mark.parametrize(
    ("name", "label"), [("another", "shop.order"), ("shopadmin", "shop.parcel"), ("shopadmin", "nonsense")]
)
def test_there_is_no_topic_of_a_list_that_is_not_live(address: str, name: str, label: str) -> None:
    root = User(is_staff=True, is_superuser=True, is_active=True)
    assert ChangeList(site=name, label=label).may_subscribe(root) is False


def test_no_code_is_in_the_page(address: str) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password=None))
    page = client.get("/admin/shop/order/").content.decode()
    tag = page[page.index('id="channels-live"') :].split(">")[0]
    assert "channels.live.admin:shopadmin:shop.order" in tag
    assert json.loads(tag.split('data-words="')[1].split('"')[0].replace("&quot;", '"'))["live"] == "Live"
