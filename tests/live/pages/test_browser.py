"""Rows of a live query in Chromium, in two tabs, and without a network for a while."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.test import override_settings
from django.urls import include, path
from selenium.webdriver import Chrome

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import websocket_urlpatterns
from tests import settings
from tests.live.shop.models import Order
from tests.live.test_changes import filled
from tests.support.browser import chromium
from tests.topics.clients.test_browser import offline, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PAGE = """<!doctype html><meta charset="utf-8"><title>Orders</title>
{% load topics %}{% topics_client %}
<ul id="orders"><li>loading</li></ul>
<script type="module">
  const shared = new URLSearchParams(location.search).get("shared") !== "no";
  window.client = topics.connect({ shared });
  window.orders = client.live("orders:open");
  window.made = 0;
  orders.into(document.getElementById("orders"), (row, key, node) => {
    const item = node ?? (made++, document.createElement("li"));
    item.textContent = row.number;
    return item;
  });
</script>
"""
SHOWN = "[...document.querySelectorAll('li')].map(each => Number(each.textContent))"


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(PAGE).render())


urlpatterns = [path("", include("channels.topics.urls")), path("page/", page)]
PROJECT: dict[str, Any] = {
    "ROOT_URLCONF": __name__,
    "INSTALLED_APPS": [*settings.INSTALLED_APPS, "django.contrib.staticfiles", "channels.topics"],
    "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
}


@pytest.fixture
def address(shop: None) -> Iterator[str]:
    filled()
    with override_settings(**PROJECT):
        pages = ASGIStaticFilesHandler(get_asgi_application())
        app = ProtocolTypeRouter({"http": pages, "websocket": URLRouter(websocket_urlpatterns)})
        with ServerThread(app) as server:
            yield f"http://127.0.0.1:{server.port}/page/"


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "profile") as window:
        yield window


def test_two_tabs_show_the_rows_in_order_as_they_change(address: str, window: Chrome) -> None:
    window.get(address)
    wait_for(window, SHOWN, [1, 2, 3])
    first = window.current_window_handle
    Order.objects.create(number=0)
    wait_for(window, SHOWN, [0, 1, 2, 3])
    window.switch_to.new_window("tab")
    window.get(address)
    wait_for(window, SHOWN, [0, 1, 2, 3])  # of the tab before it
    Order.objects.filter(number=1).update(number=9)
    Order.objects.filter(number=2).delete()
    wait_for(window, SHOWN, [0, 3, 9])
    window.switch_to.window(first)
    wait_for(window, SHOWN, [0, 3, 9])
    assert window.execute_script("return [made, orders.rows.size]") == [4, 3]
    Order.objects.all().delete()
    wait_for(window, SHOWN, [])


def test_what_changes_while_the_network_is_away_is_there_on_return(address: str, window: Chrome) -> None:
    window.get(f"{address}?shared=no")
    wait_for(window, SHOWN, [1, 2, 3])
    offline(window, True)
    window.execute_script("client.disconnect(); client.connect()")
    Order.objects.filter(number=3).update(number=-3)
    Order.objects.create(number=7)
    offline(window, False)
    wait_for(window, SHOWN, [-3, 1, 2, 7])
    assert window.execute_script("return made") == 4
