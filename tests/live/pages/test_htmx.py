"""Rows as HTML of a template, by a plain event stream, in htmx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path

from channels.routing import ProtocolTypeRouter
from channels.server.in_thread import ServerThread
from tests.live.shop.models import Order
from tests.live.test_changes import filled
from tests.support import programs
from tests.support.browser import chromium
from tests.topics.clients.test_browser import wait_for
from tests.topics.transports import event_pages

PAGE = """<!doctype html><meta charset="utf-8"><title>Orders</title>
<script src="/npm/htmx.org/dist/htmx.js"></script>
<script src="/npm/htmx.org/dist/ext/hx-sse.js"></script>
<ul id="orders" hx-sse:connect="/sse/?topic=orders:html" hx-sse:close="close" hx-swap="beforeend"></ul>
"""
TEMPLATE = """
{% if data.snapshot is not None %}
  <ul id="orders" hx-swap-oob="innerHTML">
    {% for each in data.snapshot %}<li id="order-{{ each.key }}">{{ each.row.number }}</li>{% endfor %}
  </ul>
{% endif %}
{% for each in data.changes %}
  {% if each.op == "delete" %}<li id="order-{{ each.key }}" hx-swap-oob="delete"></li>
  {% else %}
    <li id="order-{{ each.key }}"{% if each.op == "change" %} hx-swap-oob="true"{% endif %}>
      {{ each.row.number }}
    </li>
  {% endif %}
{% endfor %}
"""
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"orders.html": TEMPLATE})]},
    }
]


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


urlpatterns = [
    path("page/", page),
    path("npm/<path:name>", event_pages.npm),
    path("", include("channels.topics.urls")),
]


@pytest.mark.browser
@pytest.mark.timeout(120)
def test_htmx_shows_the_rows_as_they_change(shop: None, tmp_path: Path, settings: Any) -> None:
    event_pages.packages = programs.require_npm_packages("htmx.org@4.0.1")
    filled()
    with override_settings(ROOT_URLCONF=__name__, TEMPLATES=TEMPLATES):
        app = ProtocolTypeRouter({"http": get_asgi_application()})
        with ServerThread(app) as server, chromium(tmp_path / "profile") as window:
            window.get(f"http://127.0.0.1:{server.port}/page/")
            shown = "[...document.querySelectorAll('#orders li')].map(each => Number(each.textContent))"
            wait_for(window, shown, [1, 2, 3])
            Order.objects.create(number=9)
            wait_for(window, shown, [1, 2, 3, 9])
            Order.objects.filter(number=2).update(number=20)
            wait_for(window, shown, [1, 20, 3, 9])
            Order.objects.filter(number=1).delete()
            wait_for(window, shown, [20, 3, 9])
