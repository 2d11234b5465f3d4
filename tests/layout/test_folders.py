"""A folder fits one screen: twelve files at most, and what has more says why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.layout.checkout import files

MOST = 12
#: Folders with more, how many, and why.
MORE = {
    # Thirteen modules that users import are at the root, as with the originals. Beside them: what these
    # stand on (conf, mailbox, telemetry, typing), what goes with one of them (auth_prefetch), the words
    # `python -m channels` and `python -m channels.migrate`, and `py.typed`.
    "src/channels": 21,
    # Its modules have the names that the original's have, and users import them.
    "src/daphne": 15,
    # What users import, and the model; what serves it is in folders.
    "src/channels/topics": 16,
    # What one event loop knows and hands on, a file for each: clients, topics, nodes, what nodes are told.
    "src/channels/topics/delivery": 13,
    # What a session does, a file for each kind of command and each thing it keeps.
    "src/channels/topics/session": 14,
    # Each encoding beside a library that reads and writes the same.
    "tests/protocols/centrifuge": 16,
    # What happens in Redis in one step, a script for each, called by the name of the store's method.
    "src/channels/tasks/stores/redis/lua": 30,
    # Beside the tests what they share: who writes, who relays, and the topics of both.
    "tests/journal": 13,
    # It mirrors src/channels.
    "tests": 21,
}


def counts_by_folder() -> Counter[str]:
    """How many files each folder has; in the tests, without those that say what a folder is."""
    found = (path for path in files("src", "tests") if path.name != "__init__.py" or path.parts[0] == "src")
    return Counter(path.parent.as_posix() for path in found)


def test_no_folder_has_more_files_than_fit_one_screen() -> None:
    counts = counts_by_folder()
    assert {folder: count for folder, count in counts.items() if count > MORE.get(folder, MOST)} == {}


def test_what_is_at_the_root_of_the_tests_mirrors_the_root_of_the_package() -> None:
    tests = {path.stem.removeprefix("test_") for path in files("tests") if path.parent == Path("tests")}
    sources = {path.stem for path in files("src/channels") if path.parent == Path("src/channels")}
    assert tests - sources == {"conftest", "settings", "urls"}


def test_an_exception_is_one() -> None:
    counts = counts_by_folder()
    assert all(counts[folder] > MOST for folder in MORE)
