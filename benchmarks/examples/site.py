"""An example under way: a database with users who are logged in, its server, and what runs beside it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.children import Child
from benchmarks.examples.users import Site, Users
from benchmarks.servers import LOAD_CORE, SERVER_CORE, Server, free_port

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DAPHNE = str(Path(sys.executable).with_name("daphne"))
#: Run in the example's shell: users and sessions, then what the example needs besides.
PREPARE = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
User, found = get_user_model(), {{}}
with transaction.atomic():
    people = User.objects.bulk_create([User(username=f"load{{n}}", password="!") for n in range({number})])
    users, cookies = [person.pk for person in people], []
    for person in people:
        session = import_module(settings.SESSION_ENGINE).SessionStore()
        session["_auth_user_id"] = str(person.pk)
        session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
        session["_auth_user_hash"] = person.get_session_auth_hash()
        session.save()
        cookies.append(session.session_key)
{more}
print("PREPARED " + json.dumps({{"users": users, "cookies": cookies, "found": found}}))
"""


@contextlib.contextmanager
def serving(name: str, users: type[Users], number: int) -> Iterator[tuple[Site, list[Child]]]:
    """Serve an example on the server's core; yields it, with its processes, the server first.

    Args:
        name: of its folder.
        users: what they do.
        number: how many are prepared.

    Raises:
        ServerFailed: it did not start.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        env = {
            **os.environ,
            f"{name.upper()}_DATABASE": str(Path(folder) / "db.sqlite3"),
            "DJANGO_SETTINGS_MODULE": f"{name}.settings",
        }
        prepared = prepare(name, users, number, env)
        port, devices_port, log = free_port(), free_port(), Path(folder) / "log"
        output = running.enter_context(log.open("wb"))
        command = [DAPHNE, "-e", f"tcp:{port}:interface=127.0.0.1", f"{name}.asgi:application"]
        if users.devices_app:
            command[1:1] = ["-e", f"tcp:{devices_port}:interface=127.0.0.1:app={users.devices_app}"]
        commands = [command, *([sys.executable, "manage.py", *words] for words in users.beside)]
        children = []
        for each in commands:
            child = Child(SERVER_CORE, each, cwd=EXAMPLES / name, env=env, stdout=output, stderr=output)
            running.callback(child.stop)
            children.append(child)
        Server(children[:1], [port], log).wait_until_served()
        yield Site(port, devices_port, prepared["cookies"], prepared["users"], prepared["found"]), children


def prepare(name: str, users: type[Users], number: int, env: dict[str, str]) -> dict[str, Any]:
    """Make the database; returns what stands in it."""
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v0"], cwd=EXAMPLES / name, env=env, check=True)
    code = PREPARE.format(number=number, more=users.prepare)
    done = subprocess.run(
        [*manage, "shell", "-v0", "-c", code],
        cwd=EXAMPLES / name,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("PREPARED ")]
    found: dict[str, Any] = json.loads(line.removeprefix("PREPARED "))
    return found


def use_the_load_core() -> None:
    """Leave the server's core to the server."""
    os.sched_setaffinity(0, {LOAD_CORE})
