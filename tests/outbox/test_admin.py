"""The outbox in Django's admin, as a browser meets it: in a process that has the admin installed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from django.contrib.admin.sites import AdminSite

from channels.outbox.admin import DurableMessageAdmin, HookCallAdmin
from channels.outbox.models import DurableMessage, HookCall
from tests.support.databases import Database
from tests.support.served import environment

PROGRAM = """
import django
from django.conf import settings
from tests.support.databases import from_environment

apps = "admin auth contenttypes sessions messages".split()
middleware = ["sessions.middleware.Session", "auth.middleware.Authentication", "messages.middleware.Message"]
settings.configure(
    SECRET_KEY="x", USE_TZ=True, ALLOWED_HOSTS=["*"], DATABASES=from_environment(), ROOT_URLCONF="__main__",
    INSTALLED_APPS=[*(f"django.contrib.{app}" for app in apps), "channels.outbox"],
    MIDDLEWARE=[f"django.contrib.{name}Middleware" for name in middleware],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages"]},
    }],
)
django.setup()
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client
from django.urls import path
from channels.outbox.models import DurableMessage, HookCall

urlpatterns = [path("admin/", admin.site.urls)]
call_command("migrate", verbosity=0)
assert [found.id for found in run_checks() if found.id.startswith("admin")] == []
client = Client()
client.force_login(User.objects.create_superuser("root"))
dead = {"state": "dead", "attempts": 3, "error": "ValueError: not today"}
HookCall.objects.create(hook="orders.hooks.send_receipt", arguments="{}", **dead)
HookCall.objects.create(hook="orders.hooks.send_invoice", arguments="{}")
DurableMessage.objects.create(layer="default", kind="group", target="shop.1", payload=b"secret", **dead)

def page(model, verb=None, **data):
    url = f"/admin/channels_outbox/{model}/"
    keys = list(map(str, range(1, 3)))
    form = {"action": verb, "_selected_action": keys}
    answer = client.post(url, form, follow=True) if verb else client.get(url)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()

assert "send_receipt" in page("hookcall") and "not today" in page("hookcall")
assert "1 are tried again." in page("hookcall", "try_again")
assert HookCall.objects.filter(state="ready", attempts=0).count() == 2
assert "0 were discarded." in page("hookcall", "discard_dead")
assert "shop.1" in page("durablemessage") and "1 were discarded." in page("durablemessage", "discard_dead")
shown = client.get("/admin/channels_outbox/hookcall/1/change/").content.decode()
assert "send_receipt" in shown and 'name="hook"' not in shown
assert client.get("/admin/channels_outbox/hookcall/add/").status_code == 403
"""


def test_dead_letters_are_listed_tried_again_and_discarded(sqlite: Database) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment(**sqlite.env),
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_says_how_many_it_has_changed(outbox: Database) -> None:
    said: list[str] = []
    HookCall.objects.create(hook="orders.hooks.send_receipt", arguments="{}", state="dead")
    for kind, model in ((HookCallAdmin, HookCall), (DurableMessageAdmin, DurableMessage)):
        admin: Any = kind(model, AdminSite())
        admin.message_user = lambda request, message: said.append(message)
        assert not admin.has_add_permission(None)
        admin.try_again(None, model._default_manager.all())
        admin.discard_dead(None, model._default_manager.all())
    assert said == ["1 are tried again.", "0 were discarded.", "0 are tried again.", "0 were discarded."]
