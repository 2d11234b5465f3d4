"""Each promise names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "guarantees.md"


def test_the_tests_that_are_named_exist() -> None:
    named = set(re.findall(r"`((?:tests/)?[\w/]*(?:test_\w+\.py|tests/topics/\w+))`", PAGE.read_text()))
    assert len(named) >= 6
    folders = (ROOT / "tests" / name for name in ("topics", "outbox"))
    names = {path.name for folder in folders for path in folder.rglob("test_*.py")}
    for each in named:
        assert (ROOT / each).exists() or each in names, each
