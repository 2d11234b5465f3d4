"""The pages over three processes: in Chromium on a desk and a phone, and for staff with fewer permissions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from websockets.sync.client import connect

from channels.diagnostics.recording import Recording
from tests.inspector.project import ROOT, Fleet, fleet, stopped
from tests.support.browser import DESKTOP, PHONE, chromium, dark, resize
from tests.topics.clients.test_browser import wait_for

pytestmark = pytest.mark.timeout(200)
#: Where the pictures of the how-to page are, if they are to be taken anew.
PICTURES = ROOT / "docs" / "howto" / "pictures" if os.environ.get("TAKE_PICTURES") else None
HOSTILE = "<img src=x onerror=alert(1)>"
JOBS = """
import time
from pathlib import Path
from channels.tasks import cron, task

@cron("30 4 29 2 *")
@task()
def count_leap_days():
    Path("leap-days.txt").touch()

@task()
def fails():
    raise ValueError("<b>no such order</b>")

@task(takes_context=True)
def import_orders(context):
    context.progress(0.4, "4 of 10 files")
    while True:
        time.sleep(0.05)
        context.raise_if_cancelled()
"""
USERS = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import Permission, User
from django.test import Client
known = {"root": None, "viewer": ["view_inspector"], "plain": [], "nobody": []}
for name, permissions in known.items():
    if permissions is None:
        user = User.objects.create_superuser(name, password=None)
    else:
        user = User.objects.create_user(name, is_staff=name != "nobody")
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    print(client.cookies["sessionid"].value)
"""


