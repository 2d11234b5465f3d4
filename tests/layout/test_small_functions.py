"""The share of functions that say in a name what their body says in as many words; see the script."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scripts.loading import load

report = load("small_functions")

#: Per cent of each room's functions that may be small: what it was when this was written, and three.
MOST = {
    "core": 51,
    "daphne": 23,
    "diagnostics": 53,
    "django_fairway": 39,
    "generic": 40,
    "http": 23,
    "layers": 46,
    "mailbox": 43,
    "protocols": 37,
    "server": 39,
    "sessions": 63,
    "sync": 46,
    "testing": 47,
    "topics": 58,
}


@pytest.fixture(scope="module")
def functions() -> Any:
    return report.functions()


@pytest.mark.parametrize("room", MOST)
def test_the_share_of_small_functions_does_not_grow(functions: Any, room: str) -> None:
    assert report.share([found for found in functions if found.room == room]) <= MOST[room]


def test_what_is_asked_for_and_what_users_call_is_not_counted(functions: Any) -> None:
    names = {(found.module, found.name) for found in functions}
    shell = "channels.server.connection.connection"
    assert ("channels.routing", "find_router") not in names, "the reference lists it"
    assert (shell, "Connection.data_received") not in names, "asyncio calls it"
    assert ("channels.server.connection.reading", "ReadingHalf.fileno") not in names, "a property"
    assert ("channels.core.private", "PrivateField.set") in names


def test_docstrings_and_comments_are_no_lines(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").write_text(
        'def small():\n    """One.\n\n    Two.\n    """\n    # three\n    a = 1\n\n    return a\n\n\n'
        "def large():\n    return [\n        1,\n        2,\n    ]\n\n\nclass Own:\n    def stub(self): ...\n"
    )
    monkeypatch.setattr(report, "SOURCE", tmp_path)
    assert [(found.name, found.lines) for found in report.functions()] == [("small", 2), ("large", 4)]


def test_the_reasons_are_those_of_all_small_functions(functions: Any) -> None:
    *reasons, left = report.why(functions)
    small = [found for found in functions if found.lines <= report.SMALL]
    assert sum(int(line.split()[0]) for line in reasons) == len(small)
    assert 0 < float(left.split()[0]) < report.share(functions)
