"""What ``runserver`` adds to Django's reloader; how it looks from outside is in the tests of the command."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.utils import autoreload

from daphne.reloading import explain_and_watch, headline, stopped_at_exit


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exception:
    """What importing a user's module raises, wrapped as a server would wrap it."""
    (tmp_path / "broken_consumers.py").write_text("x = 1\ny = undefined\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(autoreload, "_error_files", [])
    try:
        try:
            importlib.import_module("broken_consumers")
        except NameError as error:
            raise RuntimeError("the application could not be imported") from error
    except RuntimeError as error:
        return error
    raise AssertionError("it could be imported")


def test_the_headline_is_of_what_happened_first(broken: Exception) -> None:
    assert headline(broken).endswith("broken_consumers.py:2: NameError: name 'undefined' is not defined")


def test_the_file_with_the_mistake_is_watched(broken: Exception, tmp_path: Path) -> None:
    said = explain_and_watch(broken)
    assert "NameError" in said
    assert said.endswith("Waiting for a change of the code to start again.")
    assert str(tmp_path / "broken_consumers.py") in autoreload._error_files  # type: ignore[attr-defined]
    watched = [*autoreload._error_files]  # type: ignore[attr-defined]
    explain_and_watch(broken)
    assert autoreload._error_files == watched  # type: ignore[attr-defined]


def test_a_server_that_cannot_be_stopped_is_left_alone() -> None:
    with stopped_at_exit(object()):
        pass


class Stoppable:
    def __init__(self) -> None:
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


def test_a_server_that_ended_before_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    at_exit: list[Any] = []
    monkeypatch.setattr(threading, "_register_atexit", at_exit.append)
    server, receivers = Stoppable(), len(autoreload.file_changed.receivers)
    with stopped_at_exit(server):
        assert len(autoreload.file_changed.receivers) == receivers + 1
    assert len(autoreload.file_changed.receivers) == receivers
    (stop,) = at_exit
    stop()
    assert not server.stopped


PROGRAM = """
import threading
from django.utils import autoreload
from daphne.reloading import stopped_at_exit

class Server:
    over = threading.Event()

    def stop(self):
        print("stopped", flush=True)
        self.over.set()

def serve():
    with stopped_at_exit(Server()):
        begun.set()
        Server.over.wait()

begun = threading.Event()
threading.Thread(target=serve, daemon=True).start()
begun.wait()
if {changed}:
    autoreload.file_changed.send(sender=None, file_path="x.py", kind="changed")
threading.Thread(target=threading.Event().wait).start()  # nobody can end it
"""


@pytest.mark.parametrize(("changed", "code"), [(True, 3), (False, 0)])
def test_a_process_that_ends_stops_its_server_first(changed: bool, code: int) -> None:
    """And keeps the exit code by which the reloader knows that the code has changed."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(changed=changed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("stopped\n", code), done.stderr