class Site:
    """A fleet with users, a worker of tasks, and people in rooms.

    Args:
        found: the fleet.
    """

    def __init__(self, found: Fleet) -> None:
        self.fleet = found
        keys = found.run(USERS).split()
        self.sessions = dict(zip(["root", "viewer", "plain", "nobody"], keys, strict=True))
        self.port = found.ports[0]
        self.address = f"http://127.0.0.1:{self.port}/inspector/"

    def request(
        self, path: str, who: str = "", form: dict[str, str] | None = None, token: str = "x"
    ) -> tuple[int, str]:
        """Return status and text of an answer; of a form, with a token that is the cookie's unless told."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=40)
        cookies = f"sessionid={self.sessions.get(who, '')}; csrftoken={'x' * 32}"
        headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        body = None if form is None else urlencode({**form, "csrfmiddlewaretoken": token * 32})
        connection.request("GET" if form is None else "POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def log_in(self, window: Chrome, who: str = "root") -> None:
        window.get(f"http://127.0.0.1:{self.port}/admin/login/")
        window.add_cookie({"name": "sessionid", "value": self.sessions[who]})


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    layer = {"BACKEND": "channels.layers.host.HostChannelLayer", "CONFIG": {"path": "{folder}/host"}}
    apps = ("channels.tasks",) if django.VERSION >= (6,) else ("channels.tasks", "django_tasks")
    with fleet(layer, apps=apps, tasks=JOBS) as found, ExitStack() as stack:
        site = Site(found)
        command = [sys.executable, "-m", "django", "runworker", "--tasks", "--threads", "2"]
        command += ["--queues", "default"]
        with (found.folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen(command, cwd=found.folder, env=found.env, stdout=log, stderr=log)
        stack.callback(worker.wait)
        stack.callback(worker.terminate)
        for number in range(9):
            user = HOSTILE if number == 4 else f"user{number}"
            address = f"ws://127.0.0.1:{found.ports[number % 3]}/chat/room{number % 2}/?"
            client = stack.enter_context(connect(address + urlencode({"user": user})))
            client.send("here")
            client.recv(20)
        yield site


def picture(window: Chrome, name: str) -> None:
    if PICTURES is not None:
        PICTURES.mkdir(exist_ok=True)
        window.save_screenshot(str(PICTURES / f"inspector-{name}.png"))


def text_of(window: Chrome, selector: str) -> str:
    return str(window.find_element(By.CSS_SELECTOR, selector).text)


def pressed(window: Chrome, selector: str) -> None:
    """Press what is there, in one step: what is live may be replaced between two."""
    found = f"document.querySelector({json.dumps(selector)})"
    wait_for(window, f"Boolean({found}) && ({found}.click(), true)")


def entered(window: Chrome, selector: str) -> None:
    """Press what is there by the keyboard: while it has the focus it stays."""
    found = f"document.querySelector({json.dumps(selector)})"
    wait_for(window, f"Boolean({found}) && ({found}.focus(), document.activeElement === {found})")
    window.switch_to.active_element.send_keys(Keys.ENTER)


def opened(window: Chrome, address: str) -> None:
    """Open a page, and wait until it is live."""
    window.get(address)
    wait_for(window, "document.getElementById('state')?.dataset.state", "live")


@pytest.mark.browser
def test_now_is_live_and_says_in_red_what_is_wrong(site: Site, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as window:
        site.log_in(window)
        window.get(f"http://127.0.0.1:{site.port}/admin/")
        window.find_element(By.LINK_TEXT, "Inspector").click()  # the link on the admin's index
        wait_for(window, "document.getElementById('state')?.dataset.state", "live")
        assert window.current_url == site.address
        wait_for(window, "document.querySelectorAll('tr[data-node]').length", 4)  # and the worker of tasks
        wait_for(window, "document.querySelector('main').innerText.includes('0 of 102, waited')")
        sockets = "document.querySelector('[data-plot=\"sums.websockets\"] output').textContent"
        wait_for(window, sockets, "9")  # and not the page itself
        with connect(f"ws://127.0.0.1:{site.fleet.ports[1]}/chat/more/") as more:
            more.send("here")
            more.recv(20)
            wait_for(window, sockets, "10")
        wait_for(window, sockets, "9")
        picture(window, "now")
        problem = "document.querySelector('#problems .problem')?.textContent.includes('is stopped')"
        with stopped(site.fleet.servers[2]):
            wait_for(window, problem)
            wait_for(window, "document.querySelectorAll('td.state.stopped').length", 1)
            wait_for(window, "document.querySelector('.problem .remedy').textContent.includes('kill -CONT')")
            resize(window, PHONE)
            dark(window, on=True)
            picture(window, "phone")
            assert window.execute_script("return document.documentElement.scrollWidth") <= PHONE[0]
        wait_for(window, "document.querySelectorAll('#problems .problem').length", 0)
        resize(window, DESKTOP)
        wrong = [each["message"] for each in window.get_log("browser") if each["level"] == "SEVERE"]
        assert [
            each for each in wrong if "/favicon.ico" not in each
        ] == []  # the policy lets nothing in a page run
        assert loaded_from(window) <= {f"http://127.0.0.1:{site.port}"}


def loaded_from(window: Chrome) -> set[str]:
    script = "return performance.getEntriesByType('resource').map(each => new URL(each.name).origin)"
    return set(window.execute_script(script))


@pytest.mark.browser
def test_connections_are_searched_looked_at_and_closed_with_the_keyboard(site: Site, tmp_path: Path) -> None:
    with (
        chromium(tmp_path / "profile") as window,
        connect(f"ws://127.0.0.1:{site.fleet.ports[1]}/chat/closed/?user=mallory") as mallory,
    ):
        site.log_in(window)
        opened(window, f"{site.address}connections/")
        wait_for(window, f"document.querySelector('tbody').innerText.includes({json.dumps(HOSTILE)})")
        assert window.execute_script("return document.querySelectorAll('tbody img').length") == 0
        picture(window, "connections")
        field = window.find_element(By.NAME, "user")
        field.send_keys("MALLORY", Keys.ENTER)
        wait_for(window, "document.querySelector('tbody').rows.length", 1)
        entered(window, "tbody a")
        wait_for(window, "Boolean(document.querySelector('[data-live=one]'))")
        wait_for(window, "document.getElementById('state')?.dataset.state", "live")
        mallory.send("four")
        assert mallory.recv(20) == "four"
        wait_for(window, "document.querySelectorAll('[data-live=one] tbody tr').length >= 2")
        rows = window.execute_script(
            "return [...document.querySelectorAll('[data-live=one] tbody tr')].map(row => row.innerText)"
        )
        assert any("in" in row.split() and "text" in row.split() and "4" in row.split() for row in rows)
        assert "closed" in text_of(window, "[data-live=one] ul")
        picture(window, "connection")
        page = window.current_url.removeprefix(f"http://127.0.0.1:{site.port}")
        assert site.request(f"{page}recording/", "viewer")[0] == 403
        entered(window, "form[action$='/recording/'] button")
        wait_for(window, "document.querySelector('.told')?.textContent", "It is recorded for a minute.")
        mallory.send("from mallory@example.org")
        mallory.recv(20)
        status, text = site.request(f"{page}recording/", "root")
        frames = [(each.direction, each.data) for each in Recording.loads(text).frames]
        assert (status, frames) == (200, [("in", "from ***"), ("out", "from ***")])
        entered(window, "form[action$='/act/close/'] button")
        wait_for(window, "document.querySelector('.told')?.textContent", "1 connection closed.")
        wait_for(window, "document.body.innerText.includes('3503')")
    written = audit_log(site)
    for action in ("record", "download recording", "close"):
        assert f"('root', '{action}', " in written


@pytest.mark.browser
def test_the_way_of_a_message_is_shown_and_what_is_in_it_only_to_who_may_and_is_logged(
    site: Site, tmp_path: Path
) -> None:
    address = "ws://127.0.0.1:{}/chat/orders/?user=user1"
    with (
        chromium(tmp_path / "profile") as window,
        connect(address.format(site.fleet.ports[0])) as first,
        connect(address.format(site.fleet.ports[1])) as second,
    ):
        second.send("here")
        second.recv(20)
        first.send("<b>order 66</b>")
        while second.recv(20) != "<b>order 66</b>":
            pass
        site.log_in(window)
        opened(window, f"{site.address}messages/")
        window.find_element(By.NAME, "text").send_keys("orders", Keys.ENTER)
        wait_for(window, "document.querySelector('tbody').rows.length", 1)
        pressed(window, "tbody a")
        steps = "[...document.querySelectorAll('.card:first-of-type .step')].map(each => each.classList[1])"
        wait_for(window, "document.querySelectorAll('.card .step.delivered').length >= 3")
        assert window.execute_script(f"return {steps}")[:1] == ["published"]
        assert "order 66" not in text_of(window, "main")
        picture(window, "messages")
        assert "see contents" not in audit_log(site)
        window.find_element(By.PARTIAL_LINK_TEXT, "Show what is in them").click()
        wait_for(window, "document.querySelector('.card pre')?.textContent.includes('<b>order 66</b>')")
        assert "('root', 'see contents', 'orders')" in audit_log(site)
    _, page = site.request("/inspector/messages/of/?name=orders&contents=1", "viewer")
    assert "delivered" in page and "order 66" not in page
    (trace, *_) = re.findall("trace=([0-9a-f]{32})", page)
    assert site.request(f"/inspector/messages/?text={trace}", "viewer")[0] == 302
    _, page = site.request(f"/inspector/messages/of/?trace={trace}&contents=1", "viewer")
    assert ">orders</a>" in page and "delivered" in page and "order 66" not in page
    assert site.request("/inspector/messages/of/?name=orders", "plain")[0] == 403


def audit_log(site: Site) -> str:
    return site.fleet.run(
        "from channels.inspector.models import AuditEntry\n"
        "print([(each.user, each.action, each.subject) for each in AuditEntry.objects.all()])"
    )


@pytest.mark.browser
def test_tasks_are_seen_cancelled_and_run_again(site: Site, tmp_path: Path) -> None:
    site.fleet.run("from fleet_jobs.tasks import *\nfails.enqueue(); import_orders.enqueue()")
    with chromium(tmp_path / "profile") as window:
        site.log_in(window)
        opened(window, f"{site.address}tasks/")
        wait_for(window, "document.querySelector('progress')?.value", 40)
        wait_for(window, "Boolean(document.querySelector('td.problem')?.textContent.includes('ValueError'))")
        picture(window, "tasks")
        pressed(window, "tr:has(td.problem) a")
        wait_for(window, "document.querySelector('pre')?.textContent.includes('<b>no such order</b>')")
        opened(window, f"{site.address}tasks/")
        pressed(window, "button[value=cancel]")
        wait_for(window, "document.querySelector('.told')?.textContent", "Done.")
        wait_for(window, "document.querySelectorAll('progress').length", 0)
        pressed(window, "button[value=retry]")
        wait_for(window, "document.querySelector('.told')?.textContent", "Done.")
        row = "[...document.querySelectorAll('tr')].find(row => row.textContent.includes('count_leap_days'))"
        wait_for(window, f"/next .*2\\/29\\/20\\d\\d/.test({row}.innerText)")
        assert not (site.fleet.folder / "leap-days.txt").exists()
        pressed(window, "button[value=run]")
        wait_for(window, "document.querySelector('.told')?.textContent", "Done.")
        eventually((site.fleet.folder / "leap-days.txt").exists)
    assert "('root', 'run task', 'default fleet_jobs.tasks.count_leap_days')" in audit_log(site)


def test_for_how_long_each_queue_waits_is_on_the_page_and_in_the_status(site: Site) -> None:
    later = "from fleet_jobs.tasks import *\nprint(count_leap_days.using(queue_name='mail').enqueue().id)"
    task = site.fleet.run(later).strip()
    waits = r">mail</th><td>the first waits for [\d.]+ s<"
    assert re.search(waits, site.request("/inspector/tasks/", "viewer")[1])
    told = site.fleet.run(
        "from django.core.management import call_command\n"
        f"call_command('realtime', 'status', '--timeout', '15')\ncall_command('tasks', 'cancel', {task!r})"
    )
    assert re.search(r"^tasks default  queue mail  the first waits for [\d.]+ s$", told, re.MULTILINE), told
    assert ">mail<" not in site.request("/inspector/tasks/", "viewer")[1]


def test_who_may_see_what(site: Site) -> None:
    assert site.request("/inspector/")[0] == 302
    assert site.request("/inspector/", "nobody")[0] == 403
    end = time.monotonic() + 30
    while True:  # until all processes have answered in time
        status, page = site.request("/inspector/", "plain")
        samples = samples_of(page)
        assert status == 200 and time.monotonic() < end
        if samples[-1]["sums"]["websockets"] >= 9:
            break
    assert {tuple(node) for node in samples[-1]["nodes"]} == {("state",)}
    assert str(site.fleet.servers[0].pid) not in page.split('id="samples"')[1]
    for path in ("connections/", "connections/x.1/", "tasks/", "tasks/default/x/"):
        assert site.request(f"/inspector/{path}", "plain")[0] == 403
    assert site.request("/inspector/connections/", "viewer")[0] == 200
    assert site.request("/inspector/connections/x.1/", "viewer")[0] == 404
    for action in ("close", "disconnect", "drain", "task"):
        assert site.request(f"/inspector/act/{action}/", "viewer", {"user": "user1"})[0] == 403
        assert site.request(f"/inspector/act/{action}/", "root")[0] == 405


def test_what_is_done_without_its_token_is_refused(site: Site) -> None:
    assert site.request("/inspector/act/disconnect/", "root", {"user": "x"}, token="y")[0] == 403
    assert site.request("/inspector/act/disconnect/", "root", {"user": "x"})[0] == 302


def test_the_topics_of_the_pages_are_for_staff(site: Site) -> None:
    expected = {("plain", "now"): False, ("plain", "counts"): True, ("viewer", "now"): True}
    ports: dict[bool, set[int]] = {True: set(), False: set()}
    for (who, page), allowed in {**expected, ("nobody", "counts"): False, ("root", "else"): False}.items():
        headers = {"Cookie": f"sessionid={site.sessions[who]}"}
        with connect(
            f"ws://127.0.0.1:{site.port}/connection/websocket", additional_headers=headers
        ) as client:
            topic = {"channel": f"channels.inspector:{page}"}
            client.send(json.dumps({"id": 1, "connect": {}}))
            client.send(json.dumps({"id": 2, "subscribe": topic}))
            replies: list[Any] = []
            end = time.monotonic() + 20
            while not any(each.get("id") == 2 for each in replies) and time.monotonic() < end:
                replies += map(json.loads, str(client.recv(20)).splitlines())
            (reply,) = (each for each in replies if each.get("id") == 2)
            assert ("error" not in reply) is allowed, (who, page, reply)
            ports[allowed].add(client.local_address[1])

    def listed() -> set[int]:
        text = site.request("/inspector/connections/", "viewer")[1]
        return {port for port in ports[True] | ports[False] if f"127.0.0.1:{port}<" in text}

    eventually(lambda: ports[False] <= listed())  # among those that have ended
    assert not listed() & ports[True]  # those of inspectors are not


def node_of(site: Site, pid: int) -> dict[str, Any]:
    """Return what the page says of a process now; {} if nothing is."""
    nodes = samples_of(site.request("/inspector/", "root")[1])[-1]["nodes"]
    return next((each for each in nodes if each["name"].endswith(f":{pid}")), {})


def samples_of(page: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        page.split('id="samples" type="application/json">')[1].split("</script>")[0]
    )
    return found


def test_workers_of_tasks_and_of_channels_belong_to_the_fleet_and_are_drained(site: Site) -> None:
    (site.fleet.folder / "asgi_settings.py").write_text(
        "from fleet_settings import *\nASGI_APPLICATION = 'fleet_project.application'"
    )
    env = {**site.fleet.env, "DJANGO_SETTINGS_MODULE": "asgi_settings"}
    with (site.fleet.folder / "workers.log").open("wb") as log, ExitStack() as stack:
        workers = []
        for arguments in (["--tasks", "--threads", "3"], ["thumbnails"]):
            command = [sys.executable, "-m", "django", "runworker", *arguments]
            worker = subprocess.Popen(command, cwd=site.fleet.folder, env=env, stdout=log, stderr=log)
            stack.callback(worker.kill)
            workers.append(worker)
        for worker, tasks in zip(workers, ["0 of 103, waited 0.0 s", ""], strict=True):
            eventually(lambda pid=worker.pid: node_of(site, pid).get("state") == "ok")
            node = node_of(site, worker.pid)
            assert (node["role"], node["tasks"], node["lag"] >= 0) == ("django runworker", tasks, True)
            assert site.request("/inspector/act/drain/", "root", {"node": node["id"]})[0] == 302
            assert worker.wait(30) == 0
            # On a busy machine it may not have had the time to say goodbye.
            eventually(lambda pid=worker.pid: node_of(site, pid).get("state") in (None, "ended"))


def eventually(condition: Callable[..., bool]) -> None:
    """Wait until something is so; each question waits for all processes itself."""
    end = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)
